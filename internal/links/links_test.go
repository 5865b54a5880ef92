package links

import (
	"strings"
	"testing"
)

func TestRecognize(t *testing.T) {
	for address, want := range map[string]Link{
		"https://instagram.com/anna":                                {"Instagram", Profile},
		"https://www.instagram.com/anna/":                           {"Instagram", Profile},
		"HTTPS://WWW.INSTAGRAM.COM/P/CxYz1/?igsh=MzRl&utm_source=x": {"Instagram", Post},
		"https://instagram.com/anna/p/CxYz1/":                       {"Instagram", Post},
		"https://www.instagram.com/reel/CxYz1/":                     {"Instagram", Video},
		"https://instagram.com/stories/anna/1":                      {"Instagram", Unclear},
		"https://instagr.am/p/1":                                    {"Instagram", Post},
		"https://www.tiktok.com/@anna/video/7300?is_from_webapp=1":  {"TikTok", Video},
		"https://www.tiktok.com/@anna":                              {"TikTok", Profile},
		"https://www.tiktok.com/@anna/live":                         {"TikTok", Video},
		"https://vm.tiktok.com/ZMabc/":                              {"TikTok", Unclear},
		"https://youtu.be/dQw4w9WgXcQ?si=a":                         {"YouTube", Video},
		"https://m.youtube.com/watch?v=dQw4w9WgXcQ":                 {"YouTube", Video},
		"https://music.youtube.com/watch?v=1":                       {"YouTube", Video},
		"https://youtube.com/shorts/1":                              {"YouTube", Video},
		"https://www.youtube.com/@anna":                             {"YouTube", Profile},
		"https://www.youtube.com/@anna/videos":                      {"YouTube", Profile},
		"https://www.youtube.com/channel/UC1":                       {"YouTube", Profile},
		"https://www.youtube.com/playlist?list=1":                   {"YouTube", Unclear},
		"https://fb.watch/abc/":                                     {"Facebook", Video},
		"https://www.facebook.com/anna":                             {"Facebook", Profile},
		"https://web.facebook.com/anna/posts/1":                     {"Facebook", Post},
		"https://m.facebook.com/story.php?story_fbid=1&id=2":        {"Facebook", Post},
		"https://www.facebook.com/groups/1":                         {"Facebook", Profile},
		"https://www.facebook.com/watch/?v=1":                       {"Facebook", Video},
		"https://x.com/anna":                                        {"X", Profile},
		"https://mobile.twitter.com/anna/status/1?s=20":             {"X", Post},
		"https://t.me/anna":                                         {"Telegram", Profile},
		"https://t.me/s/anna":                                       {"Telegram", Profile},
		"https://t.me/anna/15?single=1":                             {"Telegram", Post},
		"https://t.me/c/123/15":                                     {"Telegram", Post},
		"https://t.me/c/123":                                        {"Telegram", Unclear},
		"https://t.me/+AbCd":                                        {"Telegram", Profile},
		"https://telegram.me/joinchat/AbCd":                         {"Telegram", Profile},
		"https://www.threads.net/@anna":                             {"Threads", Profile},
		"https://www.threads.com/@anna/post/1":                      {"Threads", Post},
		"https://www.linkedin.com/in/anna":                          {"LinkedIn", Profile},
		"https://de.linkedin.com/posts/anna_1":                      {"LinkedIn", Post},
		"https://open.spotify.com/track/1":                          {"Spotify", Unclear},
		"https://open.spotify.com/intl-de/artist/1":                 {"Spotify", Profile},
		"https://www.twitch.tv/anna":                                {"Twitch", Profile},
		"https://www.twitch.tv/videos/1":                            {"Twitch", Video},
		"https://vk.com/anna":                                       {"VK", Profile},
		"https://m.vk.com/wall-1_2":                                 {"VK", Post},
		"https://vk.com/clip-1_2":                                   {"VK", Video},
		"https://www.pinterest.co.uk/pin/1/":                        {"Pinterest", Post},
		"https://pin.it/abc":                                        {"Pinterest", Unclear},
		"https://www.snapchat.com/add/anna":                         {"Snapchat", Profile},
		"https://discord.gg/abc":                                    {"Discord", Profile},
		"https://old.reddit.com/r/golang/comments/1/a/":             {"Reddit", Post},
		"https://www.reddit.com/user/anna":                          {"Reddit", Profile},
		"https://soundcloud.com/anna":                               {"SoundCloud", Profile},
		"https://soundcloud.com/anna/a-track":                       {"SoundCloud", Unclear},
		"https://whatsapp.com/channel/0029":                         {"WhatsApp", Profile},
		"https://chat.whatsapp.com/AbC":                             {"WhatsApp", Profile},
		"https://kick.com/anna":                                     {"Kick", Profile},
		"https://bsky.app/profile/anna.example/post/1":              {"Bluesky", Post},
		"https://instagram.com.:443/anna":                           {"Instagram", Profile},
		"https://instagram.com":                                     {"Instagram", Unclear},
		"https://t.me":                                              {"Telegram", Unclear},
		"https://discord.com/":                                      {"Discord", Unclear},
		"https://www.instagram.com/%70/1":                           {"Instagram", Post},
		"https://xn--instagram.com/a":                               {},
		"https://instagram.com.evil.example/p/1":                    {},
		"https://notinstagram.com/p/1":                              {},
		"https://netflix.com/x":                                     {},
		"https://evil.example/?u=https://instagram.com/p/1":         {},
		"https://evil.example/instagram.com/p/1":                    {},
		"https://evil.example#instagram.com":                        {},
		"https://pinterest.evil.example/pin/1":                      {},
		"https://t.co/abc":                                          {},
		"https://%zz":                                               {},
		"":                                                          {},
	} {
		got, known := Recognize(address)
		if got != want || known != (want.Platform != "") {
			t.Errorf("%s: %+v, %v, want %+v", address, got, known, want)
		}
	}
}

