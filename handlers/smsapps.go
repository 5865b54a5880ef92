package handlers

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"hstockbot/bot"
	"hstockbot/internal/catalog"
	"hstockbot/internal/orders"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// The screens for renting a phone, from what the code is for to the confirm card.

const (
	// ownApps limits the person's own apps, which are listed first.
	ownApps = 8
	// shownSavedNumbers limits the saved offers above the list of apps.
	shownSavedNumbers = 4
	maxSavedNumbers   = 100
)

// apps returns all apps in the catalogue's order.
func (s *Screens) apps(ctx context.Context, req *bot.Request) (catalog.Apps, catalog.Freshness, error) {
	access, err := s.access(ctx, req.User.ID)
	if err != nil {
		return catalog.Apps{}, catalog.Freshness{}, err
	}
	return s.Catalog.Apps(ctx, access, req.L.Lang())
}

// listApps returns the apps in the order in which a screen lists them: those that match
// the search, or if search is 0 all, the person's own first, then those most used here.
func (s *Screens) listApps(ctx context.Context, req *bot.Request, all []catalog.App, search int64) (list []catalog.App, query string, err error) {
	if search != 0 {
		query, err = s.DB.Search(ctx, req.User.ID, search)
		return catalog.FindApps(all, query), query, err
	}
	first, err := s.DB.RentedProjects(ctx, req.User.ID, ownApps)
	if err != nil {
		return nil, "", err
	}
	first = append(first, s.Orders.MostRented(ctx)...)
	places := map[string]int{} // by project
	for i, id := range slices.Backward(first) {
		places[id] = i
	}
	ranks := map[string]int{} // by app
	for _, app := range all {
		ranks[app.Key] = len(first)
		for _, offer := range app.Offers {
			if place, known := places[offer.Project.ID]; known {
				ranks[app.Key] = min(ranks[app.Key], place)
			}
		}
	}
	list = slices.Clone(all)
	slices.SortStableFunc(list, func(a, b catalog.App) int { return cmp.Compare(ranks[a.Key], ranks[b.Key]) })
	return list, "", nil
}

// smsApps asks what the code is for. Saved offers come first.
func (s *Screens) smsApps(ctx context.Context, req *bot.Request, args keyboards.SMSAppsArgs) (bot.View, error) {
	apps, fresh, err := s.apps(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	return s.appsView(ctx, req, args, apps, fresh)
}

func (s *Screens) appsView(ctx context.Context, req *bot.Request, args keyboards.SMSAppsArgs, apps catalog.Apps, fresh catalog.Freshness) (bot.View, error) {
	l := req.L
	list, query, err := s.listApps(ctx, req, apps.List, args.Search)
	if err != nil {
		return bot.View{}, err
	}
	text := l.T("sms_apps_text")
	switch {
	case args.Search != 0 && len(list) == 0:
		text = l.T("sms_not_found")
	case args.Search != 0:
		text = l.T("sms_found", locales.Args{"Query": l.Name(query)})
	case len(list) == 0 && apps.Complete:
		text = l.T("sms_countries_empty")
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(list)))
	var saved []keyboards.Item
	if args.Search == 0 && args.Page == 0 {
		if saved, err = s.savedOffers(ctx, req, apps.List); err != nil {
			return bot.View{}, err
		}
	}
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, app := range keyboards.Page(list, int(args.Page)) {
		data := keyboards.SMSApp.Data(keyboards.SMSAppArgs{App: route.HashOf(app.Key), Search: args.Search})
		entries = append(entries, keyboards.Item{Name: app.Name, Data: data})
	}
	return bot.View{
		Text:     text + moreNote(l, apps) + staleNote(l, fresh),
		Keyboard: keyboards.SMSAppsKeyboard(l, args, saved, entries, len(list), !apps.Complete),
		Dialog:   dialog(stepApp, ""),
	}, nil
}

// moreNote says that some countries are still being fetched.
func moreNote(l *locales.Localizer, apps catalog.Apps) string {
	if apps.Complete {
		return ""
	}
	return "\n\n" + l.T("sms_more")
}

// savedOffers returns the buttons of the offers that the person has saved, the newest
// first. What the marketplace does not offer now has none.
func (s *Screens) savedOffers(ctx context.Context, req *bot.Request, apps []catalog.App) ([]keyboards.Item, error) {
	saved, err := s.DB.SavedNumbers(ctx, req.User.ID)
	if err != nil {
		return nil, err
	}
	var entries []keyboards.Item
	for _, n := range saved {
		if _, offer, found := findOffer(apps, func(o catalog.Offer) bool { return o.Project.ID == n.Project && o.Country.Code == n.Country }); found {
			args := offerArgs(offer)
			args.From = keyboards.FromSavedNumbers
			entries = append(entries, keyboards.Item{
				Icon: starred(offer.Country.Code), Name: offer.Project.Name, Rest: " · " + req.L.Money(offer.Project.Price, offer.Project.Currency), Data: keyboards.SMSOffer.Data(args),
			})
		}
		if len(entries) == shownSavedNumbers {
			break
		}
	}
	return entries, nil
}

