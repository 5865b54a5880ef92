package broadcasts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"hstockbot/internal/loop"
	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// delivery sends one broadcast in this process, from its claim until it has ended
// or must be given up. Only its senders run in other goroutines.
type delivery struct {
	*Service
	b     storage.Broadcast // its Cursor is the last person who was considered
	texts map[string]string // by language

	page       []storage.User // read and not yet considered
	lastPage   bool           // nobody comes after the page
	hasPending bool           // there may be pending recipients
	pendingAt  time.Time      // when the first of them is due, zero: now

	inFlight    int
	results     chan result // has room for all in flight
	failures    int         // rounds in a row in which no message got through
	pausedUntil time.Time   // no recipients are taken before
	renewAt     time.Time   // of the lease

	progressAt time.Time
	drawing    atomic.Bool
	draws      sync.WaitGroup
}

// result is what a sender reports about a recipient.
type result struct {
	pending    bool          // the recipient is to be tried again
	transient  bool          // the failure has a cause that is not the recipient's
	retryAfter time.Duration // nothing may be sent for this time
}

func newDelivery(s *Service, b storage.Broadcast) *delivery {
	now := time.Now()
	return &delivery{
		Service: s, b: b, hasPending: true, results: make(chan result, s.senders),
		renewAt: now.Add(leaseDuration / 3), progressAt: now.Add(firstProgress),
	}
}

// run sends to all recipients. ended is false if there is more to do for the
// process that claims the broadcast next.
func (d *delivery) run(ctx context.Context) (ended bool, err error) {
	if d.texts, err = d.DB.BroadcastTexts(ctx, d.b.ID); err != nil {
		return false, err
	}
	defer d.draws.Wait() // so that the end is drawn last
	sendCtx, cancelSends := context.WithCancel(ctx)
	defer cancelSends()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	for proceed := true; ; {
		if proceed = proceed && ctx.Err() == nil; proceed {
			proceed, ended, err = d.step(ctx, sendCtx)
			d.drawProgress(ctx)
			timer.Reset(time.Until(d.wakeAt()))
		}
		if !proceed {
			cancelSends() // those without a slot become pending
			if d.inFlight == 0 {
				return ended, err
			}
		}
		select {
		case r := <-d.results:
			d.apply(r)
		case <-timer.C:
		case <-d.woken:
			d.renewAt = time.Now() // which notices a stop
		case <-stopping:
			stopping = nil // the loop waits for those in flight
		}
	}
}

// wakeAt returns when the next step is due if no result arrives before.
func (d *delivery) wakeAt() time.Time {
	at, now := d.progressAt, time.Now()
	if d.renewAt.Before(at) {
		at = d.renewAt
	}
	for _, event := range []time.Time{d.pausedUntil, d.pendingAt} {
		if event.After(now) && event.Before(at) {
			at = event
		}
	}
	return at
}

// step takes as many recipients as senders are free, and starts to send to them.
// proceed is false if this delivery must take no more.
func (d *delivery) step(ctx, sendCtx context.Context) (proceed, ended bool, err error) {
	if !d.Admin(d.b.Author) {
		_, err := d.DB.StopBroadcast(ctx, d.b.ID, 0, storage.AuditEntry{AdminID: d.b.Author, Action: ActionRevoked, Subject: d.b.ID, At: time.Now()})
		return false, err == nil, err
	}
	now := time.Now()
	err = d.clock.AfterStep(func(bool) error {
		d.hasPending, d.pendingAt = true, time.Time{}
		return d.DB.PullBroadcasts(ctx, now, maxRetry, leaseDuration)
	})
	if err != nil {
		return false, false, err
	}
	free := d.senders - d.inFlight
	if d.failures > 0 {
		free = 1 - d.inFlight
	}
	if now.Before(d.pausedUntil) {
		free = 0
	}
	var recipients []storage.Recipient
	if free > 0 {
		if recipients, err = d.nextRecipients(ctx, now, free); err != nil {
			return false, false, err
		}
		if len(recipients) == 0 && !d.hasPending && d.inFlight == 0 {
			done, err := d.DB.FinishBroadcast(ctx, d.b.ID, d.owner, now)
			if done || err != nil {
				return false, done, err
			}
			return d.giveUp(ctx)
		}
	}
	if len(recipients) == 0 && now.Before(d.renewAt) {
		return true, false, nil
	}
	recipients, held, err := d.DB.TakeRecipients(ctx, storage.Take{
		ID: d.b.ID, Owner: d.owner, Until: now.Add(leaseDuration), Cursor: d.b.Cursor, People: recipients,
	})
	switch {
	case err != nil:
		return false, false, err
	case !held:
		return d.giveUp(ctx)
	}
	d.renewAt = now.Add(leaseDuration / 3)
	d.Checkpoint("taken")
	for _, recipient := range recipients {
		d.inFlight++
		go func() { d.results <- d.deliver(sendCtx, recipient) }()
	}
	return true, false, nil
}

// giveUp returns what step returns once the broadcast was stopped or its lease was
// lost.
func (d *delivery) giveUp(ctx context.Context) (proceed, ended bool, err error) {
	b, err := d.DB.Broadcast(ctx, d.b.ID)
	return false, err == nil && b.State == storage.BroadcastStopped, err
}