func TestNamed(t *testing.T) {
	for _, test := range []struct {
		platform, text string
		want           bool
	}{
		{"Instagram", "Instagram Followers", true},
		{"Instagram", "🔥 INSTAGRAM | Likes", true},
		{"Instagram", "Instagrammer's guide", false},
		{"X", "X (Twitter)", true},
		{"X", "X Followers [USA]", true},
		{"X", "Twitter Likes", true},
		{"X", "Xbox Live Gold", false},
		{"X", "Netflix 5 x Profiles", false},
		{"Telegram", "Telegram Channel Members", true},
		{"Telegram", "TikTok Followers", false},
		{"VK", "VKontakte Friends", true},
		{"Kick", "Kick Followers", true},
		{"Kick", "Free Kick 24", false},
		{"Facebook", "FB Page Likes", true},
		{"Facebook", "", false},
		{"Myspace", "Myspace Friends", false},
	} {
		if got := (Link{Platform: test.platform}).Named(test.text); got != test.want {
			t.Errorf("%s in %q: %v, want %v", test.platform, test.text, got, test.want)
		}
	}
}

func TestSuits(t *testing.T) {
	for _, test := range []struct {
		kind                  Kind
		followers, likes, all bool
	}{{Unclear, true, true, true}, {Profile, true, false, true}, {Post, false, true, false}, {Video, false, true, false}} {
		l := Link{Platform: "Facebook", Kind: test.kind}
		if l.Suits("FB Followers [USA]") != test.followers || l.Suits("Facebook Post Likes") != test.likes || l.Suits("Facebook Page Likes + Followers") != test.all {
			t.Errorf("Suits is wrong for the kind %d", test.kind)
		}
	}
}

func TestPlatformsAreUnique(t *testing.T) {
	names, hosts := map[string]bool{}, map[string]bool{}
	for _, p := range platforms {
		if names[p.name] {
			t.Errorf("%s is listed twice", p.name)
		}
		names[p.name] = true
		for _, host := range p.hosts {
			if hosts[host] || host != strings.ToLower(host) {
				t.Errorf("%s is listed twice or has capital letters", host)
			}
			hosts[host] = true
		}
	}
}

func FuzzRecognize(f *testing.F) {
	f.Add("https://t.me/c/1")
	f.Add("https://www.youtube.com/@anna/videos")
	f.Fuzz(func(t *testing.T, address string) {
		link, known := Recognize(address)
		if known && !link.Named(link.Platform+" Followers") {
			t.Errorf("%s has the platform %s, which Named does not find in its own name", address, link.Platform)
		}
	})
}
