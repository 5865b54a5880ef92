package telegram

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of inline mode (Bot API: InlineQuery, answerInlineQuery).
const (
	maxQuery      = 256 // characters of what is typed
	maxResults    = 50
	maxResultID   = 64 // bytes
	maxNextOffset = 64 // bytes

	usualCache = 300 // seconds, where the bot does not say
	// inlineLife is how long a query can be answered. Telegram does not say; a
	// person has typed on by then.
	inlineLife = 15 * time.Second
)

// InlineResult is one of the results that an inline query was answered with.
type InlineResult struct {
	ID          string
	Title       string
	Description string
	Thumbnail   string // a URL, "" for none
	Message     Message
}

// InlineAnswer is what a person sees above the text field. Results are those of
// all pages that have been asked for.
type InlineAnswer struct {
	Query      string
	Results    []InlineResult
	NextOffset string // "": there are no more
	Button     string // its label, "" for none
	Start      string // what the button starts the bot with
	Personal   bool
	CacheTime  time.Duration
	Cached     bool // an earlier answer of the bot's, which was not asked
}

// inlineQuery is one request for results.
type inlineQuery struct {
	id     string
	chat   *chat // of the person
	text   string
	offset string
	at     time.Time
	answer *InlineAnswer // nil: none yet
}

// inlines are the queries that can still be answered, and the answers that are
// shown again without asking.
type inlines struct {
	open   map[string]*inlineQuery
	cached map[cachedFor]cachedAnswer
}

// cachedFor says what an answer is for; person is 0 for everybody.
type cachedFor struct {
	person        int64
	query, offset string
}

type cachedAnswer struct {
	answer InlineAnswer
	until  time.Time
}

type wireInline struct {
	ID       string   `json:"id"`
	From     wireUser `json:"from"`
	Query    string   `json:"query"`
	Offset   string   `json:"offset"`
	ChatType string   `json:"chat_type"`
}

// Inline types "@<the bot> query" into the text field of any chat. Whoever has
// blocked the bot can do so too.
func (c *Client) Inline(query string) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if utf8.RuneCountInString(query) > maxQuery {
		query = string([]rune(query)[:maxQuery])
	}
	c.c.inline = nil
	c.askInline(query, "")
}

// InlineMore scrolls to the end of the results, which asks for more of them.
func (c *Client) InlineMore() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.c.inline == nil || c.c.inline.NextOffset == "" {
		return errors.New("there are no more results")
	}
	c.askInline(c.c.inline.Query, c.c.inline.NextOffset)
	return nil
}

// InlineAnswer returns what the person sees of the newest query, false while
// the bot has not answered.
func (c *Client) InlineAnswer() (InlineAnswer, bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.c.inline == nil {
		return InlineAnswer{}, false
	}
	shown := *c.c.inline
	shown.Results = slices.Clone(shown.Results)
	return shown, true
}

// Choose taps the result with this title: its message is posted in the group,
// or with nil in the private chat with the bot, in the person's own name.
func (c *Client) Choose(title string, in *Group) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.c.inline == nil {
		return errors.New("there are no results")
	}
	i := slices.IndexFunc(c.c.inline.Results, func(r InlineResult) bool { return r.Title == title })
	if i < 0 {
		return fmt.Errorf("no result has the title %q", title)
	}
	to := c.c
	if in != nil {
		to = in.c
	}
	m := c.c.inline.Results[i].Message
	m.From, m.Via = c.c.person, c.s.bot.Username
	c.c.inline = nil
	sent := to.add(m)
	if !to.gone {
		c.s.enqueue("message", sent.wire(to))
	}
	return nil
}

// TapInlineButton taps the button above the results, which opens the private
// chat with the bot and starts it.
func (c *Client) TapInlineButton() error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.c.inline == nil || c.c.inline.Button == "" {
		return errors.New("there is no button above the results")
	}
	start := c.c.inline.Start
	c.c.inline = nil
	c.typeText("/start " + start)
	return nil
}

// askInline shows a cached answer, or tells the bot. The caller holds mu.
func (c *Client) askInline(query, offset string) {
	s := c.s
	q := &inlineQuery{chat: c.c, text: query, offset: offset, at: time.Now()}
	c.c.lastInline = q
	c.c.log(event{kind: eventInline, who: c.c.person.FirstName, inline: q})
	for _, person := range []int64{c.c.id, 0} {
		kept, ok := s.inlines.cached[cachedFor{person, query, offset}]
		if ok && time.Now().Before(kept.until) {
			kept.answer.Cached = true
			q.show(kept.answer)
			return
		}
	}
	s.queries.last++
	q.id = strconv.FormatInt(s.bot.ID<<32+s.queries.last, 10)
	s.inlines.sweep()
	s.inlines.open[q.id] = q
	s.enqueue("inline_query", wireInline{ID: q.id, From: c.c.person.wire(false), Query: query, Offset: offset, ChatType: "sender"})
}

