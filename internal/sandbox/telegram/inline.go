package telegram

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of inline mode (Bot API: InlineQuery, answerInlineQuery).
const (
	maxInlineQuery = 256 // characters
	maxResults     = 50
	maxResultID    = 64 // bytes
	maxNextOffset  = 64 // bytes

	defaultCacheTime = 300 * time.Second
	inlineLifetime   = 15 * time.Second // not documented; assumed
)

// InlineResult is a result in the answer to an inline query.
type InlineResult struct {
	ID          string
	Title       string
	Description string
	Thumbnail   string // a URL; "": none
	Message     Message
}

// InlineAnswer is what a person sees above the text field. Results holds all pages
// that have been requested.
type InlineAnswer struct {
	Query      string
	Results    []InlineResult
	NextOffset string // "": no more results
	Button     string // the label of the button above the results; "": none
	Start      string // the start parameter of the button
	Personal   bool
	CacheTime  time.Duration
	Cached     bool // an earlier answer; the bot got no query
}

// inlineQuery is one request for results.
type inlineQuery struct {
	id     string
	chat   *chat // the person's private chat
	text   string
	offset string
	at     time.Time
	answer *InlineAnswer // nil: none yet
}

// inlineQueries holds the queries that can still be answered, and the cached
// answers.
type inlineQueries struct {
	open   map[string]*inlineQuery
	cached map[cacheKey]cachedAnswer
}

// cacheKey is the query of a cached answer; person is 0 if the answer is for all.
type cacheKey struct {
	person        int64
	query, offset string
}

type cachedAnswer struct {
	answer InlineAnswer
	until  time.Time
}

type wireInlineQuery struct {
	ID       string   `json:"id"`
	From     wireUser `json:"from"`
	Query    string   `json:"query"`
	Offset   string   `json:"offset"`
	ChatType string   `json:"chat_type"`
}

// Inline types "@<bot> query" into the text field of any chat. A person who has
// blocked the bot can do this too.
func (c *Client) Inline(query string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if utf8.RuneCountInString(query) > maxInlineQuery {
		query = string([]rune(query)[:maxInlineQuery])
	}
	c.chat.inline = nil
	c.startInlineQuery(query, "")
}

// InlineMore scrolls to the end of the results, which requests the next page.
func (c *Client) InlineMore() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.chat.inline == nil || c.chat.inline.NextOffset == "" {
		return errors.New("there are no more results")
	}
	c.startInlineQuery(c.chat.inline.Query, c.chat.inline.NextOffset)
	return nil
}

// InlineAnswer returns the answer to the newest query, false until the bot has
// answered.
func (c *Client) InlineAnswer() (InlineAnswer, bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.chat.inline == nil {
		return InlineAnswer{}, false
	}
	shown := *c.chat.inline
	shown.Results = slices.Clone(shown.Results)
	return shown, true
}

// Choose taps the result with this title. The person sends its message to the
// group or, if the group is nil, to the private chat with the bot.
func (c *Client) Choose(title string, in *Group) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m, err := c.take(func(r InlineResult) bool { return r.Title == title })
	if err != nil {
		return fmt.Errorf("the title %q: %w", title, err)
	}
	to := c.chat
	if in != nil {
		to = in.chat
	}
	to.addChosen(m)
	return nil
}

// Share taps the result with this ID. The person sends its message to another person,
// in a chat of the two that the bot does not see (Received), or to the private chat with
// the bot if to is the person themselves.
func (c *Client) Share(id string, to *Client) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	m, err := c.take(func(r InlineResult) bool { return r.ID == id })
	if err != nil {
		return fmt.Errorf("the ID %q: %w", id, err)
	}
	if to.chat == c.chat {
		c.chat.addChosen(m)
		return nil
	}
	m.ID, m.Chat, m.Date = len(to.chat.received)+1, c.chat.id, time.Now()
	to.chat.received = append(to.chat.received, m)
	c.s.changed(to.chat)
	return nil
}