// starred returns the icon of a saved offer in a country.
func starred(code string) string {
	if flag := locales.Flag(code); flag != "" {
		return "★ " + flag
	}
	return "★"
}

func offerArgs(o catalog.Offer) keyboards.SMSOfferArgs {
	return keyboards.SMSOfferArgs{Country: route.HashOf(o.Country.Code), Project: route.HashOf(o.Project.ID)}
}

// findOffer returns the only offer that matches, and its app.
func findOffer(apps []catalog.App, match func(catalog.Offer) bool) (app catalog.App, offer catalog.Offer, found bool) {
	for _, a := range apps {
		for _, o := range a.Offers {
			if match(o) {
				if found {
					return catalog.App{}, catalog.Offer{}, false
				}
				app, offer, found = a, o, true
			}
		}
	}
	return app, offer, found
}

// smsFindApp says what can be typed to find an app.
func (s *Screens) smsFindApp(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("sms_find_app"),
		Keyboard: keyboards.Foot(req.L, keyboards.SMSApps.Data(keyboards.SMSAppsArgs{})),
		Dialog:   dialog(stepApp, ""),
	}, nil
}

// appTyped finds countries of the app that is open, or else apps. A single match is
// opened.
func (s *Screens) appTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	apps, fresh, err := s.apps(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	query := trimQuery(req.Text)
	if asked, err := parse(keyboards.SMSApp, req.Data); err == nil {
		if i, err := uniqueIndex(apps.List, func(a catalog.App) bool { return route.HashOf(a.Key) == asked.App }); err == nil {
			if view, found, err := s.countryOfAppTyped(ctx, req, asked, apps, i, query, fresh); found || err != nil {
				return view, err
			}
		}
	}
	found := catalog.FindApps(apps.List, query)
	switch len(found) {
	case 0:
		return askAgain(req.L.T("sms_not_found")+moreNote(req.L, apps), keyboards.Foot(req.L, keyboards.SMSApps.Data(keyboards.SMSAppsArgs{}))), nil
	case 1:
		return bot.RedirectTo(keyboards.SMSApp.Data(keyboards.SMSAppArgs{App: route.HashOf(found[0].Key)})), nil
	}
	search, err := s.DB.AddSearch(ctx, req.User.ID, query)
	if err != nil {
		return bot.View{}, err
	}
	return s.appsView(ctx, req, keyboards.SMSAppsArgs{Search: search}, apps, fresh)
}

// countryOfAppTyped finds the offers of an app in the countries that were typed. A single
// one is opened; of several the best matches are shown.
func (s *Screens) countryOfAppTyped(ctx context.Context, req *bot.Request, args keyboards.SMSAppArgs, apps catalog.Apps, index int, query string, fresh catalog.Freshness) (view bot.View, found bool, err error) {
	app := apps.List[index]
	var countries []catalog.Country
	for _, offer := range app.Offers {
		countries = append(countries, offer.Country)
	}
	matches := catalog.FindCountries(countries, query)
	app.Offers = slices.DeleteFunc(slices.Clone(app.Offers), func(o catalog.Offer) bool { return !slices.Contains(matches, o.Country) })
	switch len(app.Offers) {
	case 0:
		return bot.View{}, false, nil
	case 1:
		offer := offerArgs(app.Offers[0])
		offer.Search = args.Search
		return bot.RedirectTo(keyboards.SMSOffer.Data(offer)), true, nil
	}
	rows, err := s.sortOffers(ctx, req, app, args.BySuccess)
	if err != nil {
		return bot.View{}, false, err
	}
	place := func(o ratedOffer) int { return slices.Index(matches, o.Country) }
	slices.SortStableFunc(rows, func(a, b ratedOffer) int { return cmp.Compare(place(a), place(b)) })
	rows = rows[:min(len(rows), keyboards.PageSize)]
	return s.offersView(req.L, args, app, rows, apps, fresh, keyboards.SMSApp.Data(args)), true, nil
}

// ratedOffer is an offer with what is shown beside its price.
type ratedOffer struct {
	catalog.Offer
	figures storage.RentalFigures // without rentals: too few are known
	saved   bool
}

// compareSuccess compares how often the code came. What is not known comes last.
func (o ratedOffer) compareSuccess(other ratedOffer) int {
	a, b := o.figures, other.figures
	if a.Rentals == 0 || b.Rentals == 0 {
		return cmp.Compare(b.Rentals, a.Rentals)
	}
	return cmp.Compare(b.Codes*a.Rentals, a.Codes*b.Rentals)
}

