package handlers

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/broadcasts"
	"hstockbot/internal/outbox"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	// broadcastsShown is the number of broadcasts in the list.
	broadcastsShown = 8
	// shownTextLength is how much of a text is shown with its markup, in characters.
	shownTextLength = 1500
)

// broadcastList lists the latest confirmed broadcasts, and leads to the draft.
func (s *Screens) broadcastList(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	confirmed, err := s.DB.Broadcasts(ctx, broadcastsShown)
	if err != nil {
		return bot.View{}, err
	}
	_, err = s.DB.BroadcastDraft(ctx, req.User.ID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, err
	}
	hasDraft := err == nil
	items := make([]keyboards.Item, 0, len(confirmed))
	for _, b := range confirmed {
		icon := map[storage.BroadcastState]string{
			storage.BroadcastWaiting: "⏳", storage.BroadcastSending: "📣", storage.BroadcastDone: "✅", storage.BroadcastStopped: "⏹",
		}[b.State]
		items = append(items, keyboards.Item{
			Name: icon + " " + l.Number(b.Total) + " · " + l.Clock(b.ConfirmedAt, time.Now()),
			Data: keyboards.BroadcastShow.Data(keyboards.BroadcastArgs{ID: b.ID}),
		})
	}
	text := l.T("broadcast_text")
	if len(confirmed) == 0 {
		text += "\n\n" + l.T("broadcast_empty")
	}
	return bot.View{Text: text, Keyboard: keyboards.BroadcastsKeyboard(l, hasDraft, items)}, nil
}

// broadcastDraft returns the draft of an admin and its texts by language code; both are
// empty if there is none.
func (s *Screens) broadcastDraft(ctx context.Context, author int64) (storage.Broadcast, map[string]string, error) {
	draft, err := s.DB.BroadcastDraft(ctx, author)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Broadcast{}, nil, nil
	}
	if err != nil {
		return storage.Broadcast{}, nil, err
	}
	texts, err := s.DB.BroadcastTexts(ctx, draft.ID)
	return draft, texts, err
}

// broadcastWrite lists the texts of the draft.
func (s *Screens) broadcastWrite(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	_, texts, err := s.broadcastDraft(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{Text: req.L.T("broadcast_write"), Keyboard: keyboards.BroadcastWriteKeyboard(req.L, s.Bundle.Languages(), texts)}, nil
}

// textLanguage returns the code and the name of a text's language. The text for
// everyone has the code "".
func (s *Screens) textLanguage(l *locales.Localizer, hash route.Hash) (code, name string, err error) {
	if hash == "" {
		return "", l.Label("broadcast_button_all"), nil
	}
	for _, language := range s.Bundle.Languages() {
		if route.HashOf(language.Code) == hash {
			return language.Code, language.Name, nil
		}
	}
	return "", "", storage.ErrNotFound
}

// broadcastAsk asks for one text, and shows the present one with its markup.
func (s *Screens) broadcastAsk(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	l := req.L
	code, name, err := s.textLanguage(l, args.Lang)
	if err != nil {
		return bot.View{}, err
	}
	_, texts, err := s.broadcastDraft(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("broadcast_ask_all")}
	if code != "" {
		lines = []string{l.T("broadcast_ask", locales.Args{"Language": l.Name(name)})}
	}
	lines = append(lines, "", l.T("broadcast_markup"))
	text, written := texts[code]
	if written {
		lines = append(lines, "", l.T("broadcast_present"), "<pre>"+locales.Escape(locales.Shorten(text, shownTextLength))+"</pre>")
	}
	return bot.View{
		Text:     strings.Join(lines, "\n"),
		Keyboard: keyboards.BroadcastTextKeyboard(l, args, written),
		Dialog:   dialog(stepBroadcast, code),
	}, nil
}

// broadcastTyped stores a text. If its markup is invalid, the dialog continues.
func (s *Screens) broadcastTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	if reason := markupErrorText(req.L, bot.CheckMarkup(req.Text)); reason != "" {
		return bot.View{}, userErr("broadcast_fault", locales.Args{"Why": locales.HTML(reason)})
	}
	if err := s.DB.SetBroadcastText(ctx, req.User.ID, req.Data, req.Text); err != nil {
		return bot.View{}, err
	}
	return bot.RedirectTo(keyboards.BroadcastWrite.Data(struct{}{})), nil
}

