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
	maxBody    = 64 << 10 // bytes of a POST body
	maxMessage = 4096     // UTF-16 units; Telegram's apps split longer texts
)

// page serves the browser:
//
//	GET  /                          the static files
//	GET  /events                    the whole state, then every change (events.go)
//	GET  /file/{chat}/{message}     the file of a message
//	POST /type                      {person, text}
//	POST /sticker                   {person}
//	POST /tap                       {person, message, data}, in a room with {room}
//	POST /inline                    {person, query, more}
//	POST /inline/choose             {person, result, to}
//	POST /inline/button             {person}
//	POST /room/type                 {person, room, text}
//	POST /room/bot                  {room, on}
//	POST /share                     {person, request, kind, ids}
//
// and the endpoints of the back room (control.go). A POST is answered with 204, or
// with a 4xx and one sentence, which the page shows.
type page struct {
	market   *market.Server
	telegram *telegram.Server
	people   map[int64]*telegram.Client // by user id
	rooms    []*room                    // in the order of the page
	bot      *child
	secrets  *secrets
	log      *slog.Logger
}

func newPage(marketServer *market.Server, telegramServer *telegram.Server, bot *child, token string, log *slog.Logger) *page {
	p := &page{
		market: marketServer, telegram: telegramServer, people: map[int64]*telegram.Client{},
		bot: bot, secrets: newSecrets(token), log: log,
	}
	for _, person := range demoPeople() {
		p.people[person.ID] = telegramServer.Join(person.Person)
	}
	p.createRooms()
	return p
}

// handler returns the page for a listener on addr.
func (p *page) handler(addr net.Addr) http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // "static" is a valid path
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("GET /file/{chat}/{message}", p.file)
	mux.Handle("POST /type", post(p.typeText))
	mux.Handle("POST /sticker", post(p.sticker))
	mux.Handle("POST /tap", post(p.tap))
	mux.Handle("POST /inline", post(p.inline))
	mux.Handle("POST /inline/choose", post(p.choose))
	mux.Handle("POST /inline/button", post(p.inlineButton))
	mux.Handle("POST /room/type", post(p.typeInRoom))
	mux.Handle("POST /room/bot", post(p.placeBot))
	mux.Handle("POST /share", post(p.share))
	p.handleControl(mux)
	return guard(addr, mux)
}

// post returns a handler that decodes the JSON body and calls do with it. The error
// of do is the answer.
func post[T any](do func(T) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		decoder.DisallowUnknownFields()
		var req T
		if err := decoder.Decode(&req); err != nil {
			http.Error(w, "the request is not valid", http.StatusBadRequest)
			return
		}
		if err := do(req); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// person returns the client of a pretend person.
func (p *page) person(id int64) (*telegram.Client, error) {
	if person := p.people[id]; person != nil {
		return person, nil
	}
	return nil, errors.New("there is no such person")
}

// checkSent returns an error for the id 0, which means that no message was sent.
func checkSent(messageID int) error {
	if messageID == 0 {
		return errors.New("the message is empty, or the bot is blocked")
	}
	return nil
}

func (p *page) typeText(req struct {
	Person int64  `json:"person"`
	Text   string `json:"text"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	if len(utf16.Encode([]rune(req.Text))) > maxMessage {
		return errors.New("a message has at most 4096 characters")
	}
	return checkSent(person.Type(req.Text))
}

func (p *page) sticker(req struct {
	Person int64 `json:"person"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	return checkSent(person.Sticker())
}

// tap sends the data that the button had when the page drew it, as Telegram's apps
// do: the message may have been edited since.
func (p *page) tap(req struct {
	Person  int64  `json:"person"`
	Room    int64  `json:"room"` // 0: the person's chat
	Message int    `json:"message"`
	Data    string `json:"data"`
},
) error {
	person, err := p.person(req.Person)
	if err != nil {
		return err
	}
	switch r := p.room(req.Room); {
	case req.Room == 0:
		return person.TapButton(req.Message, req.Data)
	case r == nil:
		return errNoRoom
	default:
		return r.TapButton(person, req.Message, req.Data)
	}
}

// file serves the file of a message: a photo, which the sandbox has decoded, as a
// picture, and anything else as a download that browsers never display.
func (p *page) file(w http.ResponseWriter, r *http.Request) {
	chatID, _ := strconv.ParseInt(r.PathValue("chat"), 10, 64)
	messageID, _ := strconv.Atoi(r.PathValue("message"))
	var message telegram.Message
	if person := p.people[chatID]; person != nil {
		message, _ = person.Message(messageID)
	} else if room := p.room(chatID); room != nil {
		message, _ = room.Message(messageID)
	}
	file := document(message)
	if message.Deleted || file == nil {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	kind, disposition := "application/octet-stream", "attachment"
	if message.Photo != nil {
		kind, disposition = http.DetectContentType(file.Data), "inline"
	}
	header.Set("Content-Type", kind)
	header.Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": file.Name}))
	header.Set("Content-Length", strconv.Itoa(len(file.Data)))
	if _, err := w.Write(file.Data); err != nil {
		p.log.Debug("download interrupted", "error", err)
	}
}

// document returns the file of a message. It returns nil if there is none, or if the
// bot sent only its address.
func document(m telegram.Message) *telegram.Document {
	for _, file := range []*telegram.Document{m.Document, m.Photo} {
		if file != nil && file.URL == "" {
			return file
		}
	}
	return nil
}
