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
	firstUpdateID   = 100_001
	maxBatch        = 100
	maxPollSeconds  = 50
	updateLifetime  = 24 * time.Hour
	maxAcknowledged = 256 // acknowledged updates that Redeliver can send again

	conflictPoll       = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
	conflictSetWebhook = "Conflict: terminated by setWebhook request"
	conflictWebhook    = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)

// update is a Bot API Update. Body is its JSON as sent.
type update struct {
	ID    int64           `json:"id"`
	At    time.Time       `json:"at"`
	Queue queue           `json:"queue"`
	Body  json.RawMessage `json:"body"`
}

// queue is what a webhook delivers in order (tdlib/telegram-bot-api: Client::add_update):
// the messages of a chat, the taps of a person, or their inline queries.
type queue struct {
	Kind string `json:"kind"`
	ID   int64  `json:"id"`
}

// queueOf returns the queue of an update of a kind ("message"), whose chat, or for taps
// and inline queries whose person, has this id.
func queueOf(kind string, id int64) queue {
	switch kind {
	case "callback_query", "inline_query":
		return queue{kind, id}
	default:
		return queue{"chat", id}
	}
}

// updates holds the updates that the bot has not acknowledged, and the last ones
// that it has.
type updates struct {
	next         int64 // id of the next update
	queue        []update
	redeliver    []update // to send again, whatever the offset
	acknowledged []update // oldest first
	allowed      []string // nil: the default kinds
	poll         *poll
}

// poll is one open getUpdates.
type poll struct {
	wake       chan struct{}
	terminated chan *apiError
}

// enqueue adds an update of a kind ("message"), whose chat, or for taps and inline queries
// whose person, has this id, and wakes the receiver. The caller holds mu.
func (s *Server) enqueue(kind string, id int64, content any) {
	u := &s.updates
	if len(u.allowed) > 0 && !slices.Contains(u.allowed, kind) {
		return
	}
	payload, err := json.Marshal(content)
	if err != nil {
		panic("telegram: " + kind + " can't be written: " + err.Error()) // a mistake in this package's types
	}
	body := make([]byte, 0, len(payload)+len(kind)+40)
	body = append(body, `{"update_id":`...)
	body = strconv.AppendInt(body, u.next, 10)
	body = append(body, `,"`...)
	body = append(body, kind...)
	body = append(body, `":`...)
	body = append(body, payload...)
	body = append(body, '}')
	u.queue = append(u.queue, update{ID: u.next, At: time.Now(), Queue: queueOf(kind, id), Body: body})
	u.next++
	s.wakeReceiver()
}

// wakeReceiver wakes the webhook or the open poll.
func (s *Server) wakeReceiver() {
	var wake chan struct{}
	switch {
	case s.webhook != nil:
		wake = s.webhook.wake
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

// Redeliver sends the last n acknowledged updates to the bot again, as Telegram
// does when an acknowledgement is lost, and returns their ids. They are sent once,
// before new updates, whatever offset the bot polls with.
func (s *Server) Redeliver(n int) []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &s.updates
	last := u.acknowledged[max(0, len(u.acknowledged)-n):]
	u.redeliver = append(u.redeliver, last...)
	ids := make([]int64, len(last))
	for i, one := range last {
		ids[i] = one.ID
	}
	s.wakeReceiver()
	return ids
}

// Pending returns the number of updates that the bot has not acknowledged.
func (s *Server) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.updates.queue)
}

// acknowledge drops the first n updates of the queue.
func (u *updates) acknowledge(n int) {
	u.acknowledged = append(u.acknowledged, u.queue[:n]...)
	if len(u.acknowledged) > 2*maxAcknowledged {
		u.acknowledged = slices.Clone(u.acknowledged[len(u.acknowledged)-maxAcknowledged:])
	}
	clear(u.queue[:n]) // frees the bodies
	u.queue = u.queue[n:]
}