// markupErrorText explains a *bot.MarkupError, "" for none.
func markupErrorText(l *locales.Localizer, err error) string {
	var fault *bot.MarkupError
	if !errors.As(err, &fault) {
		return ""
	}
	piece := locales.Args{"Piece": l.Isolate(fault.Piece)}
	switch fault.Fault {
	case bot.FaultOpen:
		return l.T("broadcast_fault_open", piece)
	case bot.FaultEnd:
		return l.T("broadcast_fault_end", piece)
	case bot.FaultInside:
		return l.T("broadcast_fault_inside", piece)
	case bot.FaultLink:
		return l.T("broadcast_fault_link", piece)
	case bot.FaultEmpty:
		return l.T("broadcast_fault_empty")
	case bot.FaultLong:
		return l.T("broadcast_fault_long", locales.Args{"Units": l.Number(fault.Units), "Most": l.Number(bot.MaxText)})
	default:
		return l.T("broadcast_fault_tag", piece)
	}
}

func (s *Screens) broadcastRemove(ctx context.Context, req *bot.Request, args keyboards.LanguageArgs) (bot.View, error) {
	code, _, err := s.textLanguage(req.L, args.Lang)
	if err != nil {
		return bot.View{}, err
	}
	if err := s.DB.SetBroadcastText(ctx, req.User.ID, code, ""); err != nil {
		return bot.View{}, err
	}
	return s.broadcastWrite(ctx, req, struct{}{})
}

