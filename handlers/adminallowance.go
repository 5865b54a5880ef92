package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/text/unicode/norm"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Steps of the dialogs about allowances.
const (
	stepAllowanceAmount = "allowance"
	stepAllowanceMarkup = "markup"
	stepAllowancePerson = "allowanceperson"
)

const (
	amountDigits = 4 // decimals of an amount in callback data
	markupDigits = 2
	mostAmount   = 1_000_000_000
	mostMarkup   = 100
	// allowanceRequest marks the choice of a person (Bot API: request_id).
	allowanceRequest = 1
)

// offeredAmounts are the amounts on buttons.
var offeredAmounts = []int64{10, 25, 50, 100}

// termsOf returns the terms of a button, in the currency of the operator's account.
func (s *Screens) termsOf(ctx context.Context, args keyboards.AllowanceArgs) (storage.AllowanceTerms, error) {
	terms := storage.AllowanceTerms{
		Amount: decimal.New(args.Amount, -amountDigits), Monthly: args.Monthly, Markup: decimal.New(int64(args.Markup), -markupDigits),
	}
	if s.OperatorKey == "" {
		return terms, userErr("adminallowance_no_key")
	}
	var err error
	if terms.Currency, err = s.Market.Currency(ctx, s.OperatorKey); err != nil {
		return terms, err
	}
	if terms.Currency == "" { // it is known once the balance was read
		balance, err := s.Market.Balance(ctx, s.OperatorKey)
		if err != nil {
			return terms, err
		}
		terms.Currency = balance.Currency
	}
	if args.Person < 0 || args.Amount > mostAmount*10_000 || !terms.Valid() {
		return terms, route.ErrMalformed
	}
	return terms, nil
}

// termsText is what an allowance gives.
func termsText(l *locales.Localizer, t storage.AllowanceTerms) string {
	id := "adminallowance_once"
	if t.Monthly {
		id = "adminallowance_month"
	}
	text := l.Label(id, locales.Args{"Amount": l.Money(t.Amount, t.Currency)})
	if !t.Markup.IsZero() {
		text += " · " + markupText(l, t.Markup)
	}
	return text
}

func markupText(l *locales.Localizer, markup decimal.Decimal) string {
	return l.Label("adminallowance_markup", locales.Args{"Markup": l.Isolate(markup.String() + "%")})
}

// termsDetail is termsText in the audit log: ↻ is each month.
func termsDetail(t storage.AllowanceTerms) string {
	text := plainAmount(t.Amount) + " " + t.Currency
	if t.Monthly {
		text += " ↻"
	}
	if !t.Markup.IsZero() {
		text += " +" + t.Markup.String() + "%"
	}
	return text
}

// giveTo returns the name of the person who is given an allowance, or of a link. known is
// false for a person who can be given one by link only.
func (s *Screens) giveTo(ctx context.Context, l *locales.Localizer, id int64) (who string, known bool, err error) {
	if id == 0 {
		return l.Label("adminallowance_by_link"), true, nil
	}
	user, err := s.DB.User(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && !user.Private:
		return personLabel(l, id, user.Name), false, nil
	case err != nil:
		return "", false, err
	case user.Blocked && !s.IsAdmin(id), !s.Allows(id):
		return "", false, userErr("adminallowance_unserved")
	}
	return personLabel(l, id, user.Name), true, nil
}

// unknownView says that a person can be given an allowance by link only.
func unknownView(l *locales.Localizer, who string, args keyboards.AllowanceArgs) bot.View {
	return bot.View{Text: l.T("adminallowance_unknown", locales.Args{"Who": who}), Keyboard: keyboards.AllowanceUnknownKeyboard(l, args)}
}

