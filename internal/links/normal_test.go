package links

import "testing"

func TestNormal(t *testing.T) {
	for name, addresses := range map[string][]string{
		"instagram.com/anna": {
			"https://instagram.com/anna", "http://www.instagram.com/anna/", "HTTPS://WWW.Instagram.com/Anna", "instagram.com/anna?igsh=MzRl&utm_source=qr",
			"https://m.instagram.com//anna#top", "https://instagram.com.:443/anna", "https://instagr.am/anna", " https://instagram.com/anna\n",
		},
		"instagram.com/p/CxYz1":           {"https://www.instagram.com/p/CxYz1/?img_index=2", "https://instagram.com/p/CxYz1"},
		"youtube.com/watch?v=dQw4w9WgXcQ": {"https://youtu.be/dQw4w9WgXcQ?si=a", "https://m.youtube.com/watch?list=1&v=dQw4w9WgXcQ&t=4", "https://music.youtube.com/watch?v=dQw4w9WgXcQ", "https://www.youtube.com/shorts/dQw4w9WgXcQ"},
		"youtube.com/watch?v=other":       {"https://www.youtube.com/watch?v=other"},
		"youtube.com/playlist?list=PL1":   {"https://www.youtube.com/playlist?list=PL1&si=x"},
		"youtube.com/@anna":               {"https://www.youtube.com/@Anna?sub_confirmation=1"},
		"tiktok.com/@anna":                {"https://www.tiktok.com/@anna?lang=de"},
		"x.com/anna/status/1":             {"https://mobile.twitter.com/anna/status/1?s=20", "https://x.com/anna/status/1"},
		"t.me/anna/15":                    {"https://t.me/anna/15?single", "https://telegram.me/anna/15"},
		"facebook.com/profile.php?id=7":   {"https://www.facebook.com/profile.php?id=7&mibextid=x", "https://m.facebook.com/profile.php?id=7"},
		"facebook.com/profile.php?id=8":   {"https://www.facebook.com/profile.php?id=8"},
		"shop.example/item?id=7&size=XL":  {"https://www.shop.example/item/?size=XL&id=7&utm_campaign=a"},
		"shop.example/Item":               {"https://Shop.Example/Item"},
		"shop.example/item":               {"https://shop.example/item"},
		"shop.example:8080/item":          {"https://shop.example:8080/item"},
		"www.com/a":                       {"https://www.com/a"},
		"m.me/anna":                       {"https://m.me/anna"},
		"":                                {"", "https://", "///", "#a", "?a"},
	} {
		for _, address := range addresses {
			if got := Normal(address); got != name {
				t.Errorf("%q: got %q, want %q", address, got, name)
			}
		}
	}
}

// FuzzNormal: it ends for any text, and is idempotent.
func FuzzNormal(f *testing.F) {
	for _, address := range []string{
		"https://www.youtube.com/watch?v=a%20b&t=1", "https://youtu.be/%2f", "http://m.www.mobile.x.com.:80:443/A?utm_x=1", "https://https://x.com//a?b?c#d#e",
		"\xff/\xfe?%zz;=&=", "İ.example/İ", "https://facebook.com/PROFILE.php?id=1&id=2", "www.m.youtube.com/V/a?v=b",
	} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		normal := Normal(address)
		if again := Normal(normal); again != normal {
			t.Errorf("%q becomes %q, and that %q", address, normal, again)
		}
		MisfitOf(address, "Instagram Likes", "TikTok")
	})
}

func TestProfileOf(t *testing.T) {
	for _, test := range []struct {
		typed string
		texts []string
		want  string
	}{
		{"@anna.b_1-c", []string{"Instagram Followers", "Instagram"}, "https://instagram.com/anna.b_1-c"},
		{"@anna", []string{"Followers [Fast]", "TikTok Followers"}, "https://tiktok.com/@anna"},
		{"@anna", []string{"YouTube Subscribers"}, "https://youtube.com/@anna"},
		{"@anna", []string{"X Followers", "X (Twitter)"}, "https://x.com/anna"},
		{"@anna", []string{"Telegram Members"}, "https://t.me/anna"},
		{"@anna", []string{"FB Page Followers"}, "https://facebook.com/anna"},
		{"@anna", []string{"Instagram and TikTok Followers", "Instagram"}, ""},
		{"@anna", []string{"Spotify Followers"}, ""},
		{"@anna", nil, ""},
		{"anna", []string{"Instagram"}, ""},
		{"@", []string{"Instagram"}, ""},
		{"@anna/../p", []string{"Instagram"}, ""},
		{"@анна", []string{"Instagram"}, ""},
		{"@@anna", []string{"Instagram"}, ""},
	} {
		got, ok := ProfileOf(test.typed, test.texts...)
		if ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%s for %q: got %q, %v, want %q", test.typed, test.texts, got, ok, test.want)
		}
	}
}
