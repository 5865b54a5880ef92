package handlers

import (
	"context"
	"errors"
	"fmt"
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
	// broadcastsShown is how many of them the list shows.
	broadcastsShown = 8
	// shownTextLength is how much of a text is shown as it was typed, in characters.
	shownTextLength = 1500
	// minSpeedSample is after how long it is known how fast a broadcast goes.
	minSpeedSample = 10 * time.Second
)

// SendBroadcast sends one person their copy, behind everything else.
func (n *Notifier) SendBroadcast(ctx context.Context, userID int64, text string) error {
	_, err := n.Bot.Send(ctx, userID, outbox.PriorityNews, bot.View{Text: text})
	return err
}

// DrawBroadcast shows its author how far a broadcast is. Taps and the sending call
// it side by side; each reads the state after it has come to its turn, so that what
// is drawn last is never older than what was there. To somebody who is no admin any
// more nothing is said.
func (n *Notifier) DrawBroadcast(ctx context.Context, id int64) error {
	select {
	case n.drawing <- struct{}{}:
		defer func() { <-n.drawing }()
	case <-ctx.Done():
		return fmt.Errorf("wait to draw a broadcast: %w", ctx.Err())
	}
	b, err := n.DB.Broadcast(ctx, id)
	if err != nil {
		return err
	}
	if b.ChatID == 0 || !n.IsAdmin(b.Author) {
		return nil
	}
	author, err := n.DB.User(ctx, b.Author)
	if err != nil {
		return err
	}
	l := n.Localizer(author)
	text, err := n.broadcastText(ctx, l, b)
	if err != nil {
		return err
	}
	view := bot.View{Text: text, Keyboard: keyboards.BroadcastProgressKeyboard(l, b.ID, isRunning(b))}
	err = n.Bot.Edit(ctx, b.ChatID, int(b.MessageID), view)
	if errors.Is(err, outbox.ErrRejected) && !isRunning(b) {
		// They have deleted it. The end is told all the same.
		var message int
		if message, err = n.Bot.Send(ctx, b.ChatID, outbox.PriorityStatus, view); err == nil {
			return n.DB.SetBroadcastMessage(ctx, b.ID, b.ChatID, int64(message))
		}
	}
	for _, known := range []error{outbox.ErrRejected, outbox.ErrUnreachable, outbox.ErrUncertain} {
		if errors.Is(err, known) {
			return nil // trying again would not help
		}
	}
	return err
}

// isRunning reports whether a broadcast can still be stopped.
func isRunning(b storage.Broadcast) bool {
	return b.State == storage.BroadcastWaiting || b.State == storage.BroadcastSending
}

// broadcastList is the screen that others hang from: what is being sent and what
// was, and the way to write.
func (s *Screens) broadcastList(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	all, err := s.DB.Broadcasts(ctx, broadcastsShown)
	if err != nil {
		return bot.View{}, err
	}
	_, err = s.DB.BroadcastDraft(ctx, req.User.ID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, err
	}
	writing := err == nil
	entries := make([]keyboards.BroadcastEntry, 0, len(all))
	for _, b := range all {
		icon := map[storage.BroadcastState]string{
			storage.BroadcastWaiting: "⏳", storage.BroadcastSending: "📣", storage.BroadcastDone: "✅", storage.BroadcastStopped: "⏹",
		}[b.State]
		entries = append(entries, keyboards.BroadcastEntry{ID: b.ID, Label: icon + " " + l.Number(b.Total) + " · " + clock(l, b.ConfirmedAt)})
	}
	text := l.T("broadcast_text")
	if len(all) == 0 {
		text += "\n\n" + l.T("broadcast_empty")
	}
	return bot.View{Text: text, Keyboard: keyboards.BroadcastsKeyboard(l, writing, entries)}, nil
}

// broadcastDraft returns what an admin is writing and its texts; without one both are empty.
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

func (s *Screens) broadcastWrite(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	_, texts, err := s.broadcastDraft(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{Text: req.L.T("broadcast_write"), Keyboard: keyboards.BroadcastWriteKeyboard(req.L, s.Bundle.Languages(), texts)}, nil
}

// textLanguage returns the code and the name of a text's language; that for all has
// none.
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

// broadcastAsk asks for one text, and shows the one that is there as it was typed.
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
		lines = append(lines, "", l.T("broadcast_present"), "<pre>"+locales.Escape(shorten(text, shownTextLength))+"</pre>")
	}
	return bot.View{
		Text:     strings.Join(lines, "\n"),
		Keyboard: keyboards.BroadcastTextKeyboard(l, args, written),
		Dialog:   dialog(stepBroadcast, code),
	}, nil
}