// Received returns what other people have sent to this person with Share, oldest first.
func (c *Client) Received() []Message {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return slices.Clone(c.chat.received)
}

// take ends the choice and returns the message of the first result that matches. The
// caller holds mu.
func (c *Client) take(matches func(InlineResult) bool) (Message, error) {
	if c.chat.inline == nil {
		return Message{}, errors.New("there are no results")
	}
	i := slices.IndexFunc(c.chat.inline.Results, matches)
	if i < 0 {
		return Message{}, errors.New("no result has it")
	}
	m := c.chat.inline.Results[i].Message
	m.From, m.Via = c.chat.person, c.s.bot.Username
	c.chat.inline = nil
	c.s.changed(c.chat)
	return m, nil
}

// addChosen adds the message of a chosen result. The bot gets it, unless it is blocked.
func (c *chat) addChosen(m Message) {
	sent := c.add(m)
	if !c.gone() {
		c.s.enqueue("message", c.id, sent.wire(c))
	}
}

// TapInlineButton taps the button above the results. It opens the private chat with
// the bot and sends /start with the button's parameter.
func (c *Client) TapInlineButton() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.chat.inline == nil || c.chat.inline.Button == "" {
		return errors.New("there is no button above the results")
	}
	start := c.chat.inline.Start
	c.chat.inline = nil
	c.typeText("/start " + start)
	return nil
}

// startInlineQuery shows a cached answer, or sends the query to the bot. The caller
// holds mu.
func (c *Client) startInlineQuery(query, offset string) {
	s := c.s
	q := &inlineQuery{chat: c.chat, text: query, offset: offset, at: time.Now()}
	c.chat.lastInline = q
	c.chat.log(event{kind: eventInline, actor: c.chat.person.FirstName, inline: q})
	for _, person := range []int64{c.chat.id, 0} {
		cached, ok := s.inline.cached[cacheKey{person, query, offset}]
		if ok && time.Now().Before(cached.until) {
			cached.answer.Cached = true
			q.show(cached.answer)
			return
		}
	}
	q.id = s.nextQueryID()
	s.inline.sweep()
	s.inline.open[q.id] = q
	s.enqueue("inline_query", c.chat.id, wireInlineQuery{ID: q.id, From: c.chat.person.wire(false), Query: query, Offset: offset, ChatType: "sender"})
}

// sweep removes expired queries and answers.
func (i *inlineQueries) sweep() {
	maps.DeleteFunc(i.open, func(_ string, q *inlineQuery) bool { return time.Since(q.at) > inlineLifetime })
	maps.DeleteFunc(i.cached, func(_ cacheKey, cached cachedAnswer) bool { return !time.Now().Before(cached.until) })
}

// show shows an answer to the person, unless they have typed a newer query.
func (q *inlineQuery) show(answer InlineAnswer) {
	q.answer = &answer
	c := q.chat
	if c.lastInline == q {
		shown := answer
		if q.offset != "" && c.inline != nil {
			shown.Results = slices.Concat(c.inline.Results, answer.Results)
		}
		c.inline = &shown
	}
	c.s.changed(c)
}

func (s *Server) answerInlineQuery(a args) (any, *apiError) {
	answer, err := a.inlineAnswer()
	if err != nil {
		return nil, err
	}
	q := s.inline.open[a.str("inline_query_id")]
	if q == nil || time.Since(q.at) > inlineLifetime {
		return nil, badRequest(expiredQuery)
	}
	delete(s.inline.open, q.id) // a second answer is refused
	answer.Query = q.text
	if answer.CacheTime > 0 {
		person := int64(0)
		if answer.Personal {
			person = q.chat.id
		}
		s.inline.cached[cacheKey{person, q.text, q.offset}] = cachedAnswer{answer, time.Now().Add(answer.CacheTime)}
	}
	q.show(answer)
	return true, nil
}

