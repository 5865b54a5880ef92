package search

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// documentsOf returns a document for each local name, English name and description.
func documentsOf(items ...[3]string) []Document {
	documents := make([]Document, len(items))
	for i, item := range items {
		documents[i] = Document{Names: item[:2], Texts: item[2:]}
	}
	return documents
}

// TestSearch checks the English names of the results and their order.
func TestSearch(t *testing.T) {
	documents := documentsOf(
		[3]string{"谷歌邮箱账号 - 美国", "Gmail Account - USA", "带辅助邮箱的账号"},
		[3]string{"Outlook 账号", "Outlook Account", "like Gmail, for less"},
		[3]string{"Instagram 粉丝", "Instagram Followers", ""},
		[3]string{"脸书账号", "Facebook Account 2019", "aged, with a phone"},
		[3]string{"加拿大代理", "Proxies (Canada)", "50GB of traffic"},
		[3]string{"Tarjeta Netflix – Perú", "Gift Card Netflix", "streaming"},
		[3]string{"ChatGPT 会员", "ChatGPT Plus", "one month"},
		[3]string{"账号 Gmail", "Gmail", "plain"},
		[3]string{"ＶＰＮ　１２个月", "VPN 12 Months", "Wireguard & OpenVPN"},
		[3]string{"アカウント Spotify", "Spotify", "계정 프리미엄"},
		[3]string{"Stream", "Stream", ""},
		[3]string{"Steam", "Steam", ""},
	)
	for _, tt := range []struct {
		query string
		want  []string
	}{
		// Exact: names before texts, short names first.
		{"gmail", []string{"Gmail", "Gmail Account - USA", "Outlook Account"}},
		{"GMAIL usa", []string{"Gmail Account - USA"}},
		{"usa gmail", []string{"Gmail Account - USA"}},
		{"account gmail", []string{"Gmail Account - USA", "Outlook Account"}},
		{"gmail facebook", nil},
		{"gmail gmail", []string{"Gmail", "Gmail Account - USA", "Outlook Account"}},
		// Prefix.
		{"insta foll", []string{"Instagram Followers"}},
		{"g", []string{"Gmail", "Gmail Account - USA", "Gift Card Netflix", "Outlook Account"}},
		{"ste", []string{"Steam"}},
		// One edit: a letter replaced, inserted, deleted, swapped.
		{"gmaul", []string{"Gmail", "Gmail Account - USA", "Outlook Account"}},
		{"gmaill", []string{"Gmail", "Gmail Account - USA", "Outlook Account"}},
		{"gail", []string{"Gmail", "Gmail Account - USA", "Outlook Account"}},
		{"gmial", []string{"Gmail", "Gmail Account - USA", "Outlook Account"}},
		{"nteflix", []string{"Gift Card Netflix"}},
		{"instagarm folowers", []string{"Instagram Followers"}},
		{"isntagramm", []string{"Instagram Followers"}}, // two edits
		{"isntagramm x", nil}, // no match for x
		{"fcebok", nil},       // two edits in six letters
		{"faceboko", []string{"Facebook Account 2019"}}, // one edit in eight letters
		{"gml", nil},                           // no edits in three letters
		{"steam", []string{"Steam", "Stream"}}, // exact before fuzzy
		{"stream", []string{"Stream", "Gift Card Netflix", "Steam"}},
		{"2018", nil}, // a different number is no typo
		{"2019", []string{"Facebook Account 2019"}},
		{"50gb", []string{"Proxies (Canada)"}},
		// Prefix with one edit.
		{"instga", []string{"Instagram Followers"}},
		{"spotfi", []string{"Spotify"}},
		{"spofi", nil}, // too short
		// Substring.
		{"gpt", []string{"ChatGPT Plus"}},
		{"chat gpt", []string{"ChatGPT Plus"}},
		{"face book", []string{"Facebook Account 2019"}},
		// Accents, full width, case.
		{"PERU netflix", []string{"Gift Card Netflix"}},
		{"ｎｅｔｆｌｉｘ", []string{"Gift Card Netflix"}},
		{"vpn １２", []string{"VPN 12 Months"}},
		// Chinese, Japanese, Korean: bigrams and single characters.
		{"粉丝", []string{"Instagram Followers"}},
		{"粉", []string{"Instagram Followers"}},
		{"丝", []string{"Instagram Followers"}},
		{"账号", []string{"Facebook Account 2019", "Gmail", "Gmail Account - USA", "Outlook Account"}},
		{"gmail账号", []string{"Gmail Account - USA", "Gmail", "Outlook Account"}},
		{"美国谷歌邮箱", []string{"Gmail Account - USA"}}, // two words that are apart in the name
		{"拿大", []string{"Proxies (Canada)"}},
		{"加拿", []string{"Proxies (Canada)"}},
		{"加大", nil},
		{"加拿号", nil},
		{"辅助", []string{"Gmail Account - USA"}},
		{"カウ", []string{"Spotify"}},
		{"ｱｶｳﾝﾄ", []string{"Spotify"}},
		{"계정", []string{"Spotify"}},
		// Both languages in one query.
		{"谷歌 usa", []string{"Gmail Account - USA"}},
		{"", nil},
		{" -&🎉 ", nil},
		{"xyzzy", nil},
	} {
		var got []string
		for _, i := range NewIndex(documents).Search(tt.query) {
			got = append(got, documents[i].Names[1])
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("Search(%q) (-want +got):\n%s", tt.query, diff)
		}
	}
}

