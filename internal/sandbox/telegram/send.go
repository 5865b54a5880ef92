package telegram

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
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
	case c.migratedTo != 0:
		return nil, &apiError{
			Code: http.StatusBadRequest, Description: "Bad Request: group chat was upgraded to a supergroup chat", MigrateTo: c.migratedTo,
		}
	case c.status == "kicked" && c.kind == "private":
		return nil, refuse(http.StatusForbidden, "Forbidden: bot was blocked by the user")
	case c.status == "kicked":
		return nil, refuse(http.StatusForbidden, "Forbidden: bot was kicked from the "+c.kind+" chat")
	case c.status == "left":
		return nil, refuse(http.StatusForbidden, "Forbidden: bot is not a member of the "+c.kind+" chat")
	}
	return c, nil
}

// checkWritable refuses what a bot writes in a channel without the right to post.
func (c *chat) checkWritable() *apiError {
	if c.kind == "channel" && !c.can("can_post_messages") {
		return badRequest("need administrator rights in the channel chat")
	}
	return nil
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

// unknownToOld returns the refusal of what the server is too old for (Options).
func (s *Server) unknownToOld(m *Message, a args) *apiError {
	isTime := func(e Entity) bool { return e.Type == "date_time" }
	switch {
	case s.opts.NoLocalTimes && slices.ContainsFunc(m.source, isTime):
		return badRequest(`can't parse entities: Unsupported start tag "tg-time" at byte offset %d`, strings.Index(a.str("text")+a.str("caption"), "<tg-time"))
	case s.opts.NoCopyButtons && m.hasCopyButton():
		return badRequest(textButton)
	}
	return nil
}

func (s *Server) setPreview(m *Message, a args) (err *apiError) {
	m.LinkPreview, err = a.preview()
	m.Unloaded = s.unloadable[m.LinkPreview.URL]
	return err
}

// post adds the parameters that all kinds of messages have, and adds the message
// to the chat.
func (s *Server) post(c *chat, m Message, a args) (any, *apiError) {
	err := c.checkWritable()
	if err != nil {
		return nil, err
	}
	if c.status == "restricted" {
		what := "text messages"
		if m.Photo != nil {
			what = "photos"
		} else if m.Document != nil {
			what = "documents"
		}
		return nil, badRequest("not enough rights to send %s to the chat", what)
	}
	if m.Keyboard, m.markup, m.Reply, err = a.markup(); err != nil {
		return nil, err
	}
	if err := c.checkReply(m.Reply); err != nil {
		return nil, err
	}
	if err := s.unknownToOld(&m, a); err != nil {
		return nil, err
	}
	m.Thread = int(a.integer("message_thread_id"))
	if err := c.checkTopic(m.Thread); err != nil {
		return nil, err
	}
	if m.ReplyTo, err = s.replyTo(c, a); err != nil {
		return nil, err
	}
	if m.Effect, err = s.effect(c, a); err != nil {
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

// replyTo returns the ID of the message that reply_parameters names, 0 for none
// (Bot API: ReplyParameters). A message of another chat is refused, although
// Telegram accepts some: what one person got is not shown to another.
func (s *Server) replyTo(c *chat, a args) (int, *apiError) {
	object, ok := a["reply_parameters"].node.(map[string]any)
	if !ok {
		return 0, nil
	}
	for name := range object {
		if name != "message_id" && name != "chat_id" && name != "allow_sending_without_reply" {
			return 0, badRequest("%q of reply_parameters is not implemented in the sandbox", name)
		}
	}
	in := c
	if id := object["chat_id"]; id != nil {
		n, _ := strconv.ParseInt(fmt.Sprint(id), 10, 64)
		if in = s.chats[n]; in == nil {
			return 0, badRequest("chat not found")
		}
	}
	id := int(nodeInteger(object["message_id"]))
	if in == c && c.message(id) != nil {
		return id, nil
	}
	// Bot API: allow_sending_without_reply is "always False for replies in another chat".
	if anyway, _ := object["allow_sending_without_reply"].(bool); anyway && in == c {
		return 0, nil
	}
	return 0, badRequest("message to be replied not found")
}

// effects are the message effects that every account has, by message_effect_id.
var effects = map[string]string{
	"5046509860389126442": "🎉", "5104841245755180586": "🔥", "5107584321108051014": "👍",
	"5104858069142078462": "👎", "5159385139981059251": "❤️", "5046589136895476101": "💩",
}

// effect returns the emoji of message_effect_id, "" for none.
func (s *Server) effect(c *chat, a args) (string, *apiError) {
	v, ok := a["message_effect_id"]
	switch emoji := effects[v.text]; {
	case !ok:
		return "", nil
	case c.kind != "private":
		return "", badRequest("can't use message effects in the chat")
	case emoji == "" || s.opts.NoEffects:
		return "", badRequest("EFFECT_ID_INVALID")
	default:
		return emoji, nil
	}
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
	if err := c.checkWritable(); err != nil {
		return nil, err
	}
	if err := c.checkTopic(int(a.integer("message_thread_id"))); err != nil {
		return nil, err
	}
	c.typing = time.Now().Add(typingSeconds * time.Second)
	c.log(event{kind: eventAction, text: action})
	return true, nil
}
