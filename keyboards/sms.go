package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// SMSCountriesArgs is a page of the countries that numbers are rented in; with
// Found of those that a search of the person's has found.
type SMSCountriesArgs struct {
	Search int64
	Page   uint16
}

// SMSProjectsArgs is a page of a country's projects; with Found of those that a
// search has found. Via is the search that the country was found by. Country is
// the Hash of the marketplace's code.
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

// SMSQuantityArgs is a project and how many numbers for it.
type SMSQuantityArgs struct {
	Country       route.Hash
	Project       route.Hash
	Search        int64
	Page          uint16
	CountrySearch int64
	Quantity      uint8
}

// ProjectArgs returns the part that names the project.
func (a SMSQuantityArgs) ProjectArgs() SMSProjectArgs {
	return SMSProjectArgs{Country: a.Country, Project: a.Project, Search: a.Search, Page: a.Page, CountrySearch: a.CountrySearch}
}

// Routes from the countries to the confirm card of numbers.
var (
	SMSCountries   = route.New[SMSCountriesArgs]("sc")
	SMSFindCountry = route.New[struct{}]("sf")
	SMSProjects    = route.New[SMSProjectsArgs]("sp")
	SMSFindProject = route.New[SMSFindArgs]("sg")
	SMSProject     = route.New[SMSProjectArgs]("sq")
	SMSQuantity    = route.New[SMSQuantityArgs]("sn")
)

// CountryEntry is a country as a button shows it.
type CountryEntry struct {
	Hash route.Hash
	Flag string // "" where the code is none that has one
	Name string
}

func (e CountryEntry) label(l *locales.Localizer) string {
	if e.Flag == "" {
		return fit(l, e.Name, "", TwoColumns)
	}
	return e.Flag + " " + fit(l, e.Name, "", TwoColumns-3)
}

// SMSCountriesKeyboard lists one page of countries.
func SMSCountriesKeyboard(l *locales.Localizer, args SMSCountriesArgs, entries []CountryEntry, total int) Rows {
	buttons := make([]Button, 0, len(entries))
	for _, entry := range entries {
		buttons = append(buttons, Tap(entry.label(l), SMSProjects.Data(SMSProjectsArgs{Country: entry.Hash, CountrySearch: args.Search})))
	}
	rows := append(pairs(buttons), Pages(int(args.Page), total, func(page int) string {
		return SMSCountries.Data(SMSCountriesArgs{Search: args.Search, Page: PageArg(page)})
	})...)
	rows = append(rows, []Button{Tap(l.Label("sms_button_find"), SMSFindCountry.Data(struct{}{}))})
	back := ""
	if args.Search != 0 {
		back = SMSCountries.Data(SMSCountriesArgs{})
	}
	return append(rows, Foot(l, back)...)
}

// ProjectEntry is a project as a button shows it.
type ProjectEntry struct {
	Hash  route.Hash
	Name  string
	Price string
}

// SMSProjectsKeyboard lists one page of a country's projects. back is the page
// of countries that it was opened from.
func SMSProjectsKeyboard(l *locales.Localizer, args SMSProjectsArgs, entries []ProjectEntry, total int, back string) Rows {
	var rows Rows
	for _, entry := range entries {
		rows = append(rows, []Button{Tap(fit(l, entry.Name, " · "+entry.Price, OneColumn), SMSProject.Data(SMSProjectArgs{
			Country: args.Country, Project: entry.Hash, Search: args.Search, Page: args.Page, CountrySearch: args.CountrySearch,
		}))})
	}
	rows = append(rows, Pages(int(args.Page), total, func(page int) string {
		args.Page = PageArg(page)
		return SMSProjects.Data(args)
	})...)
	rows = append(rows, []Button{Tap(l.Label("sms_button_find"), SMSFindProject.Data(SMSFindArgs{Country: args.Country, CountrySearch: args.CountrySearch}))})
	if args.Search != 0 {
		back = SMSProjects.Data(SMSProjectsArgs{Country: args.Country, CountrySearch: args.CountrySearch})
	}
	return append(rows, Foot(l, back)...)
}

// SMSProjectKeyboard offers from 1 to most numbers.
func SMSProjectKeyboard(l *locales.Localizer, args SMSProjectArgs, most int) Rows {
	const perRow = 5
	var rows Rows
	for n := 1; n <= most; n++ {
		if (n-1)%perRow == 0 {
			rows = append(rows, nil)
		}
		last := len(rows) - 1
		rows[last] = append(rows[last], Tap(l.Number(int64(n)), SMSQuantity.Data(SMSQuantityArgs{
			Country: args.Country, Project: args.Project, Search: args.Search, Page: args.Page, CountrySearch: args.CountrySearch, Quantity: uint8(n),
		})))
	}
	return append(rows, Foot(l, SMSProjects.Data(args.List()))...)
}
