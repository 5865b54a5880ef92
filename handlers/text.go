package handlers

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// text answers what was typed where nothing was asked: the number of an order
// opens it, a link what is sold for it, a few words are looked for in the
// catalogue. Somebody new is greeted.
func (s *Screens) text(ctx context.Context, req *bot.Request) (bot.View, error) {
	typed := strings.TrimSpace(req.Text)
	if n, ok := orderNumber(typed); ok {
		view, err := s.orderOfNumber(ctx, req, n)
		marked := strings.HasPrefix(typed, "#")
		if marked || !errors.Is(err, errNowhere) && !errors.Is(err, orders.ErrNoKey) {
			return view, err
		}
		// Digits alone may be words, too: "163" is a mail service.
	}
	isNew, err := s.isNew(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	if isNew {
		return s.greetAnd(ctx, req, typed)
	}
	return s.understand(ctx, req, typed)
}

// isNew reports whether a person is known by this very update only.
func (s *Screens) isNew(ctx context.Context, req *bot.Request) (bool, error) {
	user, err := s.DB.User(ctx, req.User.ID)
	return err == nil && !user.CreatedAt.Before(req.Received.Truncate(time.Millisecond)), err
}

// greetAnd greets somebody new, and then answers what they typed.
func (s *Screens) greetAnd(ctx context.Context, req *bot.Request, typed string) (bot.View, error) {
	if err := req.Show(ctx, greeting(req)); err != nil {
		return bot.View{}, err
	}
	view, err := s.understand(ctx, req, typed)
	view.AsNewMessage = true
	return view, err
}

// understand answers a link, or words to look for.
func (s *Screens) understand(ctx context.Context, req *bot.Request, typed string) (bot.View, error) {
	if link, ok := pastedLink(typed); ok {
		return s.linkPasted(ctx, req, link)
	}
	if isCommand := strings.HasPrefix(typed, "/"); isCommand || !hasKey(typed) && (!hasWords(typed) || isTooLong(typed)) {
		view := menuView(req.L)
		view.Text = req.L.T("text_not_understood")
		return view, nil
	}
	return s.find(ctx, req, typed, bot.View{Keyboard: keyboards.MenuKeyboard(req.L)})
}

// clock says when something is or was, absolutely and relative to now.
func clock(l *locales.Localizer, t time.Time) string { return l.Clock(t, time.Now()) }

// What the marketplace names and describes has no documented length, and a
// message of Telegram has one. These are in characters.
const (
	nameLength        = 300
	wordLength        = 60 // states, variants, categories
	descriptionLength = 1500
)

// title is a name of the marketplace as a message shows it.
func title(l *locales.Localizer, name string) string { return l.Name(shorten(name, nameLength)) }

// itemArgs is a product and how many of it, as many messages say it.
func itemArgs(l *locales.Localizer, name string, quantity int64) locales.Args {
	return locales.Args{"Name": title(l, name), "Quantity": l.Number(quantity)}
}

// subject names what is bought: goods by their name, numbers also by the country.
func subject(l *locales.Localizer, name string, rental storage.Rental) string {
	if rental.Project == "" {
		return name
	}
	return name + " · " + country(l, rental)
}

// orderName is what was bought; of what was bought elsewhere only the kind is known.
func orderName(l *locales.Localizer, o storage.Order) string {
	switch {
	case o.Name != "":
		return o.Name
	case o.Kind == storage.KindSMS:
		return l.Label("elsewhere_sms")
	case o.Kind == storage.KindSMM:
		return l.Label("elsewhere_smm")
	default:
		return l.Label("elsewhere_product")
	}
}

// orderWhat is a line that says what was bought and how many, as far as known.
func orderWhat(l *locales.Localizer, o storage.Order) string {
	name := subject(l, orderName(l, o), o.Rental)
	if o.Quantity == 0 {
		return locales.Escape(title(l, name))
	}
	return l.T("confirm_what", itemArgs(l, name, o.Quantity))
}

// repeatable is the purchase that Order again repeats: none for what was bought
// elsewhere, since nobody knows what it was.
func repeatable(o storage.Order) int64 {
	if o.External {
		return 0
	}
	return o.PurchaseID
}

// country is that of a number, with its flag.
func country(l *locales.Localizer, rental storage.Rental) string {
	name := l.Country(rental.Country, rental.CountryName)
	if name == "" {
		return l.Label("elsewhere_country")
	}
	if flag := locales.Flag(rental.Country); flag != "" {
		return flag + " " + name
	}
	return name
}

// code is text that a tap copies. Isolates stand around it, not in what is copied.
func code(l *locales.Localizer, text string) locales.HTML {
	return locales.HTML(l.Isolate("<code>" + locales.Escape(text) + "</code>"))
}

// shorten cuts text after limit characters.
func shorten(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// plainText reports whether Telegram shows text as it is: valid UTF-8 without
// control characters (it drops them) and without line breaks.
func plainText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
	})
}

func isPast(t time.Time) bool { return !time.Now().Before(t) }
