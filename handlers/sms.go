package handlers

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/orders"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// The screens for renting a phone, from the countries to the confirm card.

const (
	// recentCountries limits the person's own countries, which are listed first.
	recentCountries = 4
	// maxFilterLength limits what is typed to find a country or project, in characters.
	maxFilterLength = 60
)

// smsCountries lists the countries, or those that match a search. Countries in which
// the person has rented recently are first.
func (s *Screens) smsCountries(ctx context.Context, req *bot.Request, args keyboards.SMSCountriesArgs) (bot.View, error) {
	countries, fresh, query, err := s.listedCountries(ctx, req, args.Search)
	if err != nil {
		return bot.View{}, err
	}
	return s.countriesView(req.L, args, countries, fresh, query), nil
}

// countries returns all countries in the catalogue's order.
func (s *Screens) countries(ctx context.Context, req *bot.Request) ([]catalog.Country, catalog.Freshness, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return nil, catalog.Freshness{}, err
	}
	return s.Catalog.Countries(ctx, access, req.L.Lang())
}

// listedCountries returns the countries that a screen lists: those that match the
// search, or all if search is 0.
func (s *Screens) listedCountries(ctx context.Context, req *bot.Request, search int64) (countries []catalog.Country, fresh catalog.Freshness, query string, err error) {
	countries, fresh, err = s.countries(ctx, req)
	if err != nil {
		return nil, fresh, "", err
	}
	if search != 0 {
		query, err = s.DB.Search(ctx, req.User.ID, search)
		return catalog.FindCountries(countries, query), fresh, query, err
	}
	recent, err := s.DB.RentedCountries(ctx, req.User.ID, recentCountries)
	if err != nil || len(recent) == 0 {
		return countries, fresh, "", err
	}
	rank := func(c catalog.Country) int {
		if i := slices.Index(recent, c.Code); i >= 0 {
			return i
		}
		return len(recent)
	}
	sorted := slices.Clone(countries)
	slices.SortStableFunc(sorted, func(a, b catalog.Country) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted, fresh, "", nil
}

func (s *Screens) countriesView(l *locales.Localizer, args keyboards.SMSCountriesArgs, countries []catalog.Country, fresh catalog.Freshness, query string) bot.View {
	if len(countries) == 0 {
		id := "sms_countries_empty"
		if args.Search != 0 {
			id = "sms_not_found"
		}
		return bot.View{Text: l.T(id), Keyboard: keyboards.SMSCountriesKeyboard(l, args, nil, 0), Dialog: dialog(stepCountry, "")}
	}
	text := l.T("sms_countries_text")
	if args.Search != 0 {
		text = l.T("sms_found", locales.Args{"Query": l.Name(query)})
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(countries)))
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, c := range keyboards.Page(countries, int(args.Page)) {
		data := keyboards.SMSProjects.Data(keyboards.SMSProjectsArgs{Country: route.HashOf(c.Code), CountrySearch: args.Search})
		entries = append(entries, keyboards.Item{Icon: locales.Flag(c.Code), Name: c.Name, Data: data})
	}
	return bot.View{
		Text:     text + staleNote(l, fresh),
		Keyboard: keyboards.SMSCountriesKeyboard(l, args, entries, len(countries)),
		Dialog:   dialog(stepCountry, ""),
	}
}

// smsFindCountry says what can be typed to find a country.
func (s *Screens) smsFindCountry(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("sms_find_country"),
		Keyboard: keyboards.Foot(req.L, keyboards.SMSCountries.Data(keyboards.SMSCountriesArgs{})),
		Dialog:   dialog(stepCountry, ""),
	}, nil
}

// countryTyped finds countries by their name in the person's language or in English, or
// by a dialling code. A single match is opened.
func (s *Screens) countryTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	query := trimQuery(req.Text)
	countries, fresh, err := s.countries(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	found := catalog.FindCountries(countries, query)
	switch len(found) {
	case 0:
		return askAgain(req.L.T("sms_not_found"), keyboards.Foot(req.L, keyboards.SMSCountries.Data(keyboards.SMSCountriesArgs{}))), nil
	case 1:
		args := keyboards.SMSProjectsArgs{Country: route.HashOf(found[0].Code)}
		return bot.RedirectTo(keyboards.SMSProjects.Data(args)), nil
	}
	search, err := s.DB.AddSearch(ctx, req.User.ID, query)
	if err != nil {
		return bot.View{}, err
	}
	return s.countriesView(req.L, keyboards.SMSCountriesArgs{Search: search}, found, fresh, query), nil
}

