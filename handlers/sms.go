package handlers

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// From the countries to the confirm card of numbers for SMS codes.

const (
	// recentCountries is how many of a person's own stand first.
	recentCountries = 4
	// queryLength is how much of what is typed to find something counts, in characters.
	queryLength = 60
)

func (s *Screens) smsCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	var args keyboards.SMSCountriesArgs
	return bot.RedirectTo(keyboards.SMSCountries.Data(args)), nil
}

// smsCountries lists the countries, those that the person rented in lately
// first, or what a search of theirs has found. What is typed there is searched for.
func (s *Screens) smsCountries(ctx context.Context, req *bot.Request, args keyboards.SMSCountriesArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	countries, fresh, query, err := s.countriesOf(ctx, req, key, args.Search)
	if err != nil {
		return bot.View{}, err
	}
	return s.countriesView(req.L, args, countries, fresh, query), nil
}

// countriesOf returns the countries of a list, or those that a search finds now.
func (s *Screens) countriesOf(ctx context.Context, req *bot.Request, key redact.Secret, found int64) (countries []catalog.Country, fresh catalog.Freshness, query string, err error) {
	countries, fresh, err = s.Catalog.Countries(ctx, key, req.L.Lang())
	if err != nil {
		return nil, fresh, "", err
	}
	if found != 0 {
		query, err = s.DB.Search(ctx, req.User.ID, found)
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
	items := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, c := range keyboards.Page(countries, int(args.Page)) {
		data := keyboards.SMSProjects.Data(keyboards.SMSProjectsArgs{Country: route.HashOf(c.Code), CountrySearch: args.Search})
		items = append(items, keyboards.Item{Icon: locales.Flag(c.Code), Name: c.Name, Data: data})
	}
	return bot.View{
		Text:     text + staleNote(l, fresh),
		Keyboard: keyboards.SMSCountriesKeyboard(l, args, items, len(countries)),
		Dialog:   dialog(stepCountry, ""),
	}
}

// smsFindCountry says what can be typed.
func (s *Screens) smsFindCountry(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("sms_find_country"),
		Keyboard: keyboards.Foot(req.L, keyboards.SMSCountries.Data(keyboards.SMSCountriesArgs{})),
		Dialog:   dialog(stepCountry, ""),
	}, nil
}

// countryTyped finds countries by a name in the person's language or in English,
// or by a dialling code. A single one opens at once.
func (s *Screens) countryTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	query := typedQuery(req.Text)
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	countries, fresh, err := s.Catalog.Countries(ctx, key, req.L.Lang())
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

// typedQuery is what was typed to find something, as much of it as counts.
func typedQuery(text string) string {
	return shorten(strings.TrimSpace(text), queryLength)
}

// findCountry resolves the Hash of a code. One that is gone, or shared by two,
// is out of date.
func (s *Screens) findCountry(ctx context.Context, req *bot.Request, key redact.Secret, hash route.Hash) (catalog.Country, error) {
	countries, _, err := s.Catalog.Countries(ctx, key, req.L.Lang())
	if err != nil {
		return catalog.Country{}, err
	}
	place, err := uniqueIndex(countries, func(c catalog.Country) bool { return route.HashOf(c.Code) == hash })
	if err != nil {
		return catalog.Country{}, err
	}
	return countries[place], nil
}

// smsProjects lists what numbers of a country can receive codes of, with prices.
func (s *Screens) smsProjects(ctx context.Context, req *bot.Request, args keyboards.SMSProjectsArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	where, err := s.findCountry(ctx, req, key, args.Country)
	if err != nil {
		return bot.View{}, err
	}
	projects, fresh, err := s.Catalog.Projects(ctx, key, req.L.Lang(), where.Code)
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
	return s.projectsView(ctx, req, key, args, where, projects, fresh, query)
}

func (s *Screens) projectsView(ctx context.Context, req *bot.Request, key redact.Secret, args keyboards.SMSProjectsArgs, where catalog.Country, projects []catalog.Project, fresh catalog.Freshness, query string) (bot.View, error) {
	l := req.L
	back, err := s.backToCountries(ctx, req, key, where, args.CountrySearch)
	if err != nil {
		return bot.View{}, err
	}
	named := locales.Args{"Country": listedCountry(req.L, where)}
	if len(projects) == 0 {
		if args.Search != 0 {
			back = keyboards.SMSProjects.Data(keyboards.SMSProjectsArgs{Country: args.Country, CountrySearch: args.CountrySearch})
			return bot.View{Text: l.T("sms_not_found"), Keyboard: keyboards.Foot(l, back)}, nil
		}
		return bot.View{Text: l.T("sms_projects_empty", named), Keyboard: keyboards.Foot(l, back)}, nil
	}
	text := l.T("sms_projects_text", named)
	if args.Search != 0 {
		text = l.T("sms_found", locales.Args{"Query": l.Name(query)})
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(projects)))
	currency := s.currency(ctx, req.User.ID)
	items := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, project := range keyboards.Page(projects, int(args.Page)) {
		items = append(items, keyboards.Item{
			Name: project.Name, Rest: " · " + l.Money(project.Price, currency),
			Data: keyboards.SMSProject.Data(keyboards.SMSProjectArgs{
				Country: args.Country, Project: route.HashOf(project.ID), Search: args.Search, Page: args.Page, CountrySearch: args.CountrySearch,
			}),
		})
	}
	return bot.View{
		Text:     text + staleNote(l, fresh),
		Keyboard: keyboards.SMSProjectsKeyboard(l, args, items, len(projects), back),
		Dialog:   dialog(stepProject, keyboards.SMSFindProject.Data(keyboards.SMSFindArgs{Country: args.Country, CountrySearch: args.CountrySearch})),
	}, nil
}

