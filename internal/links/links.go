// Package links recognizes the social platform of a web address, and whether
// the address is that of a post, a video or a profile.
//
// It owns the list of platforms with their hosts and names, and the one spelling
// by which addresses are compared (Normal). It reads the address only and fetches
// nothing: the host determines the platform, the path the kind. It contains no
// services; Named, Suits and MisfitOf compare a link with the English name of a
// service or category.
package links

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Kind is the kind of page at an address.
type Kind int

// The kinds of pages.
const (
	Unclear Kind = iota // also a page of another kind: a playlist, an event
	Post
	Video   // also a stream or a short
	Profile // also a page, a channel or a group
)

// Link is an address of a platform.
type Link struct {
	Platform string // the platform's own name, in one spelling
	Kind     Kind
}

// platform describes how a platform is recognized in addresses and in English
// texts. In texts its name counts, too, unless it has leadWords.
type platform struct {
	name    string
	hosts   []string // subdomains count as well
	aliases []string
	// leadWords name the platform only as the first word, because they have
	// other meanings as well.
	leadWords []string
	kind      func(host string, path []string) Kind
}

var platforms = []platform{
	{name: "Instagram", hosts: []string{"instagram.com", "instagr.am", "ig.me"}, kind: instagram},
	{name: "TikTok", hosts: []string{"tiktok.com"}, kind: tiktok},
	{name: "YouTube", hosts: []string{"youtube.com", "youtu.be", "youtube-nocookie.com"}, kind: youtube},
	{name: "Facebook", hosts: []string{"facebook.com", "fb.com", "fb.me", "fb.watch"}, aliases: []string{"fb"}, kind: facebook},
	{name: "X", hosts: []string{"x.com", "twitter.com"}, aliases: []string{"twitter"}, leadWords: []string{"x"}, kind: firstRule(Profile, rule{"status", Post})},
	{name: "Telegram", hosts: []string{"t.me", "telegram.me", "telegram.dog"}, kind: telegram},
	{name: "Threads", hosts: []string{"threads.net", "threads.com"}, kind: firstRule(Profile, rule{"post", Post})},
	{name: "LinkedIn", hosts: []string{"linkedin.com", "lnkd.in"}, kind: firstRule(
		Unclear, rule{"posts", Post}, rule{"feed", Post}, rule{"pulse", Post}, rule{"in", Profile}, rule{"company", Profile}, rule{"school", Profile}, rule{"groups", Profile},
	)},
	{name: "Spotify", hosts: []string{"spotify.com", "spotify.link"}, kind: firstRule(Unclear, rule{"artist", Profile}, rule{"user", Profile}, rule{"show", Profile})},
	{name: "Twitch", hosts: []string{"twitch.tv"}, kind: firstRule(Profile, rule{"videos", Video}, rule{"clip", Video})},
	{name: "VK", hosts: []string{"vk.com", "vk.ru", "vk.cc", "vkvideo.ru"}, aliases: []string{"vkontakte"}, kind: vk},
	{name: "Pinterest", hosts: pinterestHosts(), kind: firstRule(Profile, rule{"pin", Post})},
	{name: "Snapchat", hosts: []string{"snapchat.com"}, kind: firstRule(Unclear, rule{"spotlight", Video}, rule{"add", Profile})},
	{name: "Discord", hosts: []string{"discord.com", "discord.gg", "discordapp.com"}, kind: constant(Profile)},
	{name: "Reddit", hosts: []string{"reddit.com", "redd.it"}, kind: firstRule(Unclear, rule{"comments", Post}, rule{"r", Profile}, rule{"u", Profile}, rule{"user", Profile})},
	{name: "SoundCloud", hosts: []string{"soundcloud.com"}, kind: firstRule(Profile)},
	{name: "WhatsApp", hosts: []string{"whatsapp.com", "wa.me"}, kind: constant(Profile)},
	{name: "Kick", hosts: []string{"kick.com"}, leadWords: []string{"kick"}, kind: firstRule(Profile, rule{"videos", Video}, rule{"clips", Video})},
	{name: "Rumble", hosts: []string{"rumble.com"}, kind: firstRule(Video, rule{"c", Profile}, rule{"user", Profile})},
	{name: "Vimeo", hosts: []string{"vimeo.com"}, kind: constant(Unclear)},
	{name: "Dailymotion", hosts: []string{"dailymotion.com", "dai.ly"}, kind: firstRule(Unclear, rule{"video", Video})},
	{name: "Quora", hosts: []string{"quora.com"}, kind: firstRule(Unclear, rule{"profile", Profile})},
	{name: "Tumblr", hosts: []string{"tumblr.com"}, kind: constant(Unclear)},
	{name: "Bluesky", hosts: []string{"bsky.app"}, kind: firstRule(Unclear, rule{"post", Post}, rule{"profile", Profile})},
}

// shorteners are hosts whose addresses redirect, so their paths have no kind.
var shorteners = []string{"vm.tiktok.com", "vt.tiktok.com", "fb.me", "lnkd.in", "spotify.link", "vk.cc", "pin.it", "redd.it", "dai.ly", "ig.me"}

func pinterestHosts() []string {
	hosts := []string{"pin.it"}
	for _, ending := range []string{
		"at", "ca", "ch", "cl", "co.kr", "co.uk", "com", "com.au", "com.mx", "de", "dk", "es", "fr", "id", "ie", "it", "jp", "nz", "ph", "pt", "ru", "se",
	} {
		hosts = append(hosts, "pinterest."+ending)
	}
	return hosts
}