// sweep forgets what has ended.
func (i *inlines) sweep() {
	maps.DeleteFunc(i.open, func(_ string, q *inlineQuery) bool { return time.Since(q.at) > inlineLife })
	maps.DeleteFunc(i.cached, func(_ cachedFor, kept cachedAnswer) bool { return !time.Now().Before(kept.until) })
}

// show gives the person an answer; one that comes after they have typed on is
// not seen.
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
	q := s.inlines.open[a.str("inline_query_id")]
	if q == nil || time.Since(q.at) > inlineLife {
		return nil, badRequest(expiredQuery)
	}
	delete(s.inlines.open, q.id) // a second answer finds no query
	answer.Query = q.text
	if answer.CacheTime > 0 {
		person := int64(0)
		if answer.Personal {
			person = q.chat.id
		}
		s.inlines.cached[cachedFor{person, q.text, q.offset}] = cachedAnswer{answer, time.Now().Add(answer.CacheTime)}
	}
	q.show(answer)
	return true, nil
}

var startParameter = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// inlineAnswer reads the parameters of answerInlineQuery, whose fields have been checked.
func (a args) inlineAnswer() (InlineAnswer, *apiError) {
	answer := InlineAnswer{NextOffset: a.str("next_offset"), Personal: a.flag("is_personal"), CacheTime: usualCache * time.Second}
	if _, said := a["cache_time"]; said {
		answer.CacheTime = time.Duration(a.number("cache_time")) * time.Second
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
		case !startParameter.MatchString(answer.Start):
			return answer, badRequest("START_PARAM_INVALID")
		}
	}
	list, _ := a["results"].node.([]any)
	if len(list) > maxResults {
		return answer, badRequest("RESULTS_TOO_MUCH")
	}
	seen := map[string]bool{}
	for _, one := range list {
		fields, _ := one.(map[string]any)
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

// inlineResult reads one result; articles with a text are the ones that the
// sandbox plays.
func inlineResult(fields map[string]any) (InlineResult, *apiError) {
	text := func(of map[string]any, name string) string { s, _ := of[name].(string); return s }
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
		if link != "" && checkedURL(link) == "" {
			return r, badRequest("WEBDOCUMENT_URL_INVALID")
		}
	}
	inner := args{
		"text":                 {text: text(content, "message_text")},
		"parse_mode":           {text: text(content, "parse_mode")},
		"entities":             {node: content["entities"]},
		"link_preview_options": {node: content["link_preview_options"]},
		"reply_markup":         {node: fields["reply_markup"], text: string(canonical(fields["reply_markup"]))},
	}
	m, err := &r.Message, (*apiError)(nil)
	if m.Text, m.source, err = formatted(inner, "text", "entities", maxMessage, "message"); err != nil {
		return r, err
	}
	if m.Text == "" {
		return r, badRequest("message text is empty")
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
	for _, row := range m.Keyboard {
		for _, b := range row {
			if b.CallbackData != "" {
				return r, badRequest("a callback button under an inline result is not implemented in the sandbox")
			}
		}
	}
	m.Entities = detect(m.Text, m.source)
	return r, nil
}

// writeInline writes what was typed and, where it was answered, what came.
func writeInline(b *strings.Builder, who, bot string, q *inlineQuery) {
	typed := strings.TrimSpace("@" + bot + " " + q.text)
	if q.offset != "" {
		typed += " … from " + q.offset
	}
	fmt.Fprintf(b, "%s types %s", who, typed)
	switch a := q.answer; {
	case a == nil:
		b.WriteString(" (no answer)\n")
		return
	case a.Cached:
		b.WriteString(" (answered from the cache)")
	}
	b.WriteString("\n")
	if q.answer.Button != "" {
		fmt.Fprintf(b, "%s[ %s ↗ /start %s ]\n", indent, q.answer.Button, q.answer.Start)
	}
	for _, r := range q.answer.Results {
		fmt.Fprintf(b, "%s▫ %s\n", indent, r.Title)
		if r.Thumbnail != "" {
			fmt.Fprintf(b, "%s%s(picture: %s)\n", indent, indent, r.Thumbnail)
		}
		for line := range strings.SplitSeq(r.Description, "\n") {
			if line != "" {
				fmt.Fprintf(b, "%s%s%s\n", indent, indent, line)
			}
		}
	}
	if len(q.answer.Results) == 0 && q.answer.Button == "" {
		b.WriteString(indent + "(nothing)\n")
	}
	if q.answer.NextOffset != "" {
		b.WriteString(indent + "…\n")
	}
}
