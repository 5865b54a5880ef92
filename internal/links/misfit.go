package links

import (
	"net/url"
	"slices"
	"strings"
)

// Misfit says what a link is that a service does not want, "" for none.
type Misfit string

// The misfits.
const (
	MisfitProfile Misfit = "profile" // the service is for posts or videos
	MisfitPost    Misfit = "post"    // or a video; the service is for profiles
	MisfitStory   Misfit = "story"
	MisfitPrivate Misfit = "private" // a private page or an invitation
)

// Words of the names of services, by what they are for.
var (
	followWords = []string{"followers", "follower", "subscribers", "subscriber", "members", "member", "friends"}
	reactWords  = []string{"likes", "like", "views", "view", "comments", "comment", "shares", "share", "saves", "save", "reactions", "reaction", "reposts", "retweets"}
	postWords   = []string{"post", "posts", "video", "videos", "reel", "reels", "photo", "photos", "tweet", "tweets", "shorts", "igtv"}
	storyWords  = []string{"story", "stories", "highlight", "highlights"}
	// pageWords occur where reactions are to a page: "Page Likes", "Channel Views".
	pageWords = []string{"page", "profile", "channel", "group", "account"}
	// unclearWords are of services that take a profile for its posts, or a stream.
	unclearWords = []string{"auto", "autolikes", "autoviews", "automatic", "last", "latest", "next", "future", "new", "upcoming", "every", "all", "subscription", "live", "stream"}
	privateWords = []string{"private", "invite", "invitation"}
)

// MisfitOf returns how an address certainly does not suit a service with these English
// texts (its name, then its category): "" also where that is not certain. It covers
// Instagram, TikTok, YouTube, Telegram, X and Facebook.
func MisfitOf(address string, texts ...string) Misfit {
	link, known := Recognize(address)
	if _, covered := profiles[link.Platform]; !known || !covered || !slices.ContainsFunc(texts, link.Named) {
		return ""
	}
	words := func(wanted []string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return hasWord(text, wanted) })
	}
	path := pathOf(address)
	switch {
	case isStory(link.Platform, path):
		if words(storyWords) {
			return ""
		}
		return MisfitStory
	case isPrivate(link.Platform, path):
		if words(privateWords) {
			return ""
		}
		return MisfitPrivate
	}
	wanted := Unclear
	for _, text := range texts { // the category counts where the name does not say it
		if wanted = wantedKind(link.Platform, text); wanted != Unclear || hasWord(text, slices.Concat(followWords, reactWords, postWords, storyWords, unclearWords)) {
			break
		}
	}
	switch {
	case wanted == Post && link.Kind == Profile:
		return MisfitProfile
	case wanted == Profile && (link.Kind == Post || link.Kind == Video):
		return MisfitPost
	default:
		return ""
	}
}

// wantedKind returns Profile, or Post for posts and videos, where a text is certain.
func wantedKind(platform, text string) Kind {
	follow, react, post := hasWord(text, followWords), hasWord(text, reactWords), hasWord(text, postWords)
	switch {
	case hasWord(text, storyWords) || follow == (react || post):
		return Unclear
	case follow:
		return Profile
	case hasWord(text, unclearWords), !post && (hasWord(text, pageWords) || platform == "Facebook"): // likes there may be of a page
		return Unclear
	default:
		return Post
	}
}

func hasWord(text string, wanted []string) bool {
	return slices.ContainsFunc(wordsOf(text), func(word string) bool { return slices.Contains(wanted, word) })
}

func pathOf(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
}

func isStory(platform string, path []string) bool {
	switch platform {
	case "Instagram", "Facebook":
		return len(path) > 1 && path[0] == "stories"
	case "Telegram":
		return len(path) == 3 && path[1] == "s"
	default:
		return false
	}
}

// isPrivate reports whether a Telegram page is of a private chat or an invitation.
// Other platforms' links do not tell.
func isPrivate(platform string, path []string) bool {
	return platform == "Telegram" && len(path) > 0 && (path[0] == "c" || path[0] == "joinchat" || strings.HasPrefix(path[0], "+"))
}