// trimQuery trims what was typed to find something, and shortens it to maxFilterLength.
func trimQuery(text string) string {
	return locales.Shorten(strings.TrimSpace(text), maxFilterLength)
}

// findCountry returns the only country with this hash, or storage.ErrNotFound.
func (s *Screens) findCountry(ctx context.Context, req *bot.Request, hash route.Hash) (catalog.Country, error) {
	countries, _, err := s.countries(ctx, req)
	if err != nil {
		return catalog.Country{}, err
	}
	index, err := uniqueIndex(countries, func(c catalog.Country) bool { return route.HashOf(c.Code) == hash })
	if err != nil {
		return catalog.Country{}, err
	}
	return countries[index], nil
}

// projects returns the projects of the only country with this hash: the services for
// which its phones can receive codes.
func (s *Screens) projects(ctx context.Context, req *bot.Request, hash route.Hash) (catalog.Country, []catalog.Project, catalog.Freshness, error) {
	selected, err := s.findCountry(ctx, req, hash)
	if err != nil {
		return selected, nil, catalog.Freshness{}, err
	}
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return selected, nil, catalog.Freshness{}, err
	}
	projects, fresh, err := s.Catalog.Projects(ctx, access, req.L.Lang(), selected.Code)
	return selected, projects, fresh, err
}

// smsProjects lists the projects of a country with their prices, or those that match
// a search.
func (s *Screens) smsProjects(ctx context.Context, req *bot.Request, args keyboards.SMSProjectsArgs) (bot.View, error) {
	selected, projects, fresh, err := s.projects(ctx, req, args.Country)
	if err != nil {
		return bot.View{}, err
	}
	query := ""
	if args.Search != 0 {
		if query, err = s.DB.Search(ctx, req.User.ID, args.Search); err != nil {
			return bot.View{}, err
		}
		projects = catalog.FindProjects(projects, query)
	}
	return s.projectsView(ctx, req, args, selected, projects, fresh, query)
}

func (s *Screens) projectsView(ctx context.Context, req *bot.Request, args keyboards.SMSProjectsArgs, selected catalog.Country, projects []catalog.Project, fresh catalog.Freshness, query string) (bot.View, error) {
	l := req.L
	back, err := s.backToCountries(ctx, req, selected, args.CountrySearch)
	if err != nil {
		return bot.View{}, err
	}
	heading := locales.Args{"Country": listedCountry(l, selected)}
	if len(projects) == 0 {
		if args.Search != 0 {
			back = keyboards.SMSProjects.Data(keyboards.SMSProjectsArgs{Country: args.Country, CountrySearch: args.CountrySearch})
			return bot.View{Text: l.T("sms_not_found"), Keyboard: keyboards.Foot(l, back)}, nil
		}
		return bot.View{Text: l.T("sms_projects_empty", heading), Keyboard: keyboards.Foot(l, back)}, nil
	}
	text := l.T("sms_projects_text", heading)
	if args.Search != 0 {
		text = l.T("sms_found", locales.Args{"Query": l.Name(query)})
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(projects)))
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, project := range keyboards.Page(projects, int(args.Page)) {
		data := keyboards.SMSProject.Data(keyboards.SMSProjectArgs{
			Country: args.Country, Project: route.HashOf(project.ID), Search: args.Search, Page: args.Page, CountrySearch: args.CountrySearch,
		})
		entries = append(entries, keyboards.Item{Name: project.Name, Rest: " · " + l.Money(project.Price, project.Currency), Data: data})
	}
	return bot.View{
		Text:     text + staleNote(l, fresh),
		Keyboard: keyboards.SMSProjectsKeyboard(l, args, entries, len(projects), back),
		Dialog:   dialog(stepProject, keyboards.SMSFindProject.Data(keyboards.SMSFindArgs{Country: args.Country, CountrySearch: args.CountrySearch})),
	}, nil
}

// backToCountries returns the callback data of the page that lists a country. via is
// the search that found it, 0 for none.
func (s *Screens) backToCountries(ctx context.Context, req *bot.Request, selected catalog.Country, via int64) (string, error) {
	countries, _, _, err := s.listedCountries(ctx, req, via)
	if err != nil {
		return "", err
	}
	index := slices.IndexFunc(countries, func(c catalog.Country) bool { return c.Code == selected.Code })
	return keyboards.SMSCountries.Data(keyboards.SMSCountriesArgs{Search: via, Page: pageOf(max(index, 0))}), nil
}

