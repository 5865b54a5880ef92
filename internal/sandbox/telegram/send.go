package telegram

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Limits of messages (Bot API: sendMessage, sendDocument, getFile).
const (
	maxMessage    = 4096 // UTF-16 units without tags
	maxCaption    = 1024
	maxDownload   = 20 << 20
	typingSeconds = 5
)

// targetChat returns the chat of the call's chat_id, if the bot can write there.
func (s *Server) targetChat(a args) (*chat, *apiError) {
	text := a.str("chat_id")
	if text == "" {
		return nil, badRequest("chat_id is empty")
	}
	id, err := strconv.ParseInt(text, 10, 64)
	c := s.chats[id]
	switch {
	case err != nil || c == nil:
		return nil, badRequest("chat not found")
	case c.kicked && c.kind == "private":
		return nil, refuse(http.StatusForbidden, "Forbidden: bot was blocked by the user")
	case c.kicked:
		return nil, refuse(http.StatusForbidden, "Forbidden: bot was kicked from the "+c.kind+" chat")
	}
	return c, nil
}

func (s *Server) sendMessage(a args) (any, *apiError) {
	c, err := s.targetChat(a)
	if err != nil {
		return nil, err
	}
	m := Message{FromBot: true, From: s.bot}
	if err := m.setText(a); err != nil {
		return nil, err
	}
	if err := s.setPreview(&m, a); err != nil {
		return nil, err
	}
	return s.post(c, m, a)
}

// Unloadable makes url one that Telegram's servers can't load. A message with
// this link preview is sent, but shows no preview.
func (s *Server) Unloadable(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unloadable[url] = true
}

// setText sets text and entities from the call, and refuses an empty text.
func (m *Message) setText(a args) (err *apiError) {
	m.Text, m.source, err = formatted(a, "text", "entities", maxMessage, "message")
	if err == nil && m.Text == "" {
		return badRequest("message text is empty")
	}
	return err
}

// setCaption sets text and entities from the call's caption.
func (m *Message) setCaption(a args) (err *apiError) {
	m.Text, m.source, err = formatted(a, "caption", "caption_entities", maxCaption, "message caption")
	return err
}

func (s *Server) setPreview(m *Message, a args) (err *apiError) {
	m.LinkPreview, err = a.preview()
	m.Unloaded = s.unloadable[m.LinkPreview.URL]
	return err
}

// post adds the parameters that all kinds of messages have, and adds the message
// to the chat.
func (s *Server) post(c *chat, m Message, a args) (any, *apiError) {
	var err *apiError
	if m.Keyboard, m.markup, m.Reply, err = a.markup(); err != nil {
		return nil, err
	}
	if s.opts.NoCopyButtons && m.hasCopyButton() {
		return nil, badRequest(textButton)
	}
	if m.Thread = int(a.integer("message_thread_id")); m.Thread != 0 && !c.topics[m.Thread] {
		return nil, badRequest("message thread not found")
	}
	if m.ReplyTo, err = replyTo(c, a); err != nil {
		return nil, err
	}
	if s.opts.Flood {
		if err := s.checkFlood(c); err != nil {
			return nil, err
		}
	}
	m.Entities = detectEntities(m.Text, m.source)
	m.Protected, m.Silent = a.flag("protect_content"), a.flag("disable_notification")
	return c.add(m).wire(c), nil
}

func replyTo(c *chat, a args) (int, *apiError) {
	object, ok := a["reply_parameters"].node.(map[string]any)
	if !ok {
		return 0, nil
	}
	id, err := strconv.Atoi(fmt.Sprint(object["message_id"]))
	if err == nil && c.message(id) != nil {
		return id, nil
	}
	if anyway, _ := object["allow_sending_without_reply"].(bool); anyway {
		return 0, nil
	}
	return 0, badRequest("message to be replied not found")
}

// preview reads link_preview_options.
func (a args) preview() (LinkPreview, *apiError) {
	object, ok := a["link_preview_options"].node.(map[string]any)
	if !ok {
		return LinkPreview{}, nil
	}
	var p LinkPreview
	if err := json.Unmarshal(canonicalJSON(object), &p); err != nil {
		return p, badRequest("can't parse link preview options: %v", err)
	}
	if p.URL != "" && normalizeURL(p.URL) == "" {
		return p, badRequest("Wrong HTTP URL specified")
	}
	return p, nil
}

// files are the files that the bot has sent.
type files struct {
	byID, byPath map[string]*Document
}

