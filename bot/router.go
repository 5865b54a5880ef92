package bot

import (
	"context"
	"strings"
	"unicode"

	"hstockbot/internal/route"
)

type (
	handler func(context.Context, *Request) (View, error)
	screen  func(ctx context.Context, req *Request, args string) (View, error)
)

// router knows which handler is for what.
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

// Handle registers the screen of a route. It panics on a name that is taken: a
// mistake in the program, found when it starts.
func Handle[A any](b *Bot, r route.Route[A], h func(context.Context, *Request, A) (View, error)) {
	add(b.router.screens, "route", r.Name(), func(ctx context.Context, req *Request, rest string) (View, error) {
		args, err := r.Parse(rest)
		if err != nil {
			return b.outdated(ctx, req), nil //nolint:nilerr // an old button is no failure
		}
		return h(ctx, req, args)
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

// Open returns the screen that callback data leads to, as if it had been
// tapped: to come back to it after a question.
func (b *Bot) Open(ctx context.Context, req *Request, data string) (View, error) {
	name, rest := route.Split(data)
	if open, ok := b.router.screens[name]; ok {
		return open(ctx, req, rest)
	}
	return b.outdated(ctx, req), nil
}

func (b *Bot) outdated(ctx context.Context, req *Request) View {
	if b.cfg.Outdated == nil {
		return View{}
	}
	return b.cfg.Outdated(ctx, req)
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