// acknowledgeOne drops one update of the queue.
func (u *updates) acknowledgeOne(id int64) {
	i := slices.IndexFunc(u.queue, func(one update) bool { return one.ID == id })
	if i < 0 {
		return // dropped during the delivery
	}
	u.acknowledged = append(u.acknowledged, u.queue[i])
	u.queue = slices.Delete(u.queue, i, i+1)
}

// expire drops updates that the bot has not fetched for a day.
func (u *updates) expire() {
	old := 0
	for old < len(u.queue) && time.Since(u.queue[old].At) > updateLifetime {
		old++
	}
	u.queue = u.queue[old:]
}

// seek acknowledges the updates before the offset of getUpdates. A negative offset
// leaves that many updates at the end of the queue.
func (u *updates) seek(offset int64) {
	n := 0
	if offset < 0 {
		n = max(0, len(u.queue)+int(max(offset, -1<<31)))
	} else {
		for n < len(u.queue) && u.queue[n].ID < offset {
			n++
		}
	}
	u.acknowledge(n)
}

// take returns at most limit updates as a JSON array, nil if there are none.
func (u *updates) take(limit int) json.RawMessage {
	again := u.redeliver[:min(limit, len(u.redeliver))]
	u.redeliver = u.redeliver[len(again):]
	queued := u.queue[:min(limit-len(again), len(u.queue))]
	if len(again)+len(queued) == 0 {
		return nil
	}
	var batch bytes.Buffer
	batch.WriteByte('[')
	for i, one := range slices.Concat(again, queued) {
		if i > 0 {
			batch.WriteByte(',')
		}
		batch.Write(one.Body)
	}
	batch.WriteByte(']')
	return batch.Bytes()
}

// getUpdates waits for updates (Bot API: getUpdates). A second call ends the first
// with a 409.
func (s *Server) getUpdates(ctx context.Context, a args) (any, *apiError) {
	if err := a.checkAllowed(); err != nil {
		return nil, err
	}
	limit := int(a.integer("limit"))
	if limit < 1 || limit > maxBatch {
		limit = maxBatch
	}
	wait := time.Duration(min(max(a.integer("timeout"), 0), maxPollSeconds)) * time.Second
	p := &poll{wake: make(chan struct{}, 1), terminated: make(chan *apiError, 1)}

	s.mu.Lock()
	u := &s.updates
	if s.webhook != nil {
		s.mu.Unlock()
		return nil, refuse(http.StatusConflict, conflictWebhook)
	}
	if u.poll != nil {
		u.poll.terminated <- refuse(http.StatusConflict, conflictPoll)
	}
	u.poll = p
	u.allow(a)
	u.expire()
	u.seek(a.integer("offset"))
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
			if u.poll == p { // no other poll has taken over
				batch = u.take(limit)
			}
			s.mu.Unlock()
		case err := <-p.terminated:
			return nil, err
		case <-ctx.Done():
			return nil, errNoResponse
		case <-s.closed:
			return nil, errNoResponse
		case <-timer.C:
			return json.RawMessage("[]"), nil
		}
	}
	return batch, nil
}

// allow keeps the kinds of updates that the call names, for all later updates; an
// empty list means the default kinds. The names have been checked.
func (u *updates) allow(a args) {
	if _, ok := a["allowed_updates"]; ok {
		u.allowed = a.allowedUpdates()
	}
}

// allowedUpdates returns the names in allowed_updates, nil if there are none.
func (a args) allowedUpdates() []string {
	var names []string
	kinds, _ := a["allowed_updates"].node.([]any)
	for _, kind := range kinds {
		name, _ := kind.(string)
		names = append(names, name)
	}
	return names
}

// checkAllowed refuses unknown kinds of updates.
func (a args) checkAllowed() *apiError {
	for _, name := range a.allowedUpdates() {
		if tables().objects["Update"].fields[name] == nil || name == "update_id" {
			return badRequest("unknown kind of update %q in allowed_updates (strict: Telegram ignores it)", name)
		}
	}
	return nil
}