func (f files) add(d *Document) { f.byID[d.id], f.byPath[d.path] = d, d }

// sendFile is sendDocument and sendPhoto; field is "document" or "photo".
func (s *Server) sendFile(a args, field string) (any, *apiError) {
	c, err := s.targetChat(a)
	if err != nil {
		return nil, err
	}
	m := Message{FromBot: true, From: s.bot}
	if err := m.setCaption(a); err != nil {
		return nil, err
	}
	document, err := s.file(a, field)
	if err != nil {
		return nil, err
	}
	if field == "photo" {
		m.Photo = document
	} else {
		m.Document = document
	}
	return s.post(c, m, a)
}

// file returns the file of a call: uploaded, sent before (by file_id), or a photo
// by URL.
func (s *Server) file(a args, field string) (*Document, *apiError) {
	v := a[field]
	name, attached := strings.CutPrefix(v.text, "attach://")
	if attached {
		v = a[name]
	}
	switch {
	case v.file != nil && len(v.file.Data) == 0:
		return nil, badRequest("file must be non-empty")
	case v.file != nil:
		if field == "photo" {
			if err := v.file.setDimensions(); err != nil {
				return nil, err
			}
		}
		return s.storeFile(*v.file, field), nil
	case attached:
		return nil, badRequest("there is no file %q in the request", name)
	case s.files.byID[v.text] != nil:
		return s.files.byID[v.text], nil
	case !strings.Contains(v.text, "://"):
		return nil, badRequest("wrong remote file identifier specified: can't unserialize it. Wrong last symbol")
	case field != "photo" || normalizeURL(v.text) == "":
		return nil, badRequest("failed to get HTTP URL content")
	}
	return s.storeFile(Document{Name: path.Base(v.text), URL: v.text}, field), nil
}

// storeFile gives the file its file_id and file_path.
func (s *Server) storeFile(d Document, field string) *Document {
	n := len(s.files.byID) + 1
	if d.Type == "" || d.Type == "application/octet-stream" {
		if guess := mime.TypeByExtension(path.Ext(d.Name)); guess != "" {
			d.Type, _, _ = strings.Cut(guess, ";")
		}
	}
	d.id = fmt.Sprintf("pretend-%s-%d", field, n)
	d.path = fmt.Sprintf("%ss/file_%d%s", field, n, path.Ext(d.Name))
	s.files.add(&d)
	return &d
}

type wireFile struct {
	ID       string `json:"file_id"`
	UniqueID string `json:"file_unique_id"`
	Size     int    `json:"file_size,omitempty"`
	Path     string `json:"file_path,omitempty"`
}

func (s *Server) getFile(a args) (any, *apiError) {
	d := s.files.byID[a.str("file_id")]
	switch {
	case d == nil:
		return nil, badRequest("invalid file_id")
	case len(d.Data) > maxDownload:
		return nil, badRequest("file is too big")
	}
	return wireFile{ID: d.id, UniqueID: "u" + d.id, Size: len(d.Data), Path: d.path}, nil
}

// serveFile answers /file/bot<token>/<file_path>.
func (s *Server) serveFile(w http.ResponseWriter, token, file string) {
	s.mu.Lock()
	d := s.files.byPath[file]
	s.mu.Unlock()
	switch {
	case token != s.opts.Token:
		writeResponse(w, nil, refuse(http.StatusUnauthorized, "Unauthorized"))
	case d == nil || len(d.Data) > maxDownload:
		writeResponse(w, nil, refuse(http.StatusNotFound, "Not Found"))
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(d.Data)))
		_, _ = w.Write(d.Data) // an error means that the caller is gone
	}
}

// chatActions are the actions of sendChatAction (Bot API: sendChatAction).
var chatActions = map[string]bool{
	"typing": true, "upload_photo": true, "record_video": true, "upload_video": true, "record_voice": true,
	"upload_voice": true, "upload_document": true, "choose_sticker": true, "find_location": true,
	"record_video_note": true, "upload_video_note": true,
}

func (s *Server) sendChatAction(a args) (any, *apiError) {
	c, err := s.targetChat(a)
	if err != nil {
		return nil, err
	}
	action := a.str("action")
	if !chatActions[action] {
		return nil, badRequest("wrong parameter action in request")
	}
	c.typing = time.Now().Add(typingSeconds * time.Second)
	c.log(event{kind: eventAction, text: action})
	return true, nil
}
