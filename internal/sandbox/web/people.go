package web

import "hstockbot/internal/sandbox/telegram"

// The API keys of the demo.
const (
	keyRich     = "demo-key-rich-4f7a"
	keyPoor     = "demo-key-poor-9c2e"
	keyBo       = "demo-key-of-bo-83e1"
	keyOperator = "demo-key-operator-71d3"
)

// The Telegram user ids of the pretend people.
const (
	anna int64 = 7_000_001
	bo   int64 = 7_000_002
	amal int64 = 7_000_003
	olga int64 = 7_000_004 // the bot's admin (ADMIN_IDS)
)

// demoPerson is one pretend person.
type demoPerson struct {
	telegram.Person
	about    string   // shown on the page
	messages []string // sent before the demo starts
}

func demoPeople() []demoPerson {
	return []demoPerson{
		{telegram.Person{ID: anna, FirstName: "Anna", LanguageCode: "en"}, "English, new here", nil},
		{telegram.Person{ID: bo, FirstName: "Bo", LanguageCode: "zh-hans"}, "Chinese, with an API key", []string{"/start", "/key " + keyBo}},
		{telegram.Person{ID: amal, FirstName: "Amal", LanguageCode: "ar"}, "Arabic, new here", nil},
		{telegram.Person{ID: olga, FirstName: "Olga", LanguageCode: "en"}, "English, the bot’s admin", nil},
	}
}

// demoKey is an API key of the marketplace. The balance is in USD.
type demoKey struct{ key, balance, about string }

// demoKeys returns the keys in the order of the page.
func demoKeys() []demoKey {
	return []demoKey{
		{keyRich, "500.00", "plenty"},
		{keyPoor, "2.00", "almost nothing"},
		{keyBo, "50.00", "Bo has sent it to the bot"},
		{keyOperator, "1000.00", "the operator’s own (HSTOCK_API_KEY)"},
	}
}