// sortOffers returns the offers of an app by price, or by how often the code came, those
// that the person has saved first.
func (s *Screens) sortOffers(ctx context.Context, req *bot.Request, app catalog.App, bySuccess bool) ([]ratedOffer, error) {
	saved, err := s.DB.SavedNumbers(ctx, req.User.ID)
	if err != nil {
		return nil, err
	}
	offered := make([]storage.Rental, len(app.Offers))
	for i, offer := range app.Offers {
		offered[i] = storage.Rental{Project: offer.Project.ID, Country: offer.Country.Code}
	}
	figures := s.Orders.RentalFigures(ctx, app.Key, offered)
	rows := make([]ratedOffer, len(app.Offers))
	for i, offer := range app.Offers {
		isSaved := slices.ContainsFunc(saved, func(n storage.SavedNumber) bool {
			return n.Project == offer.Project.ID && n.Country == offer.Country.Code
		})
		rows[i] = ratedOffer{offer, figures[offered[i].Subject()], isSaved}
	}
	slices.SortStableFunc(rows, func(a, b ratedOffer) int { // the catalogue sorts by price
		switch {
		case a.saved != b.saved && a.saved:
			return -1
		case a.saved != b.saved:
			return 1
		case bySuccess:
			return a.compareSuccess(b)
		default:
			return 0
		}
	})
	return rows, nil
}

// smsApp lists the countries in which phones can be rented for an app.
func (s *Screens) smsApp(ctx context.Context, req *bot.Request, args keyboards.SMSAppArgs) (bot.View, error) {
	apps, fresh, err := s.apps(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	index, err := uniqueIndex(apps.List, func(a catalog.App) bool { return route.HashOf(a.Key) == args.App })
	if err != nil && !apps.Complete { // it may still be fetched
		return s.appsView(ctx, req, keyboards.SMSAppsArgs{}, apps, fresh)
	}
	if err != nil {
		return bot.View{}, orders.ErrDelisted
	}
	app := apps.List[index]
	rows, err := s.sortOffers(ctx, req, app, args.BySuccess)
	if err != nil {
		return bot.View{}, err
	}
	list, _, err := s.listApps(ctx, req, apps.List, args.Search)
	if err != nil {
		return bot.View{}, err
	}
	back := slices.IndexFunc(list, func(a catalog.App) bool { return a.Key == app.Key })
	return s.offersView(req.L, args, app, rows, apps, fresh, keyboards.SMSApps.Data(keyboards.SMSAppsArgs{Search: args.Search, Page: pageOf(max(back, 0))})), nil
}

func (s *Screens) offersView(l *locales.Localizer, args keyboards.SMSAppArgs, app catalog.App, rows []ratedOffer, apps catalog.Apps, fresh catalog.Freshness, back string) bot.View {
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(rows)))
	text := l.T("sms_app_text", locales.Args{"Project": title(l, app.Name)})
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	example := storage.RentalFigures{}
	for _, row := range keyboards.Page(rows, int(args.Page)) {
		offer := offerArgs(row.Offer)
		offer.Search = args.Search
		if args.BySuccess {
			offer.From = keyboards.FromSuccess
		}
		icon := locales.Flag(row.Country.Code)
		if row.saved {
			icon = starred(row.Country.Code)
		}
		rest := ""
		if row.figures.Rentals > 0 {
			rest = " · " + figuresOf(l, row.figures)
		}
		entries = append(entries, keyboards.Item{
			Icon: icon, Name: row.Country.Name, Rest: " · " + l.Money(row.Project.Price, row.Project.Currency) + rest, Data: keyboards.SMSOffer.Data(offer),
		})
		if example.Median == 0 && row.figures.Rentals > 0 {
			example = row.figures
		}
	}
	if example.Rentals > 0 {
		text += "\n\n" + l.T("sms_figures_note", locales.Args{"Figures": figuresOf(l, example)})
	}
	return bot.View{
		Text:     text + moreNote(l, apps) + staleNote(l, fresh),
		Keyboard: keyboards.SMSAppKeyboard(l, args, entries, len(rows), !apps.Complete, back),
		Dialog:   dialog(stepApp, keyboards.SMSApp.Data(args)),
	}
}

// figuresOf returns how often the code came, and after how long, for a label.
func figuresOf(l *locales.Localizer, f storage.RentalFigures) string {
	text := l.Label("sms_figures", locales.Args{"Codes": l.Number(int64(f.Codes)), "Rentals": l.Number(int64(f.Rentals))})
	if f.Median > 0 {
		count, _, short := roundUsual(f.Median)
		text += " · " + l.Label(short, locales.Args{"Number": l.Number(count)})
	}
	return text
}

