package broadcasts

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// delivery is the sending of one broadcast by this process, from a claim to its
// end or to a stop. All but its senders runs in one goroutine.
type delivery struct {
	*Service
	b     storage.Broadcast // Cursor is the last person who was looked at
	texts map[string]string

	page    []storage.User // read, and not yet looked at
	through bool           // there is nobody behind the page
	waiting bool           // somebody may be there to be tried again
	next    time.Time      // when the first of those is due

	inHand   int
	results  chan result // has room for everybody in hand
	failures int         // rounds in a row in which nothing got through; then one person at a time is tried
	resume   time.Time   // nobody is taken before then
	renewAt  time.Time   // of the lease

	drawAt  time.Time
	drawing sync.WaitGroup
	pencil  chan struct{} // holds a token while nobody draws
}

// result is what a sender tells its delivery.
type result struct {
	returned bool          // to be tried again
	failed   bool          // for no reason of the person's
	after    time.Duration // nothing is to be sent for so long
}

func (s *Service) newDelivery(b storage.Broadcast) *delivery {
	d := &delivery{Service: s, b: b, waiting: true, results: make(chan result, s.senders), pencil: make(chan struct{}, 1)}
	d.renewAt, d.drawAt = time.Now().Add(leaseLife/3), time.Now().Add(firstDraw)
	d.pencil <- struct{}{}
	return d
}

// run sends until everybody has been come to, or somebody stops it. ended is false
// where there is more to do for whoever claims the broadcast next.
func (d *delivery) run(ctx context.Context) (ended bool, err error) {
	if d.texts, err = d.DB.BroadcastTexts(ctx, d.b.ID); err != nil {
		return false, err
	}
	defer d.drawing.Wait() // the last word is that of the report
	sending, cut := context.WithCancel(ctx)
	defer cut()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stopping := ctx.Done()
	for open := true; ; {
		if open = open && ctx.Err() == nil; open {
			open, ended, err = d.step(ctx, sending)
			d.draw(ctx)
			timer.Reset(time.Until(d.wakeAt()))
		}
		if !open {
			cut() // who has had no turn yet gets none
			if d.inHand == 0 {
				return ended, err
			}
		}
		select {
		case r := <-d.results:
			d.note(r)
		case <-timer.C:
		case <-d.touched:
			d.renewAt = time.Now() // which tells whether it was stopped
		case <-stopping:
			stopping = nil // who is in hand is waited for
		}
	}
}

// wakeAt is when there is something to do, if nothing is heard before.
func (d *delivery) wakeAt() time.Time {
	at, now := d.drawAt, time.Now()
	if d.renewAt.Before(at) {
		at = d.renewAt
	}
	for _, event := range []time.Time{d.resume, d.next} {
		if event.After(now) && event.Before(at) {
			at = event
		}
	}
	return at
}

// step takes as many people as can be sent to now and has them sent to. open is
// false where nobody else is to be taken by this delivery.
func (d *delivery) step(ctx, sending context.Context) (open, ended bool, err error) {
	if !d.Admin(d.b.Author) {
		_, err := d.DB.StopBroadcast(ctx, d.b.ID, 0, storage.AuditEntry{AdminID: d.b.Author, Action: ActionRevoked, Subject: d.b.ID, At: time.Now()})
		return false, err == nil, err
	}
	now := time.Now()
	free := d.senders - d.inHand
	if d.failures > 0 {
		free = 1 - d.inHand
	}
	if now.Before(d.resume) {
		free = 0
	}
	var people []storage.Recipient
	if free > 0 {
		if people, err = d.choose(ctx, now, free); err != nil {
			return false, false, err
		}
		if len(people) == 0 && !d.waiting && d.inHand == 0 {
			done, err := d.DB.FinishBroadcast(ctx, d.b.ID, d.owner, now)
			if done || err != nil {
				return false, done, err
			}
			return d.lost(ctx)
		}
	}
	if len(people) == 0 && now.Before(d.renewAt) {
		return true, false, nil
	}
	people, held, err := d.DB.TakeRecipients(ctx, storage.Take{ID: d.b.ID, Owner: d.owner, Until: now.Add(leaseLife), Cursor: d.b.Cursor, People: people})
	switch {
	case err != nil:
		return false, false, err
	case !held:
		return d.lost(ctx)
	}
	d.renewAt = now.Add(leaseLife / 3)
	d.Checkpoint("taken")
	for _, person := range people {
		d.inHand++
		go func() { d.results <- d.deliver(sending, person) }()
	}
	return true, false, nil
}

// lost says what has become of a broadcast that is not this delivery's any more.
func (d *delivery) lost(ctx context.Context) (open, ended bool, err error) {
	b, err := d.DB.Broadcast(ctx, d.b.ID)
	return false, err == nil && b.State == storage.BroadcastStopped, err
}

// choose returns up to limit people to send to now: those who are to be tried
// again, then the next of the audience. Those of other languages are passed over.
func (d *delivery) choose(ctx context.Context, now time.Time, limit int) (people []storage.Recipient, err error) {
	if d.waiting && !now.Before(d.next) {
		if people, d.next, err = d.DB.PendingRecipients(ctx, d.b.ID, now, limit); err != nil {
			return nil, err
		}
		d.waiting = len(people) > 0 || !d.next.IsZero()
	}
	for len(people) < limit {
		if len(d.page) == 0 {
			if d.through {
				break
			}
			if d.page, err = d.DB.Audience(ctx, d.OnlyIDs, d.b.Cursor, d.b.ConfirmedAt, pageSize); err != nil {
				return nil, err
			}
			d.through = len(d.page) < pageSize
			continue
		}
		person := d.page[0]
		d.page, d.b.Cursor = d.page[1:], person.ID
		if lang, reads := d.textFor(person); reads {
			people = append(people, storage.Recipient{UserID: person.ID, Lang: lang})
		}
	}
	return people, nil
}