var startParameterFormat = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// inlineAnswer reads the checked parameters of answerInlineQuery.
func (a args) inlineAnswer() (InlineAnswer, *apiError) {
	answer := InlineAnswer{NextOffset: a.str("next_offset"), Personal: a.flag("is_personal"), CacheTime: defaultCacheTime}
	if _, ok := a["cache_time"]; ok {
		answer.CacheTime = time.Duration(a.integer("cache_time")) * time.Second
	}
	if answer.CacheTime < 0 {
		return answer, badRequest("cache_time is negative (strict)")
	}
	if len(answer.NextOffset) > maxNextOffset {
		return answer, badRequest("NEXT_OFFSET_INVALID")
	}
	if button, ok := a["button"].node.(map[string]any); ok {
		answer.Button, _ = button["text"].(string)
		answer.Start, _ = button["start_parameter"].(string)
		switch {
		case button["web_app"] != nil:
			return answer, badRequest("a button of a web app is not implemented in the sandbox")
		case strings.TrimSpace(answer.Button) == "":
			return answer, badRequest("SWITCH_PM_TEXT_EMPTY")
		case answer.Start == "":
			return answer, badRequest("START_PARAM_EMPTY")
		case !startParameterFormat.MatchString(answer.Start):
			return answer, badRequest("START_PARAM_INVALID")
		}
	}
	list, _ := a["results"].node.([]any)
	if len(list) > maxResults {
		return answer, badRequest("RESULTS_TOO_MUCH")
	}
	seen := map[string]bool{}
	for _, node := range list {
		fields, _ := node.(map[string]any)
		result, err := inlineResult(fields)
		switch {
		case err != nil:
			return answer, err
		case result.ID == "":
			return answer, badRequest("RESULT_ID_EMPTY")
		case len(result.ID) > maxResultID:
			return answer, badRequest("RESULT_ID_INVALID")
		case seen[result.ID]:
			return answer, badRequest("RESULT_ID_DUPLICATE")
		}
		seen[result.ID] = true
		answer.Results = append(answer.Results, result)
	}
	return answer, nil
}

// inlineResult reads a result. The sandbox implements articles with a text.
func inlineResult(fields map[string]any) (InlineResult, *apiError) {
	text := func(object map[string]any, name string) string { s, _ := object[name].(string); return s }
	r := InlineResult{
		ID: text(fields, "id"), Title: text(fields, "title"), Description: text(fields, "description"), Thumbnail: text(fields, "thumbnail_url"),
	}
	content, _ := fields["input_message_content"].(map[string]any)
	if kind := text(fields, "type"); kind != "article" || content["message_text"] == nil {
		return r, badRequest("an inline result of type %q without a text is not implemented in the sandbox", kind)
	}
	if strings.TrimSpace(r.Title) == "" {
		return r, badRequest("ARTICLE_TITLE_EMPTY")
	}
	for _, link := range []string{r.Thumbnail, text(fields, "url")} {
		if link != "" && normalizeURL(link) == "" {
			return r, badRequest("WEBDOCUMENT_URL_INVALID")
		}
	}
	inner := args{
		"text":                 {text: text(content, "message_text")},
		"parse_mode":           {text: text(content, "parse_mode")},
		"entities":             {node: content["entities"]},
		"link_preview_options": {node: content["link_preview_options"]},
		"reply_markup":         {node: fields["reply_markup"], text: string(canonicalJSON(fields["reply_markup"]))},
	}
	m := &r.Message
	err := m.setText(inner)
	if err != nil {
		return r, err
	}
	if m.LinkPreview, err = inner.preview(); err != nil {
		return r, err
	}
	if m.Keyboard, m.markup, m.Reply, err = inner.markup(); err != nil {
		return r, err
	}
	if m.Reply != nil {
		return r, badRequest("inline keyboard expected")
	}
	if _, ok := m.button(func(b Button) bool { return b.CallbackData != "" }); ok {
		return r, badRequest("a callback button under an inline result is not implemented in the sandbox")
	}
	m.Entities = detectEntities(m.Text, m.source)
	return r, nil
}
