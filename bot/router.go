package bot

import (
	"context"
	"errors"
	"strings"
	"unicode"

	"hstockbot/internal/route"
)

type handler func(context.Context, *Request) (View, error)

// screen is what a route leads to.
type screen struct {
	open func(ctx context.Context, req *Request, args string) (View, error)
	// retry returns the callback data that "Try again" may carry after an error, ""
	// for none.
	retry func(args string) string
}

// router finds the handler of a button, a command or a typed answer.
type router struct {
	screens  map[string]screen
	commands map[string]handler
	steps    map[string]handler
	text     handler
}

func newRouter() router {
	return router{
		screens: map[string]screen{}, commands: map[string]handler{}, steps: map[string]handler{},
		text: func(context.Context, *Request) (View, error) { return View{}, nil },
	}
}

// Screen registers the handler of a route that only draws: after an error
// "Try again" opens it again. It panics on a name that is taken: a mistake in the
// program, found when it starts.
func Screen[A any](b *Bot, r route.Route[A], h func(context.Context, *Request, A) (View, error)) {
	Action(b, r, h, r.Data)
}

// Action registers the handler of a route that does something. retry returns the
// callback data that "Try again" may carry after an error: that of a screen that
// leads there, of the route itself where it is harmless to repeat, or "" for none.
// A nil retry means none. It panics as Screen does.
func Action[A any](b *Bot, r route.Route[A], h func(context.Context, *Request, A) (View, error), retry func(A) string) {
	add(b.router.screens, "route", r.Name(), screen{
		open: func(ctx context.Context, req *Request, rest string) (View, error) {
			args, err := r.Parse(rest)
			if err != nil {
				return b.outdated(ctx, req), nil //nolint:nilerr // an old button is no failure
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
	})
}

// Command registers what a command does, by its name in lower case without the
// slash. It panics on a name that is taken.
func (b *Bot) Command(name string, h func(context.Context, *Request) (View, error)) {
	add(b.router.commands, "command", name, handler(h))
}

// Step registers what is done with the answer in a dialog: req.Text, which is
// "" for a sticker and the like, and req.Data. It panics on a name that is taken.
func (b *Bot) Step(name string, h func(context.Context, *Request) (View, error)) {
	add(b.router.steps, "step", name, handler(h))
}

// Text registers what is done with text outside of dialogs and with unknown
// commands.
func (b *Bot) Text(h func(context.Context, *Request) (View, error)) { b.router.text = h }

// open returns the view that callback data leads to.
func (b *Bot) open(ctx context.Context, req *Request, data string) (View, error) {
	name, rest := route.Split(data)
	if screen, ok := b.router.screens[name]; ok {
		return screen.open(ctx, req, rest)
	}
	return b.outdated(ctx, req), nil
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

func add[H any](handlers map[string]H, what, name string, h H) {
	if _, taken := handlers[name]; taken || name == "" {
		panic("bot: " + what + " " + name + " is registered twice or has no name")
	}
	handlers[name] = h
}

const maxCommand = 32 // characters (Bot API: BotCommand)

// parseCommand splits "/name@mention args". The text is what people typed: the
// entities that Telegram sends along count in UTF-16 units and are not needed.
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
	odd := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }
	if name == "" || len(name) > maxCommand || strings.ContainsFunc(name, odd) {
		return "", "", "", false
	}
	return name, mention, args, true
}