// openOffer is an offer that a button names, and the page that it was opened from.
type openOffer struct {
	catalog.Offer
	fresh catalog.Freshness
	back  string
}

// openOffer returns orders.ErrDelisted if there is no such offer. While some countries
// are still being fetched it asks for the one of the button.
func (s *Screens) openOffer(ctx context.Context, req *bot.Request, args keyboards.SMSOfferArgs) (openOffer, error) {
	apps, fresh, err := s.apps(ctx, req)
	if err != nil {
		return openOffer{}, err
	}
	back := keyboards.SMSApps.Data(keyboards.SMSAppsArgs{})
	inCountry := map[string]bool{} // by code: there are many offers, and few countries
	app, offer, found := findOffer(apps.List, func(o catalog.Offer) bool {
		is, known := inCountry[o.Country.Code]
		if !known {
			is = route.HashOf(o.Country.Code) == args.Country
			inCountry[o.Country.Code] = is
		}
		return is && route.HashOf(o.Project.ID) == args.Project
	})
	if !found && apps.Complete {
		return openOffer{}, orders.ErrDelisted
	}
	if !found {
		offer.Country, offer.Project, fresh, err = s.findProject(ctx, req, args.Country, args.Project)
		return openOffer{offer, fresh, back}, err
	}
	if args.From != keyboards.FromSavedNumbers {
		list := keyboards.SMSAppArgs{App: route.HashOf(app.Key), Search: args.Search, BySuccess: args.From == keyboards.FromSuccess}
		rows, err := s.sortOffers(ctx, req, app, list.BySuccess)
		if err != nil {
			return openOffer{}, err
		}
		list.Page = pageOf(slices.IndexFunc(rows, func(o ratedOffer) bool { return offerArgs(o.Offer) == offerArgs(offer) }))
		back = keyboards.SMSApp.Data(list)
	}
	return openOffer{offer, fresh, back}, nil
}

// smsOffer shows the price of a phone and asks how many to rent.
func (s *Screens) smsOffer(ctx context.Context, req *bot.Request, args keyboards.SMSOfferArgs) (bot.View, error) {
	open, err := s.openOffer(ctx, req, args)
	if err != nil {
		return bot.View{}, err
	}
	saved, err := s.DB.SavedNumbers(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	isSaved := slices.ContainsFunc(saved, func(n storage.SavedNumber) bool {
		return n.Project == open.Project.ID && n.Country == open.Country.Code
	})
	return s.projectView(ctx, req, open.Country, open.Project, open.fresh, keyboards.SMSOfferKeyboard(req.L, args, isSaved, orders.MaxRentals, open.back)), nil
}

// smsOfferQuantity draws the confirm card.
func (s *Screens) smsOfferQuantity(ctx context.Context, req *bot.Request, args keyboards.SMSOfferQuantityArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	open, err := s.openOffer(ctx, req, args.SMSOfferArgs)
	if err != nil {
		return bot.View{}, err
	}
	return s.draftRental(ctx, req, open.Project, orders.Intent{
		Rental:   storage.Rental{Project: open.Project.ID, Country: open.Country.Code, CountryName: open.Country.Name},
		Quantity: int64(args.Quantity), Origin: keyboards.SMSOffer.Data(args.SMSOfferArgs),
	})
}

// smsSave keeps an offer above the list of apps.
func (s *Screens) smsSave(ctx context.Context, req *bot.Request, args keyboards.SMSOfferArgs) (bot.View, error) {
	open, err := s.openOffer(ctx, req, args)
	if err != nil {
		return bot.View{}, err
	}
	number := storage.SavedNumber{Project: open.Project.ID, Country: open.Country.Code, Name: locales.Shorten(open.Project.Name, nameLength)}
	err = s.DB.SaveNumber(ctx, req.User.ID, number, maxSavedNumbers)
	if errors.Is(err, storage.ErrFull) {
		return bot.View{}, userErr("sms_saved_full", locales.Args{"Most": int64(maxSavedNumbers)})
	}
	if err != nil {
		return bot.View{}, err
	}
	view, err := s.smsOffer(ctx, req, args)
	view.Toast = req.L.Label("saved_toast")
	return view, err
}

func (s *Screens) smsUnsave(ctx context.Context, req *bot.Request, args keyboards.SMSOfferArgs) (bot.View, error) {
	open, err := s.openOffer(ctx, req, args)
	if err != nil {
		return bot.View{}, err
	}
	if err := s.DB.RemoveSavedNumber(ctx, req.User.ID, open.Project.ID, open.Country.Code); err != nil {
		return bot.View{}, err
	}
	view, err := s.smsOffer(ctx, req, args)
	view.Toast = req.L.Label("saved_removed_toast")
	return view, err
}
