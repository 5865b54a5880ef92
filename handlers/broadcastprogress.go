package handlers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/outbox"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// minSpeedSample is how long a broadcast must run before its speed is known.
const minSpeedSample = 10 * time.Second

// SendBroadcast sends a person their copy of a broadcast, with the lowest priority.
func (n *Notifier) SendBroadcast(ctx context.Context, userID int64, text string) error {
	_, err := n.Bot.Send(ctx, userID, outbox.PriorityNews, bot.View{Text: text, Silent: n.Quiet(time.Now())})
	return err
}

// DrawBroadcast draws the progress of a broadcast in its author's message, if the
// author is still an admin. Taps and the sender call it concurrently: calls take
// turns and read the state only then, so that an older state is never drawn last.
func (n *Notifier) DrawBroadcast(ctx context.Context, id int64) error {
	select {
	case n.drawing <- struct{}{}:
		defer func() { <-n.drawing }()
	case <-ctx.Done():
		return fmt.Errorf("wait for drawing a broadcast: %w", ctx.Err())
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
	view := bot.View{Text: text, L: l, Keyboard: keyboards.BroadcastProgressKeyboard(l, b.ID, isRunning(b))}
	err = n.Bot.Edit(ctx, b.ChatID, int(b.MessageID), view)
	if errors.Is(err, outbox.ErrRejected) && !isRunning(b) {
		// The author has deleted the message. The result is sent all the same.
		var message int
		if message, err = n.Bot.Send(ctx, b.ChatID, outbox.PriorityStatus, view); err == nil {
			return n.DB.SetBroadcastMessage(ctx, b.ID, b.ChatID, int64(message))
		}
	}
	for _, permanent := range []error{outbox.ErrRejected, outbox.ErrUnreachable, outbox.ErrUncertain} {
		if errors.Is(err, permanent) {
			return nil // a retry would not help
		}
	}
	return err
}

// isRunning reports whether a broadcast can still be stopped.
func isRunning(b storage.Broadcast) bool {
	return b.State == storage.BroadcastWaiting || b.State == storage.BroadcastSending
}

// broadcastText describes the progress or the result of a confirmed broadcast.
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
		state = "broadcast_state_revoked"
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
		{"broadcast_uncertain", b.Uncertain, b.Uncertain > 0},
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

// timeLeft estimates how long a broadcast will take from now on, from its speed so
// far, or at first from the maximum speed. It returns 0 if there is no estimate.
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

// formatDuration formats a duration as 5:33 or 1:05:33.
func formatDuration(d time.Duration) string {
	seconds := int64(d.Round(time.Second) / time.Second)
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// sendTime returns how long so many messages take if nothing else is sent.
func (n *Notifier) sendTime(messages int64) time.Duration {
	return time.Duration(float64(messages) / n.TelegramRate * float64(time.Second))
}