// textFor returns which of the texts a person gets: that of their language, else
// the one for all.
func (d *delivery) textFor(person storage.User) (lang string, reads bool) {
	lang = d.Language(person)
	if _, reads = d.texts[lang]; !reads {
		lang = ""
		_, reads = d.texts[lang]
	}
	return lang, reads
}

// note takes in what a sender tells. Where nothing gets through, no more people
// are taken than it needs to see whether something does.
func (d *delivery) note(r result) {
	d.inHand--
	if r.returned {
		d.waiting, d.next = true, time.Time{}
	}
	now := time.Now()
	switch {
	case r.after > 0:
		// It is not said whether only this person's messages are too many.
		if until := now.Add(r.after); until.After(d.resume) {
			d.resume = until
		}
	case r.failed:
		if !now.Before(d.resume) { // the others in hand are of the same round
			d.failures++
			d.resume = now.Add(backoff(d.failures))
		}
	case !r.returned:
		d.failures = 0
	}
	if now.Before(d.resume) { // until then the page would be out of date
		d.page, d.through = nil, false
	}
}

// deliver sends to one person and writes down what became of it.
func (d *delivery) deliver(ctx context.Context, person storage.Recipient) result {
	err := d.trySend(ctx, person)
	d.Checkpoint("sent")
	r, err := d.record(ctx, person, err)
	if err != nil { // the row stays, and whoever claims the broadcast next counts it as unsure
		d.Log.Error("what became of a message of a broadcast was not written down", "broadcast", d.b.ID, "user", person.UserID, "error", err)
	}
	d.Checkpoint("recorded")
	return r
}

// trySend is Send; after a panic nobody knows.
func (d *delivery) trySend(ctx context.Context, person storage.Recipient) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: panic: %v\n%s", outbox.ErrUncertain, p, debug.Stack())
		}
	}()
	return d.Send(ctx, person.UserID, d.texts[person.Lang])
}

// record counts what became of a message, or puts the person back. A stop does not
// cut it off.
func (d *delivery) record(ctx context.Context, person storage.Recipient, sendErr error) (result, error) {
	stopped := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	settle := func(outcome storage.BroadcastOutcome) (result, error) {
		return result{}, d.DB.SettleRecipient(ctx, d.b.ID, person.UserID, outcome)
	}
	var later *outbox.RetryAfterError
	switch {
	case sendErr == nil:
		return settle(storage.OutcomeSent)
	case errors.Is(sendErr, outbox.ErrUnreachable):
		if err := d.DB.SetUnreachable(ctx, person.UserID); err != nil && !errors.Is(err, storage.ErrNotFound) {
			return result{}, err
		}
		return settle(storage.OutcomeUnreachable)
	case errors.Is(sendErr, outbox.ErrUncertain):
		d.Log.Warn("a message of a broadcast may have been sent", "broadcast", d.b.ID, "user", person.UserID, "error", sendErr)
		return settle(storage.OutcomeUncertain)
	case errors.Is(sendErr, outbox.ErrRejected):
		d.Log.Warn("a message of a broadcast can't be sent", "broadcast", d.b.ID, "user", person.UserID, "error", sendErr)
		return settle(storage.OutcomeFailed)
	case stopped: // no fault of anybody's
		return result{returned: true}, d.DB.ReturnRecipient(ctx, d.b.ID, person, time.Now())
	}
	person.Tries++
	r := result{returned: true, failed: true}
	pause := backoff(person.Tries)
	if errors.As(sendErr, &later) {
		pause, r.after = later.After, later.After
	}
	d.Log.Warn("a message of a broadcast is not sent yet", "broadcast", d.b.ID, "user", person.UserID, "tries", person.Tries, "error", sendErr)
	if person.Tries >= mostTries {
		r.returned = false
		return r, d.DB.SettleRecipient(ctx, d.b.ID, person.UserID, storage.OutcomeFailed)
	}
	return r, d.DB.ReturnRecipient(ctx, d.b.ID, person, time.Now().Add(pause))
}

// draw has it shown how far the broadcast is, now and then and beside the sending.
func (d *delivery) draw(ctx context.Context) {
	now := time.Now()
	if now.Before(d.drawAt) {
		return
	}
	d.drawAt = now.Add(DrawEvery)
	select {
	case <-d.pencil:
	default:
		return // Telegram is slow
	}
	d.drawing.Go(func() {
		defer func() { d.pencil <- struct{}{} }()
		defer func() {
			if p := recover(); p != nil {
				d.Log.Error("drawing a broadcast panicked", "broadcast", d.b.ID, "panic", p, "stack", string(debug.Stack()))
			}
		}()
		if err := d.Progress(ctx, d.b.ID); err != nil && ctx.Err() == nil {
			d.Log.Warn("how far a broadcast is was not drawn", "broadcast", d.b.ID, "error", err)
		}
	})
}