func (s *Screens) broadcastDiscard(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	if err := s.DB.DiscardBroadcastDraft(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	view, err := s.broadcastList(ctx, req, struct{}{})
	view.Toast = req.L.Label("broadcast_discarded_toast")
	return view, err
}

// audience counts the people who would get a broadcast with these texts, by the
// language that they read and in total.
func (s *Screens) audience(ctx context.Context, texts map[string]string) (readers map[string]int64, total int64, err error) {
	groups, err := s.DB.AudienceLanguages(ctx, s.ServedIDs())
	if err != nil {
		return nil, 0, err
	}
	readers = map[string]int64{}
	_, forAll := texts[""]
	for _, group := range groups {
		lang := s.Localizer(storage.User{Lang: group.Lang, TelegramLang: group.TelegramLang}).Lang()
		if _, own := texts[lang]; own || forAll {
			readers[lang] += group.Count
			total += group.Count
		}
	}
	return readers, total, nil
}

// broadcastPreview sends the admin every text as people will get it, and then a card
// that counts the recipients.
func (s *Screens) broadcastPreview(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	draft, texts, err := s.broadcastDraft(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if len(texts) == 0 {
		return bot.View{}, userErr("broadcast_nothing")
	}
	languages := append([]locales.Language{{Name: l.Label("broadcast_button_all")}}, s.Bundle.Languages()...)
	for _, language := range languages {
		text, written := texts[language.Code]
		if !written {
			continue
		}
		var failure *bot.Error
		err := req.Show(ctx, bot.View{Text: text, AsNewMessage: true})
		if errors.Is(err, outbox.ErrRejected) && errors.As(err, &failure) {
			reason := l.T("broadcast_fault_telegram", locales.Args{"Language": l.Name(language.Name), "Words": l.Isolate(failure.Description)})
			return bot.View{
				Text:     l.T("broadcast_fault", locales.Args{"Why": locales.HTML(reason)}),
				Keyboard: keyboards.Foot(l, keyboards.BroadcastWrite.Data(struct{}{})),
				Dialog:   dialog(stepBroadcast, language.Code), AsNewMessage: true,
			}, nil
		}
		if err != nil {
			return bot.View{}, err
		}
	}
	readers, total, err := s.audience(ctx, texts)
	if err != nil {
		return bot.View{}, err
	}
	if total == 0 {
		return bot.View{}, userErr("broadcast_nobody")
	}
	lines := []string{l.T("broadcast_preview"), ""}
	for _, language := range s.Bundle.Languages() {
		if n := readers[language.Code]; n > 0 {
			lines = append(lines, locales.Escape("• "+l.Name(language.Name)+" – "+l.Number(n)))
		}
	}
	lines = append(lines, l.N("broadcast_people", total))
	busy, err := s.broadcastBusy(ctx)
	switch {
	case err != nil:
		return bot.View{}, err
	case busy:
		lines = append(lines, "", l.T("broadcast_busy"))
	case s.Notifier.TelegramRate > 0:
		lines = append(lines, "", l.T("broadcast_done_at", locales.Args{"Time": clock(l, time.Now().Add(s.Notifier.sendTime(total)))}))
	}
	return bot.View{
		Text:         strings.Join(lines, "\n"),
		Keyboard:     keyboards.BroadcastConfirmKeyboard(l, keyboards.BroadcastSendArgs{ID: draft.ID, Revision: draft.Revision}),
		AsNewMessage: true,
	}, nil
}

// broadcastBusy reports whether another broadcast is waiting or being sent.
func (s *Screens) broadcastBusy(ctx context.Context) (bool, error) {
	confirmed, err := s.DB.Broadcasts(ctx, broadcastsShown)
	return slices.ContainsFunc(confirmed, isRunning), err
}

// broadcastSend confirms a draft if it has not changed since the preview. A repeated
// tap does not send it again.
func (s *Screens) broadcastSend(ctx context.Context, req *bot.Request, args keyboards.BroadcastSendArgs) (bot.View, error) {
	b, err := s.DB.Broadcast(ctx, args.ID)
	if err != nil {
		return bot.View{}, err
	}
	if b.Author != req.User.ID {
		return bot.View{}, storage.ErrNotFound
	}
	texts, err := s.DB.BroadcastTexts(ctx, args.ID)
	if err != nil {
		return bot.View{}, err
	}
	_, total, err := s.audience(ctx, texts)
	if err != nil {
		return bot.View{}, err
	}
	if b.State == storage.BroadcastDraft && total == 0 {
		return bot.View{}, userErr("broadcast_nobody")
	}
	confirmed, err := s.DB.ConfirmBroadcast(ctx, req.User.ID, args.ID, args.Revision, total, req.Chat, int64(req.MessageID), storage.AuditEntry{
		AdminID: req.User.ID, Action: broadcasts.ActionSend, Subject: args.ID, Detail: strconv.FormatInt(total, 10), At: time.Now(),
	})
	if err != nil {
		return bot.View{}, err
	}
	if !confirmed && b.State == storage.BroadcastDraft && b.Revision != args.Revision {
		return bot.View{}, userErr("broadcast_changed")
	}
	if err := s.Notifier.DrawBroadcast(ctx, args.ID); err != nil {
		s.Log.Warn("drawing the progress of a broadcast failed", "broadcast", args.ID, "error", err)
	}
	s.Broadcasts.Wake() // only now, since the sender draws the progress, too
	return bot.View{Toast: req.L.Label("broadcast_sent_toast")}, nil
}

// broadcastShow shows the progress of a broadcast to any admin.
func (s *Screens) broadcastShow(ctx context.Context, req *bot.Request, args keyboards.BroadcastArgs) (bot.View, error) {
	b, err := s.DB.Broadcast(ctx, args.ID)
	if err != nil {
		return bot.View{}, err
	}
	if b.State == storage.BroadcastDraft {
		return bot.View{}, storage.ErrNotFound // only its author sees a draft
	}
	text, err := s.Notifier.broadcastText(ctx, req.L, b)
	return bot.View{Text: text, Keyboard: keyboards.BroadcastKeyboard(req.L, b.ID, isRunning(b))}, err
}

// broadcastStop stops a broadcast of any admin.
func (s *Screens) broadcastStop(ctx context.Context, req *bot.Request, args keyboards.BroadcastArgs) (bot.View, error) {
	stopped, err := s.DB.StopBroadcast(ctx, args.ID, req.User.ID, storage.AuditEntry{
		AdminID: req.User.ID, Action: broadcasts.ActionStop, Subject: args.ID, At: time.Now(),
	})
	if err != nil {
		return bot.View{}, err
	}
	toast := req.L.Label("broadcast_over_toast")
	if stopped {
		toast = req.L.Label("broadcast_stopped_toast")
		s.Broadcasts.Wake()
	}
	b, err := s.DB.Broadcast(ctx, args.ID)
	if err != nil {
		return bot.View{}, err
	}
	if b.ChatID == req.Chat && b.MessageID == int64(req.MessageID) { // the progress message
		return bot.View{Toast: toast}, s.Notifier.DrawBroadcast(ctx, b.ID)
	}
	view, err := s.broadcastShow(ctx, req, args)
	view.Toast = toast
	return view, err
}