// nextRecipients returns up to limit people to send to now: pending ones that are
// due, then the next of the audience. People for whom there is no text are skipped.
func (d *delivery) nextRecipients(ctx context.Context, now time.Time, limit int) (recipients []storage.Recipient, err error) {
	if d.hasPending && !now.Before(d.pendingAt) {
		if recipients, d.pendingAt, err = d.DB.PendingRecipients(ctx, d.b.ID, now, limit); err != nil {
			return nil, err
		}
		d.hasPending = len(recipients) > 0 || !d.pendingAt.IsZero()
	}
	for len(recipients) < limit {
		if len(d.page) == 0 {
			if d.lastPage {
				break
			}
			if d.page, err = d.DB.Audience(ctx, d.OnlyIDs, d.b.Cursor, d.b.ConfirmedAt, pageSize); err != nil {
				return nil, err
			}
			d.lastPage = len(d.page) < pageSize
			continue
		}
		user := d.page[0]
		d.page, d.b.Cursor = d.page[1:], user.ID
		if lang, ok := d.textFor(user); ok {
			recipients = append(recipients, storage.Recipient{UserID: user.ID, Lang: lang})
		}
	}
	return recipients, nil
}

// textFor returns which text a person gets: that of their language, else "", the
// one for all.
func (d *delivery) textFor(user storage.User) (lang string, ok bool) {
	lang = d.Language(user)
	if _, ok = d.texts[lang]; !ok {
		lang = ""
		_, ok = d.texts[lang]
	}
	return lang, ok
}

// apply adjusts the pace to a sender's result.
func (d *delivery) apply(r result) {
	d.inFlight--
	if r.pending {
		d.hasPending, d.pendingAt = true, time.Time{}
	}
	now := time.Now()
	switch {
	case r.retryAfter > 0:
		// Telegram does not say whose limit was exceeded, so all wait.
		if until := now.Add(r.retryAfter); until.After(d.pausedUntil) {
			d.pausedUntil = until
		}
	case r.transient:
		if !now.Before(d.pausedUntil) { // else the round of this recipient was counted
			d.failures++
			d.pausedUntil = now.Add(loop.Backoff(firstRetry, maxRetry, d.failures))
		}
	case !r.pending:
		d.failures = 0
	}
	if now.Before(d.pausedUntil) { // the page would be outdated by then
		d.page, d.lastPage = nil, false
	}
}

// deliver sends to one recipient and stores the outcome.
func (d *delivery) deliver(ctx context.Context, recipient storage.Recipient) result {
	sendErr := d.send(ctx, recipient)
	d.Checkpoint("sent")
	r, err := d.record(ctx, recipient, sendErr)
	if err != nil { // the row stays in flight, and the next claim counts it as uncertain
		d.Log.Error("outcome of a broadcast message not stored", "broadcast", d.b.ID, "user", recipient.UserID, "error", err)
	}
	d.Checkpoint("recorded")
	return r
}

// send calls Send. After a panic the message may have been sent.
func (d *delivery) send(ctx context.Context, recipient storage.Recipient) error {
	var sendErr error
	panicErr := loop.Recover(d.Log, "send a broadcast message", func() error {
		sendErr = d.Send(ctx, recipient.UserID, d.texts[recipient.Lang])
		return nil
	})
	if panicErr != nil {
		return fmt.Errorf("%w: %w", outbox.ErrUncertain, panicErr)
	}
	return sendErr
}

// record settles a recipient, or makes the recipient pending again. A stop does
// not cancel it.
func (d *delivery) record(ctx context.Context, recipient storage.Recipient, sendErr error) (result, error) {
	stopped := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	settle := func(outcome storage.BroadcastOutcome) (result, error) {
		return result{}, d.DB.SettleRecipient(ctx, d.b.ID, recipient.UserID, outcome)
	}
	var retryAfter *outbox.RetryAfterError
	switch {
	case sendErr == nil:
		return settle(storage.OutcomeSent)
	case errors.Is(sendErr, outbox.ErrUnreachable):
		if err := d.DB.SetUnreachable(ctx, recipient.UserID); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return result{}, err
		}
		return settle(storage.OutcomeUnreachable)
	case errors.Is(sendErr, outbox.ErrUncertain):
		d.Log.Warn("broadcast message may have been sent", "broadcast", d.b.ID, "user", recipient.UserID, "error", sendErr)
		return settle(storage.OutcomeUncertain)
	case errors.Is(sendErr, outbox.ErrRejected):
		d.Log.Warn("broadcast message rejected", "broadcast", d.b.ID, "user", recipient.UserID, "error", sendErr)
		return settle(storage.OutcomeFailed)
	case stopped: // before the message had its slot
		return result{pending: true}, d.DB.ReturnRecipient(ctx, d.b.ID, recipient, time.Now())
	}
	recipient.Tries++
	r := result{pending: recipient.Tries < maxAttempts, transient: true}
	pause := loop.Backoff(firstRetry, maxRetry, recipient.Tries)
	if errors.As(sendErr, &retryAfter) {
		pause, r.retryAfter = retryAfter.After, retryAfter.After
	}
	d.Log.Warn("broadcast message not sent yet", "broadcast", d.b.ID, "user", recipient.UserID, "attempts", recipient.Tries, "error", sendErr)
	if !r.pending {
		return r, d.DB.SettleRecipient(ctx, d.b.ID, recipient.UserID, storage.OutcomeFailed)
	}
	return r, d.DB.ReturnRecipient(ctx, d.b.ID, recipient, time.Now().Add(pause))
}

// drawProgress calls Progress in the background if it is due and the previous call
// has ended.
func (d *delivery) drawProgress(ctx context.Context) {
	now := time.Now()
	if now.Before(d.progressAt) {
		return
	}
	d.progressAt = now.Add(progressEvery)
	if !d.drawing.CompareAndSwap(false, true) {
		return
	}
	d.draws.Go(func() {
		defer d.drawing.Store(false)
		err := loop.Recover(d.Log, "draw the progress of a broadcast", func() error { return d.Progress(ctx, d.b.ID) })
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("progress of broadcast not drawn", "broadcast", d.b.ID, "error", err)
		}
	})
}
