package web

import (
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"unicode/utf16"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

//go:embed static
var static embed.FS

const (
	maxBody  = 64 << 10 // bytes of what the page posts
	maxTyped = 4096     // UTF-16 units; Telegram's apps split what is longer
)

// page answers the browser:
//
//	GET  /                the page and what it is made of
//	GET  /events          all that is to be seen, and then every change (events.go)
//	GET  /file/{message}  the file of a message
//	POST /type            {text}
//	POST /sticker         {}
//	POST /tap             {message, data}
//	POST /order           {order, do: "deliver", "finish", "fail" or "refund"}
//	POST /lose            {}: the marketplace's next sale gets no answer
//	POST /kill            {}: the bot's process, the hard way
//
// A post is answered with 204, or with a 4xx and one sentence.
type page struct {
	goods  *market.Server
	chats  *telegram.Server
	person *telegram.Client
	bot    *child
	log    *slog.Logger
}

func newPage(goods *market.Server, chats *telegram.Server, bot *child, log *slog.Logger) *page {
	return &page{goods: goods, chats: chats, person: chats.Join(you), bot: bot, log: log}
}

// handler returns the page for a listener.
func (p *page) handler(at net.Addr) http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the name above is wrong
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("GET /file/{message}", p.file)
	mux.Handle("POST /type", post(p.typeText))
	mux.Handle("POST /sticker", post(p.sticker))
	mux.Handle("POST /tap", post(p.tap))
	mux.Handle("POST /order", post(p.order))
	mux.Handle("POST /lose", post(p.lose))
	mux.Handle("POST /kill", post(p.kill))
	return guard(at, mux)
}

// post decodes the JSON that do takes. The error's sentence is shown.
func post[T any](do func(T) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()
		var asked T
		if err := decoder.Decode(&asked); err != nil {
			http.Error(w, "this can't be understood", http.StatusBadRequest)
			return
		}
		if err := do(asked); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

type nothing struct{}

var errNotSent = errors.New("there is nothing to send, or the bot is blocked")

func (p *page) typeText(asked struct {
	Text string `json:"text"`
},
) error {
	if len(utf16.Encode([]rune(asked.Text))) > maxTyped {
		return errors.New("a message has at most 4096 characters")
	}
	if p.person.Type(asked.Text) == 0 {
		return errNotSent
	}
	return nil
}

func (p *page) sticker(nothing) error {
	if p.person.Sticker() == 0 {
		return errNotSent
	}
	return nil
}

// tap sends what the tapped button carried when the page drew it, as Telegram's
// apps do: the message may have been edited since.
func (p *page) tap(asked struct {
	Message int    `json:"message"`
	Data    string `json:"data"`
},
) error {
	if _, ok := p.person.Message(asked.Message); !ok || asked.Data == "" {
		return errors.New("there is no such button")
	}
	if p.person.Blocked() {
		return errNotSent
	}
	p.person.TapData(asked.Message, asked.Data)
	return nil
}

func (p *page) order(asked struct {
	Order int64  `json:"order"`
	Do    string `json:"do"`
},
) error {
	switch asked.Do {
	case "deliver":
		return p.goods.Deliver(asked.Order, 1)
	case "finish":
		return p.goods.Finish(asked.Order)
	case "fail":
		return p.goods.Fail(asked.Order)
	case "refund":
		return p.goods.Refund(asked.Order)
	default:
		return errors.New("an order can't do that")
	}
}

func (p *page) lose(nothing) error {
	p.goods.Fault(market.Fault{Action: "add", Kind: market.CommitThenLose})
	return nil
}

func (p *page) kill(nothing) error { return p.bot.kill() }

// file serves the file of a message for saving, never for showing.
func (p *page) file(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("message"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	message, ok := p.person.Message(id)
	if !ok || message.Deleted || message.Document == nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": message.Document.Name}))
	header.Set("Content-Length", strconv.Itoa(len(message.Document.Data)))
	if _, err := w.Write(message.Document.Data); err != nil {
		p.log.Debug("a download broke off", "error", err)
	}
}