// allowanceScreen shows a person's allowance.
func (s *Screens) allowanceScreen(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	l := req.L
	if s.OperatorKey == "" {
		return bot.View{}, userErr("adminallowance_no_key")
	}
	if args.Person <= 0 {
		return bot.View{}, storage.ErrNotFound
	}
	who, known, err := s.giveTo(ctx, l, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	a, has, err := s.allowance(ctx, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	if !known && !has {
		return unknownView(l, who, keyboards.AllowanceArgs{}), nil
	}
	lines := []string{l.T("adminallowance_title", locales.Args{"Who": who}), ""}
	if !has {
		return bot.View{Text: strings.Join(append(lines, l.T("adminallowance_none")), "\n"), Keyboard: keyboards.AllowanceKeyboard(l, keyboards.AllowanceArgs{Person: args.Person}, false)}, nil
	}
	lines = append(lines, locales.Escape(termsText(l, a.AllowanceTerms)), l.T("adminallowance_use", locales.Args{
		"Used": l.Money(a.Spent, a.Currency), "Held": l.Money(a.Held, a.Currency), "Left": l.Money(a.Available(), a.Currency),
	}))
	if !a.Pays {
		lines = append(lines, l.T("adminallowance_own"))
	}
	name, err := s.adminName(ctx, a.GivenBy)
	if err != nil {
		return bot.View{}, err
	}
	lines = append(lines, "", l.T("adminallowance_given", locales.Args{"Who": personLabel(l, a.GivenBy, name), "Time": clock(l, a.ChangedAt)}))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.AllowanceKeyboard(l, keyboards.AllowanceArgs{
		Person: args.Person, Monthly: a.Monthly, Markup: uint16(a.Markup.Shift(markupDigits).IntPart()), //nolint:gosec // at most 10,000
	}, true)}, nil
}

// allowanceAmount asks for the amount.
func (s *Screens) allowanceAmount(ctx context.Context, req *bot.Request, args keyboards.AllowanceArgs) (bot.View, error) {
	who, known, err := s.giveTo(ctx, req.L, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	if !known {
		return unknownView(req.L, who, args), nil
	}
	args.Amount = 1 // so that the terms are valid
	terms, err := s.termsOf(ctx, args)
	if err != nil {
		return bot.View{}, err
	}
	var amounts []keyboards.Item
	for _, amount := range offeredAmounts {
		args.Amount = amount * 10_000
		amounts = append(amounts, keyboards.Item{Name: req.L.Money(decimal.NewFromInt(amount), terms.Currency), Data: keyboards.AllowanceTerms.Data(args)})
	}
	args.Amount = 0
	return bot.View{
		Text: req.L.T("adminallowance_title", locales.Args{"Who": who}) + "\n\n" + req.L.T("adminallowance_ask"), Keyboard: keyboards.AllowanceAmountKeyboard(req.L, args, amounts),
		Dialog: dialog(stepAllowanceAmount, keyboards.AllowanceAmount.Data(args)),
	}, nil
}

func (s *Screens) allowanceAmountTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.AllowanceAmount, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	amount, ok := parsePrice(req.Text)
	if !ok || amount.GreaterThan(decimal.NewFromInt(mostAmount)) || !amount.Equal(amount.Truncate(amountDigits)) {
		return askAgain(req.L.T("adminallowance_bad"), keyboards.AllowanceAmountKeyboard(req.L, args, nil)), nil
	}
	args.Amount = amount.Shift(amountDigits).IntPart()
	view, err := s.allowanceTerms(ctx, req, args)
	return view, bot.ErrorAt(keyboards.AllowanceTerms.Data(args), err)
}

// allowanceTerms shows what would be given.
func (s *Screens) allowanceTerms(ctx context.Context, req *bot.Request, args keyboards.AllowanceArgs) (bot.View, error) {
	l := req.L
	who, known, err := s.giveTo(ctx, l, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	if !known {
		return unknownView(l, who, args), nil
	}
	terms, err := s.termsOf(ctx, args)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     l.T("adminallowance_title", locales.Args{"Who": who}) + "\n\n" + locales.Escape(termsText(l, terms)) + "\n\n" + l.T("adminallowance_check"),
		Keyboard: keyboards.AllowanceTermsKeyboard(l, args, markupText(l, terms.Markup)),
	}, nil
}

// allowanceMarkup asks for the markup.
func (s *Screens) allowanceMarkup(_ context.Context, req *bot.Request, args keyboards.AllowanceArgs) (bot.View, error) {
	data := keyboards.AllowanceTerms.Data(args)
	return bot.View{Text: req.L.T("adminallowance_markup_ask"), Keyboard: keyboards.Foot(req.L, data), Dialog: dialog(stepAllowanceMarkup, data)}, nil
}

func (s *Screens) allowanceMarkupTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.AllowanceTerms, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	markup, ok := parsePercent(req.Text)
	if !ok {
		return askAgain(req.L.T("adminallowance_markup_bad"), keyboards.Foot(req.L, req.Data)), nil
	}
	args.Markup = uint16(markup.Shift(markupDigits).IntPart()) //nolint:gosec // at most 10,000
	view, err := s.allowanceTerms(ctx, req, args)
	return view, bot.ErrorAt(keyboards.AllowanceTerms.Data(args), err)
}