// Recognize returns the platform and the kind of a web address. It returns
// false if the address is malformed or its host belongs to no known platform.
func Recognize(address string) (Link, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return Link{}, false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for _, p := range platforms {
		for _, known := range p.hosts {
			if host == known || strings.HasSuffix(host, "."+known) {
				if slices.Contains(shorteners, host) {
					return Link{Platform: p.name}, true
				}
				path := strings.FieldsFunc(strings.ToLower(u.Path), func(r rune) bool { return r == '/' })
				return Link{Platform: p.name, Kind: p.kind(host, path)}, true
			}
		}
	}
	return Link{}, false
}

// Named reports whether an English text (the name of a service or a category)
// names the platform of the link.
func (l Link) Named(text string) bool {
	i := slices.IndexFunc(platforms, func(p platform) bool { return p.name == l.Platform })
	words := wordsOf(text)
	if i < 0 || len(words) == 0 {
		return false
	}
	p := platforms[i]
	if slices.Contains(p.leadWords, words[0]) {
		return true
	}
	if len(p.leadWords) == 0 && slices.Contains(words, strings.ToLower(p.name)) {
		return true
	}
	return slices.ContainsFunc(p.aliases, func(word string) bool { return slices.Contains(words, word) })
}

// profileWords occur in the names of services for profiles.
var profileWords = []string{"followers", "subscribers", "members", "friends", "page"}

// Suits reports whether a service with this English name is likely meant for the
// kind of the link: followers for a profile, likes for a post.
func (l Link) Suits(name string) bool {
	forProfiles := slices.ContainsFunc(wordsOf(name), func(word string) bool { return slices.Contains(profileWords, word) })
	return l.Kind == Unclear || forProfiles == (l.Kind == Profile)
}

func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// rule gives the kind of a path that has this part at any position.
type rule struct {
	part string
	kind Kind
}

// firstRule returns the kind of the first rule that applies to the path, else
// single for a path of one part.
func firstRule(single Kind, rules ...rule) func(string, []string) Kind {
	return func(_ string, path []string) Kind {
		for _, r := range rules {
			if slices.Contains(path, r.part) {
				return r.kind
			}
		}
		if len(path) == 1 {
			return single
		}
		return Unclear
	}
}

// constant returns kind for every path but the empty one.
func constant(kind Kind) func(string, []string) Kind {
	return func(_ string, path []string) Kind {
		if len(path) == 0 {
			return Unclear
		}
		return kind
	}
}

func instagram(host string, path []string) Kind {
	return firstRule(Profile,
		rule{"p", Post}, rule{"reel", Video}, rule{"reels", Video}, rule{"tv", Video}, rule{"stories", Unclear}, rule{"explore", Unclear},
	)(host, path)
}

func tiktok(host string, path []string) Kind {
	single := Unclear
	if len(path) > 0 && strings.HasPrefix(path[0], "@") {
		single = Profile
	}
	return firstRule(single, rule{"video", Video}, rule{"live", Video}, rule{"photo", Post})(host, path)
}

func youtube(host string, path []string) Kind {
	single := Profile
	switch {
	case strings.HasSuffix(host, "youtu.be"):
		single = Video
	case len(path) > 1 && strings.HasPrefix(path[0], "@"):
		path = path[:1] // a page of the channel: /@name/videos
	}
	return firstRule(single,
		rule{"watch", Video}, rule{"shorts", Video}, rule{"live", Video}, rule{"embed", Video}, rule{"post", Post}, rule{"playlist", Unclear}, rule{"results", Unclear}, rule{"feed", Unclear},
		rule{"channel", Profile}, rule{"c", Profile}, rule{"user", Profile},
	)(host, path)
}

func facebook(host string, path []string) Kind {
	single := Profile
	if strings.HasSuffix(host, "fb.watch") {
		single = Video
	}
	return firstRule(single,
		rule{"watch", Video}, rule{"reel", Video}, rule{"videos", Video}, rule{"posts", Post}, rule{"permalink.php", Post}, rule{"story.php", Post},
		rule{"photo", Post}, rule{"photo.php", Post}, rule{"photos", Post}, rule{"share", Unclear}, rule{"events", Unclear},
		rule{"permalink", Post}, rule{"groups", Profile}, rule{"people", Profile}, rule{"pages", Profile},
	)(host, path)
}

// telegram: /name/15 and /c/123/15 are posts; /name, /s/name and invitations are
// profiles.
func telegram(_ string, path []string) Kind {
	switch n := len(path); {
	case n == 0:
		return Unclear
	case n > 1 && strings.Trim(path[n-1], "0123456789") == "" && (path[0] != "c" || n > 2):
		return Post
	case n == 1 || path[0] == "s" || path[0] == "joinchat":
		return Profile
	default:
		return Unclear
	}
}

// vk: the only part of the path is the kind and the id: /wall-1_2, /video-1_2,
// /clip-1_2.
func vk(_ string, path []string) Kind {
	switch {
	case len(path) != 1:
		return Unclear
	case strings.HasPrefix(path[0], "wall"):
		return Post
	case strings.HasPrefix(path[0], "video"), strings.HasPrefix(path[0], "clip"):
		return Video
	default:
		return Profile
	}
}
