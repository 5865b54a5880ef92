package bot

import (
	"context"
	"time"

	telegram "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"hstockbot/locales"
)

const (
	// inlineLife is how long an inline query is worth an answer: the person has
	// typed on by then, and Telegram takes none for much longer.
	inlineLife = 10 * time.Second
	// inlineRetry is how long Telegram keeps the empty answer of a failure.
	inlineRetry = time.Second

	maxInlineQuery   = 256 // characters (Bot API: InlineQuery)
	maxInlineResults = 50  // (Bot API: answerInlineQuery)
)

// InlineRequest is what a person types behind the bot's name in any chat, of
// which nothing else is known.
type InlineRequest struct {
	UpdateID int64
	User     User
	L        *locales.Localizer
	Query    string // at most 256 characters; may be empty
	Offset   string // "" for the first results, else the Next of the answer before

	bot *Bot
}

// BotUsername returns the bot's own username without @, "" while it is not known.
func (r *InlineRequest) BotUsername(ctx context.Context) string { return r.bot.Username(ctx) }

// InlineAnswer is what is shown to that person alone (Bot API: answerInlineQuery).
type InlineAnswer struct {
	Results []InlineResult // at most 50
	Next    string         // the Offset of the results behind these, at most 64 bytes; "" = there are none
	Button  *InlineButton  // above the results; nil for none
	Cache   time.Duration  // how long Telegram may show it again without asking; at least a second
}

// InlineResult is one result, and the message that choosing it posts in the
// person's name.
type InlineResult struct {
	ID          string // 1-64 bytes, unique in the answer
	Title       string // plain text
	Description string // plain text, of which apps show two lines
	Picture     string // URL of a small picture; "" for none
	Message     View   // its Text, Keyboard (links only) and Picture
}

// InlineButton leads to the private chat, with /start and this parameter (1-64
// of A-Z a-z 0-9 _ -).
type InlineButton struct{ Text, Start string }

// handleInline answers an inline query while it is worth it. One that waited
// for a restart is let be.
func (b *Bot) handleInline(ctx context.Context, item *delivery, q *models.InlineQuery) outcome {
	req := &InlineRequest{bot: b, UpdateID: item.id, User: userOf(q.From), Query: q.Query, Offset: q.Offset}
	out := outcome{event: "inline", user: req.User.ID}
	end := time.UnixMilli(item.update.InlineQuery.Received).Add(inlineLife)
	if b.hooks.Inline == nil || !b.allowed(req.User) || !time.Now().Before(end) {
		return out
	}
	if runes := []rune(req.Query); len(runes) > maxInlineQuery {
		req.Query = string(runes[:maxInlineQuery])
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	greeted := &Request{UpdateID: req.UpdateID, User: req.User}
	if served, _ := b.identify(ctx, greeted, false); !served {
		return out // nothing is lost by that
	}
	req.L = greeted.L
	if err := b.answerInline(ctx, q.ID, b.findInline(ctx, req)); err != nil {
		b.log.Warn("an inline query was not answered", "update", item.id, "error", err)
	}
	return out
}

// findInline asks the shop. What fails is an empty answer that is soon asked
// for again.
func (b *Bot) findInline(ctx context.Context, req *InlineRequest) (answer InlineAnswer) {
	defer func() {
		if p := recover(); p != nil {
			b.notePanic(req.UpdateID, p)
			answer = InlineAnswer{Cache: inlineRetry}
		}
	}()
	answer, err := b.hooks.Inline(ctx, req)
	if err != nil {
		b.log.Warn("an inline query failed", "update", req.UpdateID, "error", err)
		return InlineAnswer{Cache: inlineRetry}
	}
	return answer
}

// answerInline answers an inline query; one that is too old for it is let be.
func (b *Bot) answerInline(ctx context.Context, query string, answer InlineAnswer) error {
	params := &telegram.AnswerInlineQueryParams{
		InlineQueryID: query,
		Results:       []models.InlineQueryResult{},
		// Never 0: the library leaves that out, and Telegram would keep it for 5 minutes.
		CacheTime:  int(max(answer.Cache, time.Second) / time.Second),
		IsPersonal: true,
		NextOffset: answer.Next,
	}
	for _, r := range answer.Results[:min(len(answer.Results), maxInlineResults)] {
		params.Results = append(params.Results, &models.InlineQueryResultArticle{
			ID: r.ID, Title: r.Title, Description: r.Description, ThumbnailURL: r.Picture,
			InputMessageContent: &models.InputTextMessageContent{
				MessageText: r.Message.Text, ParseMode: models.ParseModeHTML, LinkPreviewOptions: r.Message.preview(),
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