// parsePercent parses a markup: 0 to 100, with at most two decimals.
func parsePercent(text string) (decimal.Decimal, bool) {
	text = strings.Trim(norm.NFKC.String(strings.TrimSpace(text)), "%٪ ")
	markup, ok := parsePrice(text)
	if !ok {
		zero, isNumber := parseAmount(text)
		return decimal.Zero, isNumber && zero == 0
	}
	return markup, markup.LessThanOrEqual(decimal.NewFromInt(mostMarkup)) && markup.Equal(markup.Truncate(markupDigits))
}

// allowanceGive gives an allowance, changes it, or makes a link to one.
func (s *Screens) allowanceGive(ctx context.Context, req *bot.Request, args keyboards.AllowanceArgs) (bot.View, error) {
	who, known, err := s.giveTo(ctx, req.L, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	if !known {
		return unknownView(req.L, who, args), nil
	}
	terms, err := s.termsOf(ctx, args)
	if err != nil {
		return bot.View{}, err
	}
	entry := storage.AuditEntry{AdminID: req.User.ID, Action: actionAllowance, Subject: args.Person, Detail: termsDetail(terms), At: time.Now()}
	if args.Person == 0 {
		return s.makeAllowanceLink(ctx, req, terms, entry)
	}
	before, has, err := s.allowance(ctx, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	if has && before.Amount.Equal(terms.Amount) && before.Markup.Equal(terms.Markup) && before.Monthly == terms.Monthly && before.Currency == terms.Currency {
		return s.allowanceScreen(ctx, req, keyboards.PersonArgs{Person: args.Person}) // a repeated tap
	}
	kind := messageAllowanceGiven
	if has {
		kind = messageAllowanceChanged
	}
	message, err := aboutAllowance(args.Person, kind, terms, entry.At)
	if err != nil {
		return bot.View{}, err
	}
	_, err = s.DB.GiveAllowance(ctx, args.Person, terms, entry, message)
	if errors.Is(err, storage.ErrHouseKey) {
		return bot.View{}, userErr("adminallowance_house_key")
	}
	if err != nil {
		return bot.View{}, err
	}
	s.balances.forget(args.Person)
	s.Wake()
	view, err := s.allowanceScreen(ctx, req, keyboards.PersonArgs{Person: args.Person})
	view.Toast = req.L.Label("adminallowance_saved_toast")
	return view, err
}

// makeAllowanceLink shows a new link, which can't be shown again.
func (s *Screens) makeAllowanceLink(ctx context.Context, req *bot.Request, terms storage.AllowanceTerms, entry storage.AuditEntry) (bot.View, error) {
	username := req.BotUsername(ctx)
	if username == "" {
		return bot.View{}, errNoUsername
	}
	entry.Action = actionAllowanceLink
	link, err := s.DB.AddAllowanceLink(ctx, terms, entry)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("adminallowance_link", locales.Args{
			"Terms": termsText(req.L, terms), "Link": code(req.L, fmt.Sprintf("https://t.me/%s?start=a_%s", username, link)),
		}),
		Keyboard: keyboards.Foot(req.L, keyboards.AllowanceLinks.Data(struct{}{})),
	}, nil
}

// allowanceLinks lists the links that nobody has used.
func (s *Screens) allowanceLinks(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	if s.OperatorKey == "" {
		return bot.View{}, userErr("adminallowance_no_key")
	}
	links, err := s.DB.AllowanceLinks(ctx, time.Now())
	if err != nil {
		return bot.View{}, err
	}
	text := l.T("adminallowance_links")
	if len(links) == 0 {
		text = l.T("adminallowance_links_none")
	}
	var items []keyboards.Item
	for _, link := range links[:min(len(links), keyboards.PageSize)] {
		items = append(items, keyboards.Item{
			Name: "✖ " + termsText(l, link.AllowanceTerms) + " · " + isoDay(l, s.DB.Day(link.ExpiresAt)),
			Data: keyboards.AllowanceRevoke.Data(keyboards.AllowanceLinkArgs{Link: link.ID}),
		})
	}
	return bot.View{Text: text, Keyboard: keyboards.AllowanceLinksKeyboard(l, items)}, nil
}

// allowanceRevoke makes a link useless.
func (s *Screens) allowanceRevoke(ctx context.Context, req *bot.Request, args keyboards.AllowanceLinkArgs) (bot.View, error) {
	entry := storage.AuditEntry{AdminID: req.User.ID, Action: actionAllowanceRevoke, At: time.Now()}
	if _, err := s.DB.RevokeAllowanceLink(ctx, args.Link, entry); err != nil {
		return bot.View{}, err
	}
	view, err := s.allowanceLinks(ctx, req, struct{}{})
	view.Toast = req.L.Label("adminallowance_revoked_toast")
	return view, err
}

// allowanceRemove asks for confirmation, and says what is reserved.
func (s *Screens) allowanceRemove(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	a, err := s.DB.Allowance(ctx, args.Person, time.Now())
	if err != nil {
		return bot.View{}, err
	}
	user, err := s.DB.User(ctx, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	text := req.L.T("adminallowance_title", locales.Args{"Who": personLabel(req.L, user.ID, user.Name)}) + "\n\n" + req.L.T("adminallowance_remove_ask")
	if a.Held.IsPositive() {
		text += "\n\n" + req.L.T("adminallowance_remove_held", locales.Args{"Sum": req.L.Money(a.Held, a.Currency)})
	}
	return bot.View{Text: text, Keyboard: keyboards.AllowanceRemoveKeyboard(req.L, args)}, nil
}

func (s *Screens) allowanceRemoveSure(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	now := time.Now()
	entry := storage.AuditEntry{AdminID: req.User.ID, Action: actionAllowanceRemove, Subject: args.Person, At: now}
	message, err := aboutAllowance(args.Person, messageAllowanceRemoved, storage.AllowanceTerms{}, now)
	if err != nil {
		return bot.View{}, err
	}
	if _, err := s.DB.RemoveAllowance(ctx, args.Person, entry, message); err != nil {
		return bot.View{}, err
	}
	s.balances.forget(args.Person)
	s.Wake()
	view, err := s.allowanceScreen(ctx, req, args)
	view.Toast = req.L.Label("saved_removed_toast")
	return view, err
}

// allowanceChoose lets an admin choose a person from their contacts.
func (s *Screens) allowanceChoose(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{Text: req.L.T("adminallowance_choose"), Ask: askForPerson(req.L), Dialog: dialog(stepAllowancePerson, "")}, nil
}

func askForPerson(l *locales.Localizer) []bot.AskButton {
	isBot := false
	return []bot.AskButton{{
		Label: l.Label("adminallowance_button_choose"),
		Users: &bot.UsersRequest{ID: allowanceRequest, Most: 1, Bot: &isBot, Name: true},
	}}
}

// allowancePersonTyped opens the screen of the person who was chosen, or whose id was typed,
// and takes the keyboard away. Somebody unknown can be given an allowance by link.
func (s *Screens) allowancePersonTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	id, ok := personID(req.Text)
	if chosen := req.SharedUsers; chosen != nil && len(chosen.Users) == 1 {
		id, ok = chosen.Users[0].ID, true
	}
	if !ok {
		return bot.View{Text: req.L.T("person_bad"), Ask: askForPerson(req.L), KeepDialog: true}, nil
	}
	if err := req.RemoveReplyKeyboard(ctx); err != nil {
		s.Log.Warn("reply keyboard not removed", "update", req.UpdateID, "error", err)
	}
	args := keyboards.PersonArgs{Person: id}
	view, err := s.person(ctx, req, args)
	if errors.Is(err, storage.ErrNotFound) {
		return s.allowanceScreen(ctx, req, args)
	}
	return view, bot.ErrorAt(keyboards.Person.Data(args), err)
}