// broadcastTyped keeps a text, if it can be sent; else the question stands.
func (s *Screens) broadcastTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	if why := markupErrorText(req.L, bot.CheckMarkup(req.Text)); why != "" {
		return bot.View{}, message("broadcast_fault", locales.Args{"Why": locales.HTML(why)})
	}
	if err := s.DB.SetBroadcastText(ctx, req.User.ID, req.Data, req.Text); err != nil {
		return bot.View{}, err
	}
	return bot.RedirectTo(keyboards.BroadcastWrite.Data(struct{}{})), nil
}

// markupErrorText says what is wrong with a text; "": nothing.
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

// audience is how many people would get a broadcast with these texts, by the
// language that they read.
type audience struct {
	readers map[string]int64
	total   int64
}

func (s *Screens) audience(ctx context.Context, texts map[string]string) (audience, error) {
	groups, err := s.DB.AudienceLanguages(ctx, s.ServedIDs())
	if err != nil {
		return audience{}, err
	}
	found := audience{readers: map[string]int64{}}
	_, forAll := texts[""]
	for _, group := range groups {
		lang := s.Localizer(storage.User{Lang: group.Lang, TelegramLang: group.TelegramLang}).Lang()
		if _, own := texts[lang]; own || forAll {
			found.readers[lang] += group.Count
			found.total += group.Count
		}
	}
	return found, nil
}

// broadcastPreview sends the admin every text as people will get it, and below
// them a card that says who they are.
func (s *Screens) broadcastPreview(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	draft, texts, err := s.broadcastDraft(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if len(texts) == 0 {
		return bot.View{}, message("broadcast_nothing")
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
			why := l.T("broadcast_fault_telegram", locales.Args{"Language": l.Name(language.Name), "Words": l.Isolate(failure.Description)})
			return bot.View{
				Text:     l.T("broadcast_fault", locales.Args{"Why": locales.HTML(why)}),
				Keyboard: keyboards.Foot(l, keyboards.BroadcastWrite.Data(struct{}{})),
				Dialog:   dialog(stepBroadcast, language.Code), AsNewMessage: true,
			}, nil
		}
		if err != nil {
			return bot.View{}, err
		}
	}
	people, err := s.audience(ctx, texts)
	if err != nil {
		return bot.View{}, err
	}
	if people.total == 0 {
		return bot.View{}, message("broadcast_nobody")
	}
	lines := []string{l.T("broadcast_preview"), ""}
	for _, language := range s.Bundle.Languages() {
		if n := people.readers[language.Code]; n > 0 {
			lines = append(lines, locales.Escape("• "+l.Name(language.Name)+" – "+l.Number(n)))
		}
	}
	lines = append(lines, l.N("broadcast_people", people.total))
	busy, err := s.broadcastBusy(ctx)
	switch {
	case err != nil:
		return bot.View{}, err
	case busy:
		lines = append(lines, "", l.T("broadcast_busy"))
	case s.Notifier.TelegramRate > 0:
		lines = append(lines, "", l.T("broadcast_done_at", locales.Args{"Time": clock(l, time.Now().Add(s.Notifier.sendTime(people.total)))}))
	}
	return bot.View{
		Text:         strings.Join(lines, "\n"),
		Keyboard:     keyboards.BroadcastConfirmKeyboard(l, keyboards.BroadcastSendArgs{ID: draft.ID, Revision: draft.Revision}),
		AsNewMessage: true,
	}, nil
}

// sendTime is how long so many messages take if nothing else is sent.
func (n *Notifier) sendTime(messages int64) time.Duration {
	return time.Duration(float64(messages) / n.TelegramRate * float64(time.Second))
}

// broadcastBusy reports whether another one goes first.
func (s *Screens) broadcastBusy(ctx context.Context) (bool, error) {
	all, err := s.DB.Broadcasts(ctx, broadcastsShown)
	return slices.ContainsFunc(all, isRunning), err
}

// broadcastSend starts a broadcast, if it still is as it was previewed. However
// often it is tapped, it is sent once.
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
	people, err := s.audience(ctx, texts)
	if err != nil {
		return bot.View{}, err
	}
	if b.State == storage.BroadcastDraft && people.total == 0 {
		return bot.View{}, message("broadcast_nobody")
	}
	confirmed, err := s.DB.ConfirmBroadcast(ctx, req.User.ID, args.ID, args.Revision, people.total, req.Chat, int64(req.MessageID), storage.AuditEntry{
		AdminID: req.User.ID, Action: broadcasts.ActionSend, Subject: args.ID, Detail: strconv.FormatInt(people.total, 10), At: time.Now(),
	})
	if err != nil {
		return bot.View{}, err
	}
	if !confirmed && b.State == storage.BroadcastDraft && b.Revision != args.Revision {
		return bot.View{}, message("broadcast_changed")
	}
	if err := s.Notifier.DrawBroadcast(ctx, args.ID); err != nil {
		s.Log.Warn("a broadcast that was confirmed is not shown yet", "broadcast", args.ID, "error", err)
	}
	s.Broadcasts.Wake() // after that it is drawn by whoever sends
	return bot.View{Toast: req.L.Label("broadcast_sent_toast")}, nil
}

