// Package links tells of what platform a web address is, and of what there. It
// looks at the address alone: nothing is fetched. It knows nothing of what is
// sold for a platform.
package links

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Kind is what an address leads to.
type Kind int

// Unclear is also what is neither of the others: a playlist, an event.
const (
	Unclear Kind = iota
	Post
	Video   // streams and short films too
	Profile // also a page, a channel, a group
)

// Link is an address of a platform.
type Link struct {
	Platform string // as the platform calls itself; there is no other spelling
	Kind     Kind
}

// platform is a platform with its hosts, of which subdomains count too, and the
// words by which English texts name it beside its own name.
type platform struct {
	name  string
	hosts []string
	also  []string
	// lead are words that name it only at the beginning: they mean other things, too.
	lead []string
	kind func(host string, path []string) Kind
}

var platforms = []platform{
	{name: "Instagram", hosts: []string{"instagram.com", "instagr.am", "ig.me"}, kind: instagram},
	{name: "TikTok", hosts: []string{"tiktok.com"}, kind: tiktok},
	{name: "YouTube", hosts: []string{"youtube.com", "youtu.be", "youtube-nocookie.com"}, kind: youtube},
	{name: "Facebook", hosts: []string{"facebook.com", "fb.com", "fb.me", "fb.watch"}, also: []string{"fb"}, kind: facebook},
	{name: "X", hosts: []string{"x.com", "twitter.com"}, also: []string{"twitter"}, lead: []string{"x"}, kind: by(Profile, rule{"status", Post})},
	{name: "Telegram", hosts: []string{"t.me", "telegram.me", "telegram.dog"}, kind: telegram},
	{name: "Threads", hosts: []string{"threads.net", "threads.com"}, kind: by(Profile, rule{"post", Post})},
	{name: "LinkedIn", hosts: []string{"linkedin.com", "lnkd.in"}, kind: by(
		Unclear, rule{"posts", Post}, rule{"feed", Post}, rule{"pulse", Post}, rule{"in", Profile}, rule{"company", Profile}, rule{"school", Profile}, rule{"groups", Profile},
	)},
	{name: "Spotify", hosts: []string{"spotify.com", "spotify.link"}, kind: by(Unclear, rule{"artist", Profile}, rule{"user", Profile}, rule{"show", Profile})},
	{name: "Twitch", hosts: []string{"twitch.tv"}, kind: by(Profile, rule{"videos", Video}, rule{"clip", Video})},
	{name: "VK", hosts: []string{"vk.com", "vk.ru", "vk.cc", "vkvideo.ru"}, also: []string{"vkontakte"}, kind: vk},
	{name: "Pinterest", hosts: pinterestHosts(), kind: by(Profile, rule{"pin", Post})},
	{name: "Snapchat", hosts: []string{"snapchat.com"}, kind: by(Unclear, rule{"spotlight", Video}, rule{"add", Profile})},
	{name: "Discord", hosts: []string{"discord.com", "discord.gg", "discordapp.com"}, kind: always(Profile)},
	{name: "Reddit", hosts: []string{"reddit.com", "redd.it"}, kind: by(Unclear, rule{"comments", Post}, rule{"r", Profile}, rule{"u", Profile}, rule{"user", Profile})},
	{name: "SoundCloud", hosts: []string{"soundcloud.com"}, kind: by(Profile)},
	{name: "WhatsApp", hosts: []string{"whatsapp.com", "wa.me"}, kind: always(Profile)},
	{name: "Kick", hosts: []string{"kick.com"}, lead: []string{"kick"}, kind: by(Profile, rule{"videos", Video}, rule{"clips", Video})},
	{name: "Rumble", hosts: []string{"rumble.com"}, kind: by(Video, rule{"c", Profile}, rule{"user", Profile})},
	{name: "Vimeo", hosts: []string{"vimeo.com"}, kind: always(Unclear)},
	{name: "Dailymotion", hosts: []string{"dailymotion.com", "dai.ly"}, kind: by(Unclear, rule{"video", Video})},
	{name: "Quora", hosts: []string{"quora.com"}, kind: by(Unclear, rule{"profile", Profile})},
	{name: "Tumblr", hosts: []string{"tumblr.com"}, kind: always(Unclear)},
	{name: "Bluesky", hosts: []string{"bsky.app"}, kind: by(Unclear, rule{"post", Post}, rule{"profile", Profile})},
}

// short hosts stand for other addresses, which only those who ask there learn.
var short = []string{"vm.tiktok.com", "vt.tiktok.com", "fb.me", "lnkd.in", "spotify.link", "vk.cc", "pin.it", "redd.it", "dai.ly", "ig.me"}