// backToCountries is the page of countries that this one stands on.
func (s *Screens) backToCountries(ctx context.Context, req *bot.Request, key redact.Secret, where catalog.Country, via int64) (string, error) {
	countries, _, _, err := s.countriesOf(ctx, req, key, via)
	if err != nil {
		return "", err
	}
	place := slices.IndexFunc(countries, func(c catalog.Country) bool { return c.Code == where.Code })
	return keyboards.SMSCountries.Data(keyboards.SMSCountriesArgs{Search: via, Page: pageOf(max(place, 0))}), nil
}

// listedCountry is a country as the marketplace names it, with its flag.
func listedCountry(l *locales.Localizer, c catalog.Country) string {
	name := l.Name(shorten(c.Name, wordLength))
	if flag := locales.Flag(c.Code); flag != "" {
		return flag + " " + name
	}
	return name
}

// smsFindProject says what can be typed.
func (s *Screens) smsFindProject(ctx context.Context, req *bot.Request, args keyboards.SMSFindArgs) (bot.View, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	where, err := s.findCountry(ctx, req, key, args.Country)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("sms_find_project", locales.Args{"Country": listedCountry(req.L, where)}),
		Keyboard: keyboards.Foot(req.L, keyboards.SMSProjects.Data(keyboards.SMSProjectsArgs{Country: args.Country, CountrySearch: args.CountrySearch})),
		Dialog:   dialog(stepProject, keyboards.SMSFindProject.Data(args)),
	}, nil
}

// projectTyped finds projects of the country that was open.
func (s *Screens) projectTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	asked, err := parse(keyboards.SMSFindProject, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	query := typedQuery(req.Text)
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	where, err := s.findCountry(ctx, req, key, asked.Country)
	if err != nil {
		return bot.View{}, err
	}
	projects, fresh, err := s.Catalog.Projects(ctx, key, req.L.Lang(), where.Code)
	if err != nil {
		return bot.View{}, err
	}
	args := keyboards.SMSProjectsArgs{Country: asked.Country, CountrySearch: asked.CountrySearch}
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
	return s.projectsView(ctx, req, key, args, where, found, fresh, query)
}

// findProject resolves the Hashes of a country and of a project there.
func (s *Screens) findProject(ctx context.Context, req *bot.Request, country, project route.Hash) (catalog.Country, catalog.Project, catalog.Freshness, error) {
	key, err := s.browseKey(ctx, req.User.ID)
	if err != nil {
		return catalog.Country{}, catalog.Project{}, catalog.Freshness{}, err
	}
	where, err := s.findCountry(ctx, req, key, country)
	if err != nil {
		return where, catalog.Project{}, catalog.Freshness{}, err
	}
	projects, fresh, err := s.Catalog.Projects(ctx, key, req.L.Lang(), where.Code)
	if err != nil {
		return where, catalog.Project{}, fresh, err
	}
	place, err := uniqueIndex(projects, func(p catalog.Project) bool { return route.HashOf(p.ID) == project })
	if err != nil {
		return where, catalog.Project{}, fresh, orders.ErrDelisted
	}
	return where, projects[place], fresh, nil
}

// smsProject shows what a number costs and asks how many.
func (s *Screens) smsProject(ctx context.Context, req *bot.Request, args keyboards.SMSProjectArgs) (bot.View, error) {
	where, project, fresh, err := s.findProject(ctx, req, args.Country, args.Project)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("sms_project_text", locales.Args{
			"Project": title(req.L, project.Name), "Country": listedCountry(req.L, where), "Price": s.price(ctx, req.L, req.User.ID, project.Price),
		}) + staleNote(req.L, fresh) + s.maintenanceNote(ctx, req.L),
		Keyboard: keyboards.SMSProjectKeyboard(req.L, args, orders.MaxRentals),
	}, nil
}

// smsQuantity draws the confirm card.
func (s *Screens) smsQuantity(ctx context.Context, req *bot.Request, args keyboards.SMSQuantityArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	where, project, _, err := s.findProject(ctx, req, args.Country, args.Project)
	if err != nil {
		return bot.View{}, err
	}
	rental := storage.Rental{Project: project.ID, Country: where.Code, CountryName: where.Name}
	return s.draftNumbers(ctx, req, rental, int64(args.Quantity), keyboards.SMSProject.Data(args.SMSProjectArgs), 0)
}

// draftNumbers stores which numbers are about to be rented and draws the card.
func (s *Screens) draftNumbers(ctx context.Context, req *bot.Request, rental storage.Rental, quantity int64, origin string, replaces int64) (bot.View, error) {
	quote, err := s.Orders.Draft(ctx, orders.Intent{
		UserID: req.User.ID, Rental: rental, Quantity: quantity, Origin: origin, Lang: req.L.Lang(), Replaces: replaces,
	})
	if err != nil {
		return bot.View{}, err
	}
	return confirmView(req.L, quote, nil), nil
}
