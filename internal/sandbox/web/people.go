package web

import (
	"strconv"

	"hstockbot/internal/sandbox/telegram"
)

// The money of the demo.
const (
	keyRich     = "demo-key-rich-4f7a"
	keyPoor     = "demo-key-poor-9c2e"
	keyBo       = "demo-key-of-bo-83e1"
	keyOperator = "demo-key-operator-71d3"
)

// Who there is. The numbers are Telegram's ids of people.
const (
	anna int64 = 7_000_001
	bo   int64 = 7_000_002
	amal int64 = 7_000_003
	olga int64 = 7_000_004 // is the bot's admin (ADMIN_IDS)
)

// resident is one pretend person.
type resident struct {
	telegram.Person
	about string   // their state, for the page
	types []string // what they have typed when the demo begins
}

func residents() []resident {
	return []resident{
		{telegram.Person{ID: anna, FirstName: "Anna", LanguageCode: "en"}, "English, new here", nil},
		{telegram.Person{ID: bo, FirstName: "Bo", LanguageCode: "zh-hans"}, "Chinese, with an API key", []string{"/start", "/key " + keyBo}},
		{telegram.Person{ID: amal, FirstName: "Amal", LanguageCode: "ar"}, "Arabic, new here", nil},
		{telegram.Person{ID: olga, FirstName: "Olga", LanguageCode: "en"}, "English, the bot’s admin", nil},
	}
}

// admins is the value of ADMIN_IDS.
func admins() string { return strconv.FormatInt(olga, 10) }

// purse is an API key of the marketplace.
type purse struct{ key, balance, about string }

// purses are those there are, in the order of the page.
func purses() []purse {
	return []purse{
		{keyRich, "500.00", "plenty"},
		{keyPoor, "2.00", "hardly anything"},
		{keyBo, "50.00", "Bo has given it to the bot"},
		{keyOperator, "1000.00", "the operator’s own (HSTOCK_API_KEY)"},
	}
}