func pinterestHosts() []string {
	hosts := []string{"pin.it"}
	for _, ending := range []string{
		"at", "ca", "ch", "cl", "co.kr", "co.uk", "com", "com.au", "com.mx", "de", "dk", "es", "fr", "id", "ie", "it", "jp", "nz", "ph", "pt", "ru", "se",
	} {
		hosts = append(hosts, "pinterest."+ending)
	}
	return hosts
}

// Recognize tells of what platform an http or https address is.
func Recognize(address string) (Link, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return Link{}, false
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	for _, p := range platforms {
		for _, known := range p.hosts {
			if host == known || strings.HasSuffix(host, "."+known) {
				if slices.Contains(short, host) {
					return Link{Platform: p.name}, true
				}
				path := strings.FieldsFunc(strings.ToLower(u.Path), func(r rune) bool { return r == '/' })
				return Link{Platform: p.name, Kind: p.kind(host, path)}, true
			}
		}
	}
	return Link{}, false
}

// Named reports whether an English text (the name of a service, or of a
// category) speaks of the link's platform.
func (l Link) Named(text string) bool {
	i := slices.IndexFunc(platforms, func(p platform) bool { return p.name == l.Platform })
	words := wordsOf(text)
	if i < 0 || len(words) == 0 {
		return false
	}
	p := platforms[i]
	if slices.Contains(p.lead, words[0]) {
		return true
	}
	if len(p.lead) == 0 && slices.Contains(words, strings.ToLower(p.name)) {
		return true
	}
	return slices.ContainsFunc(p.also, func(word string) bool { return slices.Contains(words, word) })
}

// ofAccounts are words of services for accounts rather than for what they post.
var ofAccounts = []string{"followers", "subscribers", "members", "friends", "page"}

// Suits reports whether a service with this English name is likely meant for
// what the link leads to: followers for a profile, likes for a post.
func (l Link) Suits(name string) bool {
	forAccounts := slices.ContainsFunc(wordsOf(name), func(word string) bool { return slices.Contains(ofAccounts, word) })
	return l.Kind == Unclear || forAccounts == (l.Kind == Profile)
}

func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// rule says what a part of a path means, wherever it stands.
type rule struct {
	part string
	kind Kind
}

// by is for platforms where the first rule whose part the path has decides, and
// a path of one part is otherwise what alone says.
func by(alone Kind, rules ...rule) func(string, []string) Kind {
	return func(_ string, path []string) Kind {
		for _, r := range rules {
			if slices.Contains(path, r.part) {
				return r.kind
			}
		}
		if len(path) == 1 {
			return alone
		}
		return Unclear
	}
}

func always(kind Kind) func(string, []string) Kind {
	return func(_ string, path []string) Kind {
		if len(path) == 0 {
			return Unclear
		}
		return kind
	}
}

func instagram(host string, path []string) Kind {
	return by(Profile,
		rule{"p", Post}, rule{"reel", Video}, rule{"reels", Video}, rule{"tv", Video}, rule{"stories", Unclear}, rule{"explore", Unclear},
	)(host, path)
}

func tiktok(host string, path []string) Kind {
	alone := Unclear
	if len(path) > 0 && strings.HasPrefix(path[0], "@") {
		alone = Profile
	}
	return by(alone, rule{"video", Video}, rule{"live", Video}, rule{"photo", Post})(host, path)
}

func youtube(host string, path []string) Kind {
	alone := Profile
	switch {
	case strings.HasSuffix(host, "youtu.be"):
		alone = Video
	case len(path) > 1 && strings.HasPrefix(path[0], "@"):
		path = path[:1] // a page of the channel: /@name/videos
	}
	return by(alone,
		rule{"watch", Video}, rule{"shorts", Video}, rule{"live", Video}, rule{"embed", Video}, rule{"post", Post}, rule{"playlist", Unclear},
		rule{"channel", Profile}, rule{"c", Profile}, rule{"user", Profile},
	)(host, path)
}

func facebook(host string, path []string) Kind {
	alone := Profile
	if strings.HasSuffix(host, "fb.watch") {
		alone = Video
	}
	return by(alone,
		rule{"watch", Video}, rule{"reel", Video}, rule{"videos", Video}, rule{"posts", Post}, rule{"permalink.php", Post}, rule{"story.php", Post},
		rule{"photo", Post}, rule{"photo.php", Post}, rule{"photos", Post}, rule{"share", Unclear}, rule{"events", Unclear},
		rule{"groups", Profile}, rule{"people", Profile}, rule{"pages", Profile},
	)(host, path)
}

// telegram: /name/15 and /c/123/15 are posts, /name, /s/name and invitations
// are not.
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

// vk writes kind and number in one: /wall-1_2, /video-1_2, /clip-1_2.
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
