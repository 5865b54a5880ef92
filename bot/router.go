package bot

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"hstockbot/internal/route"
)

type handler func(context.Context, *Request) (View, error)

// screen is the target of a route.
type screen struct {
	open func(ctx context.Context, req *Request, args string) (View, error)
	// retry returns the callback data of "Try again", "" for none.
	retry func(args string) string
	// draws says that the screen changes nothing but the tapped message.
	draws bool
}

// router holds the handlers of buttons, commands, steps of dialogs, and other text.
type router struct {
	screens  map[string]screen
	commands map[string]handler
	steps    map[string]handler
	text     handler
	label    handler
	labelled func(*Request) (data string)
}

func newRouter() router {
	return router{
		screens: map[string]screen{}, commands: map[string]handler{}, steps: map[string]handler{},
		text:     func(context.Context, *Request) (View, error) { return View{}, nil },
		labelled: func(*Request) string { return "" },
	}
}

// Screen registers the handler of a route that changes nothing and draws in the tapped
// message: "Try again" after an error opens it again, and a tap is skipped if the person
// has tapped another Screen of the same message since. It panics if the route's name is
// registered already, so that the mistake is found when the program starts.
func Screen[A any](b *Bot, r route.Route[A], h func(context.Context, *Request, A) (View, error)) {
	add(b.router.screens, "route", r.Name(), newScreen(b, r, h, r.Data, true))
}

// MessageScreen registers a Screen that sends a message or a file of its own, or nothing:
// no tap on it is skipped, and it skips no other. It panics as Screen does.
func MessageScreen[A any](b *Bot, r route.Route[A], h func(context.Context, *Request, A) (View, error)) {
	Action(b, r, h, r.Data)
}

// Action registers the handler of a route that changes something. retry returns the
// callback data of "Try again" after an error: of a screen that leads to the action,
// of the action itself if repeating it is harmless, or "" for none. A nil retry means
// none. No tap on an Action is skipped. It panics as Screen does.
func Action[A any](b *Bot, r route.Route[A], h func(context.Context, *Request, A) (View, error), retry func(A) string) {
	add(b.router.screens, "route", r.Name(), newScreen(b, r, h, retry, false))
}

func newScreen[A any](b *Bot, r route.Route[A], h func(context.Context, *Request, A) (View, error), retry func(A) string, draws bool) screen {
	return screen{
		draws: draws,
		open: func(ctx context.Context, req *Request, rest string) (View, error) {
			args, err := r.Parse(rest)
			if err != nil {
				return b.outdated(ctx, req), nil //nolint:nilerr // an outdated button is not an error
			}
			return h(ctx, req, args)
		},
		retry: func(rest string) string {
			args, err := r.Parse(rest)
			if err != nil || retry == nil {
				return ""
			}
			return retry(args)
		},
	}
}

// Command registers the handler of a command, whose name is in lower case and without
// the slash. It panics as Screen does.
func (b *Bot) Command(name string, h func(context.Context, *Request) (View, error)) {
	add(b.router.commands, "command", name, handler(h))
}

// Step registers the handler of the answer in a dialog: req.Text, which is "" for a
// sticker and so on, and req.Data. It panics as Screen does.
func (b *Bot) Step(name string, h func(context.Context, *Request) (View, error)) {
	add(b.router.steps, "step", name, handler(h))
}

// Text registers the handler of text outside dialogs and of unknown commands.
func (b *Bot) Text(h func(context.Context, *Request) (View, error)) { b.router.text = h }

// Label registers the handler of text that is the label of a button: a reply keyboard
// of a previous program sends such text. It ends the person's dialog, as a tap does.
// labelled returns the callback data of the button, which becomes req.CallbackData, or
// "" for other text.
func (b *Bot) Label(labelled func(*Request) (data string), h func(context.Context, *Request) (View, error)) {
	b.router.labelled, b.router.label = labelled, h
}

// open returns the view of the screen that callback data leads to.
func (b *Bot) open(ctx context.Context, req *Request, data string) (View, error) {
	name, rest := route.Split(data)
	if screen, ok := b.router.screens[name]; ok {
		return screen.open(ctx, req, rest)
	}
	return b.outdated(ctx, req), nil
}

// screenOf returns the name of the route of callback data for metrics: data from outside
// must not make new values.
func (r *router) screenOf(data string) string {
	name, _ := route.Split(data)
	if _, ok := r.screens[name]; !ok {
		return "outdated"
	}
	return name
}

// ErrorAt returns err as an error of the screen that callback data leads to, so
// that "Try again" opens that screen. A nil error stays nil.
func ErrorAt(data string, err error) error {
	if err == nil {
		return nil
	}
	return &errorAt{data: data, error: err}
}

type errorAt struct {
	data string
	error
}

func (e *errorAt) Unwrap() error { return e.error }

// maxRedirects is the number of redirects that one request may make; more are a
// mistake in the program.
const maxRedirects = 4

var errTooManyRedirects = errors.New("too many redirects")

// follow opens the screens that a view redirects to, and notes in req.CallbackData
// which one was opened last or failed.
func (b *Bot) follow(ctx context.Context, req *Request, v View, err error) (View, error) {
	for redirects := 0; err == nil && v.Redirect != ""; redirects++ {
		if redirects == maxRedirects {
			return View{}, errTooManyRedirects
		}
		from := v
		req.CallbackData = from.Redirect
		v, err = b.open(ctx, req, from.Redirect)
		v.AsNewMessage = v.AsNewMessage || from.AsNewMessage
		if v.Toast == "" {
			v.Toast, v.Alert = from.Toast, from.Alert
		}
	}
	if at, ok := errors.AsType[*errorAt](err); ok {
		req.CallbackData = at.data
	}
	return v, err
}

func (b *Bot) outdated(ctx context.Context, req *Request) View {
	if b.hooks.Outdated == nil {
		return View{}
	}
	return b.hooks.Outdated(ctx, req)
}

func add[H any](handlers map[string]H, kind, name string, h H) {
	if _, taken := handlers[name]; taken || name == "" {
		panic("bot: " + kind + " " + name + " is registered twice or has no name")
	}
	handlers[name] = h
}

const maxCommand = 32 // characters (Bot API: BotCommand)

// parseCommand splits "/name@mention args". It does not need the entities that Telegram
// sends with the text, which count in UTF-16 units.
func parseCommand(text string) (name, mention, args string, ok bool) {
	text, ok = strings.CutPrefix(text, "/")
	if !ok {
		return "", "", "", false
	}
	head := text
	if at := strings.IndexFunc(text, unicode.IsSpace); at >= 0 {
		head, args = text[:at], strings.TrimSpace(text[at:])
	}
	name, mention, _ = strings.Cut(head, "@")
	name = strings.ToLower(name)
	invalid := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	if name == "" || len(name) > maxCommand || strings.ContainsFunc(name, invalid) {
		return "", "", "", false
	}
	return name, mention, args, true
}
