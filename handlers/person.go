package handlers

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// personLength is the maximum length of a name in a label, in characters.
const personLength = 12

// personFind asks for the id of a person.
func (s *Screens) personFind(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text:     req.L.T("person_ask"),
		Keyboard: keyboards.PersonFindKeyboard(req.L, s.IsAdmin(req.User.ID)),
		Dialog:   dialog(stepPerson, ""),
	}, nil
}

func (s *Screens) personTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	foot := keyboards.Foot(req.L, keyboards.Admin.Data(struct{}{}))
	id, ok := personID(req.Text)
	if !ok {
		return askAgain(req.L.T("person_bad"), foot), nil
	}
	args := keyboards.PersonArgs{Person: id}
	view, err := s.person(ctx, req, args)
	if errors.Is(err, storage.ErrNotFound) {
		return askAgain(req.L.T("person_none", locales.Args{"ID": personCode(req.L, id)}), foot), nil
	}
	return view, bot.ErrorAt(keyboards.Person.Data(args), err)
}

// personID parses the id of a person, with or without a leading @.
func personID(text string) (int64, bool) {
	id, ok := parseAmount(strings.TrimPrefix(norm.NFKC.String(strings.TrimSpace(text)), "@"))
	return id, ok && id > 0
}

// firstName returns a person's first name, which they choose themselves, in the form
// in which names of the marketplace are displayed.
func firstName(u bot.User) string { return hstock.PlainName(u.FirstName) }

// personLabel names a person by the stored first name and the id, which is 0 if their
// data was deleted.
func personLabel(l *locales.Localizer, id int64, name string) string {
	switch {
	case id == 0:
		return l.Label("adminorders_forgotten")
	case name == "":
		return l.Label("adminorders_nameless", locales.Args{"ID": strconv.FormatInt(id, 10)})
	default:
		return l.Label("adminorders_who", locales.Args{"Name": l.Name(locales.Shorten(name, wordLength)), "ID": strconv.FormatInt(id, 10)})
	}
}

// shortPersonLabel is personLabel for buttons: the first name, or else the id.
func shortPersonLabel(l *locales.Localizer, id int64, name string) string {
	switch {
	case id == 0:
		return l.Label("adminorders_forgotten_short")
	case name == "":
		return strconv.FormatInt(id, 10)
	default:
		return l.Name(locales.Shorten(name, personLength))
	}
}

// personCode is an id that a tap copies.
func personCode(l *locales.Localizer, id int64) locales.HTML {
	return code(l, strconv.FormatInt(id, 10))
}

// person shows what staff may know about a person, which excludes what they typed,
// searched and received, and their API key.
func (s *Screens) person(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	l := req.L
	user, err := s.DB.User(ctx, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	summary, err := s.DB.DataSummary(ctx, user.ID)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{
		l.T("person_title", locales.Args{"Name": l.Name(locales.Shorten(user.Name, wordLength)), "ID": personCode(l, user.ID)}), "",
		l.T("person_language", locales.Args{"Language": s.languageName(s.Localizer(user).Lang())}),
		l.T("person_since", locales.Args{"Time": clock(l, user.CreatedAt)}),
		l.T("person_seen", locales.Args{"Time": clock(l, user.SeenAt)}),
		l.T("person_orders", locales.Args{"All": summary.Orders, "Open": summary.Open, "Unknown": summary.OutcomeUnknown}),
	}
	switch {
	case user.Blocked:
		lines = append(lines, "", l.T("person_blocked"))
	case user.Unreachable:
		lines = append(lines, "", l.T("person_unreachable"))
	case !user.Private:
		lines = append(lines, "", l.T("person_external"))
	}
	isAdmin := s.IsAdmin(req.User.ID)
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.PersonKeyboard(l, args, isAdmin, isAdmin && user.Blocked, isAdmin && !s.IsAdmin(user.ID))}, nil
}

func (s *Screens) languageName(code string) string {
	for _, language := range s.Bundle.Languages() {
		if language.Code == code {
			return language.Name
		}
	}
	return code
}

// personBlock asks for confirmation.
func (s *Screens) personBlock(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	user, err := s.DB.User(ctx, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text: req.L.T("person_block_ask", locales.Args{
			"Name": req.L.Name(locales.Shorten(user.Name, wordLength)), "ID": personCode(req.L, user.ID),
		}),
		Keyboard: keyboards.PersonBlockKeyboard(req.L, args),
	}, nil
}

func (s *Screens) personBlockSure(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	if s.IsAdmin(args.Person) {
		return bot.View{}, userErr("person_is_admin")
	}
	return s.setBlocked(ctx, req, args, true, actionBlock)
}

func (s *Screens) personUnblock(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	return s.setBlocked(ctx, req, args, false, actionUnblock)
}

func (s *Screens) setBlocked(ctx context.Context, req *bot.Request, args keyboards.PersonArgs, blocked bool, action string) (bot.View, error) {
	_, err := s.DB.SetBlocked(ctx, args.Person, blocked, storage.AuditEntry{AdminID: req.User.ID, Action: action, Subject: args.Person, At: time.Now()})
	if err != nil {
		return bot.View{}, err
	}
	return s.person(ctx, req, args)
}