// broadcastShow shows any admin how far a broadcast is.
func (s *Screens) broadcastShow(ctx context.Context, req *bot.Request, args keyboards.BroadcastArgs) (bot.View, error) {
	b, err := s.DB.Broadcast(ctx, args.ID)
	if err != nil {
		return bot.View{}, err
	}
	if b.State == storage.BroadcastDraft {
		return bot.View{}, storage.ErrNotFound // its author's alone
	}
	text, err := s.Notifier.broadcastText(ctx, req.L, b)
	return bot.View{Text: text, Keyboard: keyboards.BroadcastKeyboard(req.L, b.ID, isRunning(b))}, err
}

// broadcastStop stops a broadcast, whoever's it is.
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
	if b.ChatID == req.Chat && b.MessageID == int64(req.MessageID) { // which is drawn by itself
		return bot.View{Toast: toast}, s.Notifier.DrawBroadcast(ctx, b.ID)
	}
	view, err := s.broadcastShow(ctx, req, args)
	view.Toast = toast
	return view, err
}

// broadcastText says how far a broadcast that was confirmed is, or what came of it.
func (n *Notifier) broadcastText(ctx context.Context, l *locales.Localizer, b storage.Broadcast) (string, error) {
	name := strconv.FormatInt(b.Author, 10)
	switch author, err := n.DB.User(ctx, b.Author); {
	case err == nil:
		name = author.Name
	case !errors.Is(err, storage.ErrNotFound):
		return "", err
	}
	state := "broadcast_state_" + string(b.State)
	if b.State == storage.BroadcastStopped && b.StoppedBy == 0 {
		state = "broadcast_state_lost"
	}
	lines := []string{
		l.T(state),
		l.T("broadcast_author", locales.Args{"Name": title(l, name), "Time": clock(l, b.ConfirmedAt)}),
		"",
	}
	done := b.Handled()
	switch b.State {
	case storage.BroadcastWaiting:
		lines = append(lines, l.N("broadcast_people", b.Total))
	case storage.BroadcastSending:
		lines = append(lines, l.T("broadcast_progress", locales.Args{
			"Done": l.Number(done), "Total": l.Number(b.Total), "Percent": l.Number(min(100*done/max(b.Total, 1), 100)),
		}))
	}
	for _, count := range []struct {
		id    string
		n     int64
		shown bool
	}{
		{"broadcast_sent", b.Sent, b.State != storage.BroadcastWaiting},
		{"broadcast_unreachable", b.Unreachable, b.Unreachable > 0},
		{"broadcast_failed", b.Failed, b.Failed > 0},
		{"broadcast_unsure", b.Uncertain, b.Uncertain > 0},
		{"broadcast_left", b.Total - done, b.State == storage.BroadcastStopped && b.Total > done},
	} {
		if count.shown {
			lines = append(lines, l.T(count.id, locales.Args{"Number": l.Number(count.n)}))
		}
	}
	switch left := n.timeLeft(b); {
	case b.State == storage.BroadcastSending && left > 0:
		lines = append(lines, "", l.T("broadcast_done_at", locales.Args{"Time": clock(l, time.Now().Add(left))}))
	case !b.StartedAt.IsZero() && !b.EndedAt.IsZero():
		lines = append(lines, "", l.T("broadcast_took", locales.Args{"Time": l.Isolate(formatDuration(b.EndedAt.Sub(b.StartedAt)))}))
	}
	return strings.Join(lines, "\n"), nil
}

// timeLeft is how long a broadcast goes on at the speed that it had so far; at
// first, at the speed that it can have.
func (n *Notifier) timeLeft(b storage.Broadcast) time.Duration {
	left, done, running := max(b.Total-b.Handled(), 0), b.Handled(), time.Since(b.StartedAt)
	switch {
	case done > 0 && running >= minSpeedSample:
		return time.Duration(float64(running) / float64(done) * float64(left))
	case n.TelegramRate > 0:
		return n.sendTime(left)
	default:
		return 0
	}
}

// formatDuration writes a duration as 5:33 or 1:05:33.
func formatDuration(d time.Duration) string {
	seconds := int64(d.Round(time.Second) / time.Second)
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}