// listedCountry returns the marketplace's name of a country, with its flag.
func listedCountry(l *locales.Localizer, c catalog.Country) string {
	return withFlag(c.Code, l.Name(locales.Shorten(c.Name, wordLength)))
}

// smsFindProject says what can be typed to find a project.
func (s *Screens) smsFindProject(ctx context.Context, req *bot.Request, args keyboards.SMSFindArgs) (bot.View, error) {
	selected, err := s.findCountry(ctx, req, args.Country)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("sms_find_project", locales.Args{"Country": listedCountry(req.L, selected)}),
		Keyboard: keyboards.Foot(req.L, keyboards.SMSProjects.Data(keyboards.SMSProjectsArgs{Country: args.Country, CountrySearch: args.CountrySearch})),
		Dialog:   dialog(stepProject, keyboards.SMSFindProject.Data(args)),
	}, nil
}

// projectTyped finds projects of the country that is open. A single match is opened.
func (s *Screens) projectTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	asked, err := parse(keyboards.SMSFindProject, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	selected, projects, fresh, err := s.projects(ctx, req, asked.Country)
	if err != nil {
		return bot.View{}, err
	}
	args := keyboards.SMSProjectsArgs{Country: asked.Country, CountrySearch: asked.CountrySearch}
	query := trimQuery(req.Text)
	found := catalog.FindProjects(projects, query)
	switch len(found) {
	case 0:
		return askAgain(req.L.T("sms_not_found"), keyboards.Foot(req.L, keyboards.SMSProjects.Data(args))), nil
	case 1:
		one := keyboards.SMSProjectArgs{Country: asked.Country, Project: route.HashOf(found[0].ID), CountrySearch: asked.CountrySearch}
		return bot.RedirectTo(keyboards.SMSProject.Data(one)), nil
	}
	if args.Search, err = s.DB.AddSearch(ctx, req.User.ID, query); err != nil {
		return bot.View{}, err
	}
	return s.projectsView(ctx, req, args, selected, found, fresh, query)
}

// findProject returns the only project with this hash in a country, or
// orders.ErrDelisted.
func (s *Screens) findProject(ctx context.Context, req *bot.Request, country, project route.Hash) (catalog.Country, catalog.Project, catalog.Freshness, error) {
	selected, projects, fresh, err := s.projects(ctx, req, country)
	if err != nil {
		return selected, catalog.Project{}, fresh, err
	}
	index, err := uniqueIndex(projects, func(p catalog.Project) bool { return route.HashOf(p.ID) == project })
	if err != nil {
		return selected, catalog.Project{}, fresh, orders.ErrDelisted
	}
	return selected, projects[index], fresh, nil
}

// smsProject shows the price of a phone and asks how many to rent.
func (s *Screens) smsProject(ctx context.Context, req *bot.Request, args keyboards.SMSProjectArgs) (bot.View, error) {
	selected, project, fresh, err := s.findProject(ctx, req, args.Country, args.Project)
	if err != nil {
		return bot.View{}, err
	}
	return s.projectView(ctx, req, selected, project, fresh, keyboards.SMSProjectKeyboard(req.L, args, orders.MaxRentals)), nil
}

func (s *Screens) projectView(ctx context.Context, req *bot.Request, selected catalog.Country, project catalog.Project, fresh catalog.Freshness, keyboard keyboards.Rows) bot.View {
	return bot.View{
		Text: req.L.T("sms_project_text", locales.Args{
			"Project": title(req.L, project.Name), "Country": listedCountry(req.L, selected), "Price": req.L.Money(project.Price, project.Currency),
		}) + staleNote(req.L, fresh) + s.maintenanceNote(ctx, req.L),
		Keyboard: keyboard,
	}
}

// smsQuantity draws the confirm card.
func (s *Screens) smsQuantity(ctx context.Context, req *bot.Request, args keyboards.SMSQuantityArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	selected, project, _, err := s.findProject(ctx, req, args.Country, args.Project)
	if err != nil {
		return bot.View{}, err
	}
	return s.draftRental(ctx, req, project, orders.Intent{
		Rental:   storage.Rental{Project: project.ID, Country: selected.Code, CountryName: selected.Name},
		Quantity: int64(args.Quantity), Origin: keyboards.SMSProject.Data(args.SMSProjectArgs),
	})
}
