package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// SMSCountriesArgs is a page of the countries where phones can be rented, or, if
// Search is not 0, of the results of that search.
type SMSCountriesArgs struct {
	Search int64
	Page   uint16
}

// SMSProjectsArgs is a page of a country's projects, or, if Search is not 0, of the
// results of that search. Country is the Hash of the marketplace's code.
// CountrySearch is the search that found the country, 0 for none.
type SMSProjectsArgs struct {
	Country       route.Hash
	Search        int64
	Page          uint16
	CountrySearch int64
}

// SMSFindArgs asks for a project of a country.
type SMSFindArgs struct {
	Country       route.Hash
	CountrySearch int64
}

// SMSProjectArgs is a project and the page that it was opened from. Project is
// the Hash of the marketplace's id.
type SMSProjectArgs struct {
	Country       route.Hash
	Project       route.Hash
	Search        int64
	Page          uint16
	CountrySearch int64
}

// List returns the page that the project was opened from.
func (a SMSProjectArgs) List() SMSProjectsArgs {
	return SMSProjectsArgs{Country: a.Country, Search: a.Search, Page: a.Page, CountrySearch: a.CountrySearch}
}

// SMSQuantityArgs is a project and how many phones to rent for it.
type SMSQuantityArgs struct {
	SMSProjectArgs
	Quantity uint8
}

// Routes from the countries to the confirm card.
var (
	SMSCountries   = route.New[SMSCountriesArgs]("sc")
	SMSFindCountry = route.New[struct{}]("sf")
	SMSProjects    = route.New[SMSProjectsArgs]("sp")
	SMSFindProject = route.New[SMSFindArgs]("sg")
	SMSProject     = route.New[SMSProjectArgs]("sq")
	SMSQuantity    = route.New[SMSQuantityArgs]("sn")
)

// SMSCountriesKeyboard lists one page of countries.
func SMSCountriesKeyboard(l *locales.Localizer, args SMSCountriesArgs, countries []Item, total int) Rows {
	rows := append(grid(l, countries), Pages(args.Page, total, func(page uint16) string {
		return SMSCountries.Data(SMSCountriesArgs{Search: args.Search, Page: page})
	})...)
	rows = append(rows, []Button{Tap(l.Label("sms_button_find"), SMSFindCountry.Data(struct{}{}))})
	back := SMSApps.Data(SMSAppsArgs{})
	if args.Search != 0 {
		back = SMSCountries.Data(SMSCountriesArgs{})
	}
	return append(rows, Foot(l, back)...)
}

// SMSProjectsKeyboard lists one page of a country's projects. back is the page of
// countries that it was opened from.
func SMSProjectsKeyboard(l *locales.Localizer, args SMSProjectsArgs, projects []Item, total int, back string) Rows {
	rows := append(column(l, projects), Pages(args.Page, total, func(page uint16) string {
		args.Page = page
		return SMSProjects.Data(args)
	})...)
	find := SMSFindArgs{Country: args.Country, CountrySearch: args.CountrySearch}
	rows = append(rows, []Button{Tap(l.Label("sms_button_find"), SMSFindProject.Data(find))})
	if args.Search != 0 {
		back = SMSProjects.Data(SMSProjectsArgs{Country: args.Country, CountrySearch: args.CountrySearch})
	}
	return append(rows, Foot(l, back)...)
}

// SMSProjectKeyboard offers to rent 1 to most phones.
func SMSProjectKeyboard(l *locales.Localizer, args SMSProjectArgs, most int) Rows {
	rows := phoneQuantities(l, most, func(n uint8) string {
		return SMSQuantity.Data(SMSQuantityArgs{SMSProjectArgs: args, Quantity: n})
	})
	return append(rows, Foot(l, SMSProjects.Data(args.List()))...)
}

func phoneQuantities(l *locales.Localizer, most int, data func(n uint8) string) Rows {
	var quantities []int64
	for n := range most {
		quantities = append(quantities, int64(n+1))
	}
	return quantityRows(l, 5, quantities, func(n int64) string { return data(uint8(n)) }) //nolint:gosec // most is at most 10
}
