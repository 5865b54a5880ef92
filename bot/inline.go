package bot

import (
	"context"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/locales"
)

const (
	// inlineTTL is how long an inline query is answered. After that the person has
	// typed more, and soon Telegram accepts no answer.
	inlineTTL = 10 * time.Second
	// inlineRetry is how long Telegram caches the empty answer after an error.
	inlineRetry = time.Second

	maxInlineQuery   = 256 // characters (Bot API: InlineQuery)
	maxInlineResults = 50  // (Bot API: answerInlineQuery)
)

// InlineRequest is what a person types after the bot's name in any chat (Bot API:
// InlineQuery). The chat is not known.
type InlineRequest struct {
	UpdateID int64
	User     User
	L        *locales.Localizer
	Query    string // at most 256 characters; may be empty
	Offset   string // "" for the first results, else Next of the previous answer

	bot *Bot
}

// BotUsername returns the bot's username without @, "" while it is not known.
func (r *InlineRequest) BotUsername(ctx context.Context) string { return r.bot.Username(ctx) }

// InlineAnswer is shown to that person only (Bot API: answerInlineQuery).
type InlineAnswer struct {
	Results []InlineResult // at most 50
	Next    string         // Offset of the next results, at most 64 bytes; "" = there are none
	Button  *InlineButton  // above the results; nil for none
	Cache   time.Duration  // how long Telegram may repeat this answer to the person; at least a second
}

// InlineResult is one result, and the message that is posted in the person's name if
// they choose it (Bot API: InlineQueryResultArticle).
type InlineResult struct {
	ID          string // 1-64 bytes, unique in the answer
	Title       string // plain text
	Description string // plain text; apps show two lines
	Picture     string // URL of a small picture; "" for none
	Message     View   // only Text, Keyboard (with links only) and Picture are used
}

// InlineButton opens the private chat with /start and this parameter (1-64
// characters A-Z a-z 0-9 _ -).
type InlineButton struct{ Text, Start string }

// handleInline answers an inline query unless it is too old, for example after a
// restart.
func (b *Bot) handleInline(ctx context.Context, item *delivery, q *models.InlineQuery) result {
	b.profile.inline.Store(true) // it may have been turned on since the start
	req := &InlineRequest{bot: b, UpdateID: item.id, User: userOf(q.From), Query: q.Query, Offset: q.Offset}
	out := result{kind: "inline", user: req.User.ID}
	end := time.UnixMilli(item.update.InlineQuery.Received).Add(inlineTTL)
	if b.hooks.Inline == nil || !b.allowed(req.User) || !time.Now().Before(end) {
		return out
	}
	if runes := []rune(req.Query); len(runes) > maxInlineQuery {
		req.Query = string(runes[:maxInlineQuery])
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	person := &Request{UpdateID: req.UpdateID, User: req.User}
	if served, _ := b.identify(ctx, person, false); !served {
		return out // also after an error: a later answer would be too late
	}
	req.L = person.L
	if err := b.answerInline(ctx, q.ID, b.findInline(ctx, req)); err != nil {
		b.log.Warn("inline query not answered", "update", item.id, "error", err)
	}
	return out
}

// findInline calls Hooks.Inline. After an error or a panic the answer is empty, and
// cached only for a moment.
func (b *Bot) findInline(ctx context.Context, req *InlineRequest) (answer InlineAnswer) {
	defer func() {
		if p := recover(); p != nil {
			b.logPanic(req.UpdateID, p)
			answer = InlineAnswer{Cache: inlineRetry}
		}
	}()
	answer, err := b.hooks.Inline(ctx, req)
	if err != nil {
		b.log.Warn("inline query failed", "update", req.UpdateID, "error", err)
		return InlineAnswer{Cache: inlineRetry}
	}
	return answer
}

// answerInline answers an inline query (Bot API: answerInlineQuery). That it is too
// old is no error.
func (b *Bot) answerInline(ctx context.Context, query string, answer InlineAnswer) error {
	params := &telegram.AnswerInlineQueryParams{
		InlineQueryID: query,
		Results:       []models.InlineQueryResult{},
		// Not 0: the library omits it, and Telegram would cache the answer for 5 minutes.
		CacheTime:  int(max(answer.Cache, time.Second) / time.Second),
		IsPersonal: true,
		NextOffset: answer.Next,
	}
	for _, r := range answer.Results[:min(len(answer.Results), maxInlineResults)] {
		params.Results = append(params.Results, &models.InlineQueryResultArticle{
			ID: r.ID, Title: r.Title, Description: r.Description, ThumbnailURL: r.Picture,
			InputMessageContent: &models.InputTextMessageContent{
				MessageText: r.Message.html(), ParseMode: models.ParseModeHTML, LinkPreviewOptions: r.Message.preview(),
			},
			ReplyMarkup: r.Message.markup(),
		})
	}
	if answer.Button != nil {
		params.Button = &models.InlineQueryResultsButton{Text: answer.Button.Text, StartParameter: answer.Button.Start}
	}
	return retryOnce(ctx, errTooOld, func(ctx context.Context) error {
		_, err := b.library.AnswerInlineQuery(ctx, params)
		return b.client.asError("answerInlineQuery", err)
	})
}
