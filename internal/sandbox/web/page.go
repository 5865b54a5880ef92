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
//	GET  /                          the page and what it is made of
//	GET  /events                    all that is to be seen, and then every change (events.go)
//	GET  /file/{person}/{message}   the file of a message
//	POST /type                      {person, text}
//	POST /sticker                   {person}
//	POST /tap                       {person, message, data}
//
// and what the back room asks for (room.go). A post is answered with 204, or with
// a 4xx and one sentence.
type page struct {
	goods  *market.Server
	chats  *telegram.Server
	people map[int64]*telegram.Client
	bot    *child
	masks  *masks
	log    *slog.Logger
}

func newPage(goods *market.Server, chats *telegram.Server, bot *child, token string, log *slog.Logger) *page {
	p := &page{goods: goods, chats: chats, people: map[int64]*telegram.Client{}, bot: bot, masks: newMasks(token), log: log}
	for _, who := range residents() {
		p.people[who.ID] = chats.Join(who.Person)
	}
	return p
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
	mux.HandleFunc("GET /file/{person}/{message}", p.file)
	mux.Handle("POST /type", post(p.typeText))
	mux.Handle("POST /sticker", post(p.sticker))
	mux.Handle("POST /tap", post(p.tap))
	p.backRoom(mux)
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

var (
	errNobody  = errors.New("there is no such person")
	errNotSent = errors.New("there is nothing to send, or the bot is blocked")
)

func (p *page) typeText(asked struct {
	Person int64  `json:"person"`
	Text   string `json:"text"`
},
) error {
	person := p.people[asked.Person]
	if person == nil {
		return errNobody
	}
	if len(utf16.Encode([]rune(asked.Text))) > maxTyped {
		return errors.New("a message has at most 4096 characters")
	}
	if person.Type(asked.Text) == 0 {
		return errNotSent
	}
	return nil
}

func (p *page) sticker(asked struct {
	Person int64 `json:"person"`
},
) error {
	person := p.people[asked.Person]
	if person == nil {
		return errNobody
	}
	if person.Sticker() == 0 {
		return errNotSent
	}
	return nil
}

// tap sends what the tapped button carried when the page drew it, as Telegram's
// apps do: the message may have been edited since.
func (p *page) tap(asked struct {
	Person  int64  `json:"person"`
	Message int    `json:"message"`
	Data    string `json:"data"`
},
) error {
	person := p.people[asked.Person]
	if person == nil {
		return errNobody
	}
	return person.TapButton(asked.Message, asked.Data)
}

// file serves the file of a message for saving, never for showing.
func (p *page) file(w http.ResponseWriter, r *http.Request) {
	who, err := strconv.ParseInt(r.PathValue("person"), 10, 64)
	person := p.people[who]
	if err != nil || person == nil {
		http.NotFound(w, r)
		return
	}
	id, err := strconv.Atoi(r.PathValue("message"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	message, ok := person.Message(id)
	file := document(message)
	if !ok || message.Deleted || file == nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	header.Set("Content-Length", strconv.Itoa(len(file.Data)))
	if _, err := w.Write(file.Data); err != nil {
		p.log.Debug("a download broke off", "error", err)
	}
}

// document is the file that a message brings, nil where it has none, or one that
// the bot named by its address only.
func document(m telegram.Message) *telegram.Document {
	for _, file := range []*telegram.Document{m.Document, m.Photo} {
		if file != nil && file.URL == "" {
			return file
		}
	}
	return nil
}