// TestCommonWordsAreNotFuzzy checks that only rare words match with typos or as
// substrings.
func TestCommonWordsAreNotFuzzy(t *testing.T) {
	similar := []Document{{Names: []string{"Stream"}}, {Names: []string{"Downsteam"}}}
	for n, want := range map[int]int{commonWord - 1: commonWord + 1, commonWord: commonWord} {
		documents := slices.Concat(similar, slices.Repeat([]Document{{Names: []string{"Steam"}}}, n))
		found := NewIndex(documents).Search("steam")
		if len(found) != want || found[0] != len(similar) {
			t.Errorf("%d exact documents: found %v", n, found)
		}
	}
}

// TestFuzzyMatcher compares the matcher with the plain distance of each word.
func TestFuzzyMatcher(t *testing.T) {
	letter := rapid.SampledFrom([]rune("abcé"))
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringOfN(letter, 1, 12, -1), 1, 30).Draw(t, "words")
		typed := []rune(rapid.StringOfN(letter, 1, 10, -1).Draw(t, "typed"))
		maxEdits := rapid.IntRange(1, 2).Draw(t, "maxEdits")
		prefix := rapid.Bool().Draw(t, "prefix")
		b := builder{words: map[string]uint32{}, lengths: make([]uint8, 1)}
		for _, word := range words {
			b.add(b.words, word, 0)
		}
		x := b.index()
		want, got := map[string]int{}, map[string]int{}
		for _, word := range words {
			edits := editDistance([]rune(word), typed)
			for end := range []rune(word) {
				if prefix {
					edits = min(edits, editDistance([]rune(word)[:end], typed))
				}
			}
			if edits <= maxEdits {
				want[word] = edits
			}
		}
		newFuzzyMatcher(typed, maxEdits).match(x, prefix, func(word int, edits uint8) { got[x.terms[word]] = int(edits) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q with %d edits (-want +got):\n%s", string(typed), maxEdits, diff)
		}
	})
}

// editDistance is the optimal string alignment distance, by its definition.
func editDistance(a, b []rune) int {
	switch {
	case len(a) == 0:
		return len(b)
	case len(b) == 0:
		return len(a)
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j-1], rows[i-1][j], rows[i][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// TestIndexFindsEveryName checks that every document is found by each of its
// names and texts, and that results are unique and in range.
func TestIndexFindsEveryName(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("ab 谷歌邮箱한국ーé"))))
	rapid.Check(t, func(t *rapid.T) {
		documents := make([]Document, rapid.IntRange(1, 30).Draw(t, "documents"))
		for i := range documents {
			documents[i] = Document{Names: rapid.SliceOfN(text, 0, 3).Draw(t, "names"), Texts: rapid.SliceOfN(text, 0, 2).Draw(t, "texts")}
		}
		x := NewIndex(documents)
		for i, d := range documents {
			for _, name := range slices.Concat(d.Names, d.Texts) {
				found := x.Search(name)
				if Fold(name) != "" && !slices.Contains(found, i) {
					t.Errorf("Search(%q) = %v, lacks %d", name, found, i)
				}
				slices.Sort(found)
				if len(slices.Compact(found)) != len(found) || len(found) > len(documents) {
					t.Errorf("Search(%q) = %v", name, found)
				}
			}
		}
	})
}

