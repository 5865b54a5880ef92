package telegram

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Limits of polling (Bot API: getUpdates).
const (
	firstUpdate    = 100_001
	maxBatch       = 100
	maxPollSeconds = 50
	updateLife     = 24 * time.Hour
	keptUpdates    = 256 // acknowledged ones that Redeliver can give again

	conflictPoll    = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
	conflictSetHook = "Conflict: terminated by setWebhook request"
	conflictHook    = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)

// update is one Update, as it is sent.
type update struct {
	id   int64
	at   time.Time
	body []byte
}

// updates are those the bot has not acknowledged yet, and the last ones it has.
type updates struct {
	next    int64
	queue   []update
	again   []update // to be given once more, whatever the offset
	done    []update // acknowledged, oldest first
	allowed []string // nil: the default kinds
	poll    *poll
}

// poll is one open getUpdates.
type poll struct {
	wake   chan struct{}
	kicked chan *apiError
}

// enqueue makes an update of one kind, "message", and wakes who receives. The
// caller holds mu.
func (s *Server) enqueue(kind string, what any) {
	u := &s.updates
	if len(u.allowed) > 0 && !slices.Contains(u.allowed, kind) {
		return
	}
	payload, err := json.Marshal(what)
	if err != nil {
		panic("telegram: " + kind + " can't be written: " + err.Error()) // our own types: a mistake in this package
	}
	body := make([]byte, 0, len(payload)+len(kind)+40)
	body = append(body, `{"update_id":`...)
	body = strconv.AppendInt(body, u.next, 10)
	body = append(body, `,"`...)
	body = append(body, kind...)
	body = append(body, `":`...)
	body = append(body, payload...)
	body = append(body, '}')
	u.queue = append(u.queue, update{id: u.next, at: time.Now(), body: body})
	u.next++
	s.wakeReceivers()
}

func (s *Server) wakeReceivers() {
	var wake chan struct{}
	switch {
	case s.hook != nil:
		wake = s.hook.wake
	case s.updates.poll != nil:
		wake = s.updates.poll.wake
	default:
		return
	}
	select {
	case wake <- struct{}{}:
	default:
	}
}

// Redeliver gives the last n acknowledged updates to the bot again, under the
// same ids, as Telegram does where an acknowledgement was lost. It returns their
// ids. They come before new updates, once, whatever offset the bot polls with.
func (s *Server) Redeliver(n int) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &s.updates
	last := u.done[max(0, len(u.done)-n):]
	u.again = append(u.again, last...)
	ids := make([]int64, len(last))
	for i, one := range last {
		ids[i] = one.id
	}
	s.wakeReceivers()
	return ids
}

// Pending returns how many updates wait for the bot's acknowledgement.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.updates.queue)
}

// acknowledge drops the first n updates of the queue.
func (u *updates) acknowledge(n int) {
	u.done = append(u.done, u.queue[:n]...)
	if len(u.done) > 2*keptUpdates {
		u.done = slices.Clone(u.done[len(u.done)-keptUpdates:])
	}
	clear(u.queue[:n]) // let the bodies go
	u.queue = u.queue[n:]
}

// expire forgets updates that nobody has fetched for a day.
func (u *updates) expire() {
	old := 0
	for old < len(u.queue) && time.Since(u.queue[old].at) > updateLife {
		old++
	}
	u.queue = u.queue[old:]
}

// seek does what the offset of getUpdates says: all before it is acknowledged;
// a negative one keeps that many from the end.
func (u *updates) seek(offset int64) {
	n := 0
	if offset < 0 {
		n = max(0, len(u.queue)+int(max(offset, -1<<31)))
	} else {
		for n < len(u.queue) && u.queue[n].id < offset {
			n++
		}
	}
	u.acknowledge(n)
}

// take returns at most limit updates as a JSON array, nil where there are none.
func (u *updates) take(limit int) json.RawMessage {
	again := u.again[:min(limit, len(u.again))]
	u.again = u.again[len(again):]
	fresh := u.queue[:min(limit-len(again), len(u.queue))]
	if len(again)+len(fresh) == 0 {
		return nil
	}
	var batch bytes.Buffer
	batch.WriteByte('[')
	for i, one := range slices.Concat(again, fresh) {
		if i > 0 {
			batch.WriteByte(',')
		}
		batch.Write(one.body)
	}
	batch.WriteByte(']')
	return batch.Bytes()
}

// getUpdates waits for updates (Bot API: getUpdates). A second one ends the
// first with a 409.
func (s *Server) getUpdates(ctx context.Context, a args) (any, *apiError) {
	if err := a.checkAllowed(); err != nil {
		return nil, err
	}
	limit := int(a.number("limit"))
	if limit < 1 || limit > maxBatch {
		limit = maxBatch
	}
	wait := time.Duration(min(max(a.number("timeout"), 0), maxPollSeconds)) * time.Second
	p := &poll{wake: make(chan struct{}, 1), kicked: make(chan *apiError, 1)}

	s.mu.Lock()
	u := &s.updates
	if s.hook != nil {
		s.mu.Unlock()
		return nil, refuse(http.StatusConflict, conflictHook)
	}
	if u.poll != nil {
		u.poll.kicked <- refuse(http.StatusConflict, conflictPoll)
	}
	u.poll = p
	u.allow(a)
	u.expire()
	u.seek(a.number("offset"))
	batch := u.take(limit)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if u.poll == p {
			u.poll = nil
		}
	}()

	timer := time.NewTimer(wait)
	defer timer.Stop()
	for batch == nil {
		select {
		case <-p.wake:
			s.mu.Lock()
			if u.poll == p { // not kicked in between: the other poll has them
				batch = u.take(limit)
			}
			s.mu.Unlock()
		case err := <-p.kicked:
			return nil, err
		case <-ctx.Done():
			return nil, errGone
		case <-s.closed:
			return nil, errGone
		case <-timer.C:
			return json.RawMessage("[]"), nil
		}
	}
	return batch, nil
}

// allow keeps the kinds that the call names, for this and all later receiving;
// the default ones where it names an empty list. The names have been checked.
func (u *updates) allow(a args) {
	v, ok := a["allowed_updates"]
	if !ok {
		return
	}
	u.allowed = nil
	kinds, _ := v.node.([]any)
	for _, kind := range kinds {
		name, _ := kind.(string)
		u.allowed = append(u.allowed, name)
	}
}

// checkAllowed refuses a kind of update that there is not.
func (a args) checkAllowed() *apiError {
	kinds, _ := a["allowed_updates"].node.([]any)
	for _, kind := range kinds {
		name, _ := kind.(string)
		if tables().objects["Update"].fields[name] == nil || name == "update_id" {
			return badRequest("unknown kind of update %q in allowed_updates (strict: Telegram ignores it)", name)
		}
	}
	return nil
}
