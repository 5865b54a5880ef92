package links

import "testing"

func TestMisfitOf(t *testing.T) {
	const (
		profile = "https://instagram.com/anna"
		post    = "https://www.instagram.com/p/CxYz1/"
		reel    = "https://www.instagram.com/reel/CxYz1/"
		story   = "https://instagram.com/stories/anna/1"
	)
	for _, test := range []struct {
		address, name, category string
		want                    Misfit
	}{
		{profile, "Instagram Followers", "Instagram", ""},
		{post, "Instagram Followers", "Instagram", MisfitPost},
		{reel, "Instagram Followers [USA]", "Instagram", MisfitPost},
		{profile, "Instagram Likes [Fast]", "Instagram", MisfitProfile},
		{profile, "🔥 FAST 🔥 30 days refill", "Instagram Likes", MisfitProfile},
		{post, "🔥 FAST 🔥 30 days refill", "Instagram Followers", MisfitPost},
		{profile, "Followers", "Instagram Likes", ""},
		{post, "Instagram Likes", "Instagram", ""},
		{reel, "Instagram Likes", "Instagram", ""},
		{profile, "Instagram Likes [Auto-likes for the next 10 posts]", "Instagram", ""},
		{profile, "Instagram Live Stream Views", "Instagram", ""},
		{profile, "Instagram Profile Visits", "Instagram", ""},
		{profile, "Instagram Likes + Followers", "Instagram", ""},
		{post, "Instagram Likes + Followers", "Instagram", ""},
		{story, "Instagram Likes", "Instagram", MisfitStory},
		{story, "Instagram Followers", "Instagram", MisfitStory},
		{story, "Instagram Story Views", "Instagram", ""},
		{profile, "Instagram Story Views", "Instagram", ""},
		{"https://instagram.com/explore", "Instagram Likes", "Instagram", ""},
		{profile, "TikTok Likes", "TikTok", ""}, // not for this platform: nothing is certain
		{profile, "Likes", "Social", ""},
		{"https://www.tiktok.com/@anna", "TikTok Likes [HQ Accounts, 60 Days Refill]", "TikTok", MisfitProfile},
		{"https://www.tiktok.com/@anna/video/73", "TikTok Followers", "TikTok", MisfitPost},
		{"https://vm.tiktok.com/ZMabc/", "TikTok Followers", "TikTok", ""},
		{"https://www.tiktok.com/@anna", "TikTok Live Viewers, 15 Minutes", "TikTok", ""},
		{"https://youtu.be/dQw4w9WgXcQ", "YouTube Subscribers [Organic]", "YouTube", MisfitPost},
		{"https://www.youtube.com/@anna", "YouTube Views [Ads, Non-drop]", "YouTube", MisfitProfile},
		{"https://www.youtube.com/@anna", "YouTube Channel Views", "YouTube", ""},
		{"https://www.youtube.com/results?search_query=a", "YouTube Views", "YouTube", ""},
		{"https://www.youtube.com/playlist?list=1", "YouTube Views", "YouTube", ""},
		{"https://x.com/anna", "X Likes [Japan]", "X (Twitter)", MisfitProfile},
		{"https://x.com/anna/status/1", "X Followers [USA]", "X (Twitter)", MisfitPost},
		{"https://t.me/anna/15", "Telegram Channel Members [Real, Slow]", "Telegram", MisfitPost},
		{"https://t.me/anna", "Telegram Channel Members [Real, Slow]", "Telegram", ""},
		{"https://t.me/+AbCd", "Telegram Channel Members [Real, Slow]", "Telegram", MisfitPrivate},
		{"https://t.me/joinchat/AbCd", "Telegram Post Views [1 Post]", "Telegram", MisfitPrivate},
		{"https://t.me/c/123/15", "Telegram Post Views [1 Post]", "Telegram", MisfitPrivate},
		{"https://t.me/+AbCd", "Telegram Members [Private and Public]", "Telegram", ""},
		{"https://t.me/anna/s/3", "Telegram Reactions 👍", "Telegram", MisfitStory},
		{"https://t.me/anna", "Telegram Post Views [1 Post]", "Telegram", MisfitProfile},
		{"https://t.me/anna", "Telegram Post Views [Last 5 Posts]", "Telegram", ""},
		{"https://t.me/anna", "Telegram Post Views [Future Posts]", "Telegram", ""},
		{"https://www.facebook.com/anna", "Facebook Post Reactions 👍 Like", "Facebook", MisfitProfile},
		{"https://www.facebook.com/anna", "Facebook Page Likes + Followers [Vietnam]", "Facebook", ""},
		{"https://www.facebook.com/anna", "Facebook Likes", "Facebook", ""}, // of a page, or of a post
		{"https://www.facebook.com/groups/1", "Facebook Group Members", "Facebook", ""},
		{"https://www.facebook.com/groups/1/permalink/2", "Facebook Group Members", "Facebook", MisfitPost},
		{"https://www.facebook.com/groups/1/permalink/2", "Facebook Post Likes", "Facebook", ""},
		{"https://www.facebook.com/share/p/1", "Facebook Followers", "Facebook", ""},
		{"https://www.facebook.com/stories/1/2", "Facebook Post Likes", "Facebook", MisfitStory},
		{"https://www.twitch.tv/anna", "Twitch Channel Views", "Twitch", ""}, // not covered
		{"https://example.com/a", "Website Traffic", "Traffic", ""},
		{"", "Instagram Likes", "Instagram", ""},
	} {
		if got := MisfitOf(test.address, test.name, test.category); got != test.want {
			t.Errorf("%s for %q in %q: got %q, want %q", test.address, test.name, test.category, got, test.want)
		}
	}
}
