package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// SMSAppsArgs is a page of the websites and apps that send codes, or, if Search is not 0,
// of the results of that search.
type SMSAppsArgs struct {
	Search int64
	Page   uint16
}

// SMSAppArgs is a page of the countries of an app. App is the Hash of its key, Search the
// search that found it, 0 for none.
type SMSAppArgs struct {
	App       route.Hash
	Search    int64
	Page      uint16
	BySuccess bool // sorted by how often the code came, else by price
}

// OfferSource is the list that an offer was opened from.
type OfferSource uint8

// The lists. Another value counts as the first.
const (
	FromPrices OfferSource = iota
	FromSuccess
	FromSavedNumbers
)

// SMSOfferArgs is a project in a country, by the Hashes of the marketplace's id and code.
// Search is that of SMSAppArgs.
type SMSOfferArgs struct {
	Country route.Hash
	Project route.Hash
	Search  int64
	From    OfferSource
}

// SMSOfferQuantityArgs is an offer and how many phones to rent.
type SMSOfferQuantityArgs struct {
	SMSOfferArgs
	Quantity uint8
}

// Routes from the apps to the confirm card, and those that save an offer and draw it
// again.
var (
	SMSApps          = route.New[SMSAppsArgs]("sa")
	SMSFindApp       = route.New[struct{}]("sb")
	SMSApp           = route.New[SMSAppArgs]("sd")
	SMSOffer         = route.New[SMSOfferArgs]("so")
	SMSOfferQuantity = route.New[SMSOfferQuantityArgs]("st")
	SMSSave          = route.New[SMSOfferArgs]("sv")
	SMSUnsave        = route.New[SMSOfferArgs]("su")
)

// SMSAppsKeyboard lists the saved offers and one page of apps. With more, the list is not
// complete yet.
func SMSAppsKeyboard(l *locales.Localizer, args SMSAppsArgs, saved, apps []Item, total int, more bool) Rows {
	rows := append(grid(l, saved), grid(l, apps)...)
	rows = append(rows, Pages(args.Page, total, func(page uint16) string {
		return SMSApps.Data(SMSAppsArgs{Search: args.Search, Page: page})
	})...)
	if more {
		rows = append(rows, []Button{Tap(l.Label("nav_button_refresh"), SMSApps.Data(args))})
	}
	rows = append(rows, []Button{
		Tap(l.Label("sms_button_find"), SMSFindApp.Data(struct{}{})),
		Tap(l.Label("sms_button_countries"), SMSCountries.Data(SMSCountriesArgs{})),
	})
	back := ""
	if args.Search != 0 {
		back = SMSApps.Data(SMSAppsArgs{})
	}
	return append(rows, Foot(l, back)...)
}

// SMSAppKeyboard lists one page of the countries of an app. back is the page of apps that
// it was opened from.
func SMSAppKeyboard(l *locales.Localizer, args SMSAppArgs, offers []Item, total int, more bool, back string) Rows {
	rows := append(column(l, offers), Pages(args.Page, total, func(page uint16) string {
		args.Page = page
		return SMSApp.Data(args)
	})...)
	if more {
		rows = append(rows, []Button{Tap(l.Label("nav_button_refresh"), SMSApp.Data(args))})
	}
	if total > 1 {
		label := "sms_button_success"
		if args.BySuccess {
			label = "sms_button_price"
		}
		rows = append(rows, []Button{Tap(l.Label(label), SMSApp.Data(SMSAppArgs{App: args.App, Search: args.Search, BySuccess: !args.BySuccess}))})
	}
	return append(rows, Foot(l, back)...)
}

// SMSOfferKeyboard offers to rent 1 to most phones, and to save the offer.
func SMSOfferKeyboard(l *locales.Localizer, args SMSOfferArgs, saved bool, most int, back string) Rows {
	rows := phoneQuantities(l, most, func(n uint8) string {
		return SMSOfferQuantity.Data(SMSOfferQuantityArgs{SMSOfferArgs: args, Quantity: n})
	})
	save := Tap(l.Label("product_button_save"), SMSSave.Data(args))
	if saved {
		save = Tap(l.Label("product_button_saved"), SMSUnsave.Data(args))
	}
	return append(append(rows, []Button{save}), Foot(l, back)...)
}