// TestLongCJKQuery checks that characters after the first 32 of a run are ignored.
func TestLongCJKQuery(t *testing.T) {
	long := strings.Repeat("谷歌邮箱账号", 20)
	x := NewIndex([]Document{{Names: []string{long}}, {Names: []string{"谷歌"}}})
	if found := x.Search(long); !slices.Equal(found, []int{0}) {
		t.Errorf("got %v", found)
	}
}

// generateDocuments returns n documents like those of the marketplace: names and
// descriptions in two languages, with a realistic distribution of words.
func generateDocuments(n int) []Document {
	random := rand.New(rand.NewPCG(1, 2))
	brands := strings.Fields("Gmail Outlook Instagram Telegram TikTok YouTube Facebook Netflix Spotify Steam ChatGPT Discord Twitter Reddit LinkedIn Snapchat Amazon PayPal WhatsApp Hotmail")
	kinds := [][2]string{{"Account", "账号"}, {"Followers", "粉丝"}, {"Likes", "点赞"}, {"Gift Card", "礼品卡"}, {"Subscription", "订阅"}, {"Premium Upgrade", "高级会员升级"}, {"Views", "播放量"}, {"Proxy", "代理"}}
	countries := [][2]string{{"USA", "美国"}, {"Germany", "德国"}, {"Brazil", "巴西"}, {"India", "印度"}, {"Vietnam", "越南"}, {"Côte d’Ivoire", "科特迪瓦"}, {"Türkiye", "土耳其"}, {"Mixed IP", "混合 IP"}}
	words := make([]string, 4000)
	for i := range words {
		for range 3 + random.IntN(8) {
			words[i] += string(rune('a' + random.IntN(26)))
		}
	}
	zipf := rand.NewZipf(random, 1.2, 4, uint64(len(words)-1))
	documents := make([]Document, n)
	for i := range documents {
		brand, kind, country := brands[random.IntN(len(brands))], kinds[random.IntN(len(kinds))], countries[random.IntN(len(countries))]
		detail := fmt.Sprintf("%d-%d", 2005+random.IntN(20), random.IntN(n))
		var english, chinese strings.Builder
		for range 25 {
			word := zipf.Uint64()
			english.WriteString(words[word] + " ")
			chinese.WriteString(string([]rune{rune(0x4E00 + word%1500), rune(0x5E00 + word%1300)}))
		}
		documents[i] = Document{
			Names: []string{brand + " " + kind[1] + " - " + country[1] + " " + detail, brand + " " + kind[0] + " - " + country[0] + " " + detail},
			Texts: []string{chinese.String(), english.String() + brand},
		}
	}
	return documents
}

const benchmarkSize = 50_000

func BenchmarkNewIndex(b *testing.B) {
	documents := generateDocuments(benchmarkSize)
	b.ReportAllocs()
	for b.Loop() {
		NewIndex(documents)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := NewIndex(documents)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(documents)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/benchmarkSize, "held-B/row")
	b.ReportMetric(float64(len(x.terms)), "terms")
	b.ReportMetric(float64(len(x.postings))/benchmarkSize, "postings/row")
}

func BenchmarkSearch(b *testing.B) {
	x := NewIndex(generateDocuments(benchmarkSize))
	for _, query := range []string{
		"gmail", "gmail account usa", "instagarm folowers brasil", "premiun spotifi", "xyzzyxyzzy", "礼品卡", "德国账号", "卡", "g", "a b c d e f g h i j",
		"ﾀ", strings.Repeat("x", 100), strings.Repeat("账号礼品卡", 20),
	} {
		name := []rune(query)
		b.Run(string(name[:min(len(name), 30)]), func(b *testing.B) {
			b.ReportAllocs()
			found := 0
			for b.Loop() {
				found = len(x.Search(query))
			}
			b.ReportMetric(float64(found), "found")
		})
	}
}
