package bot

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWorkers is how many chats are handled in parallel. A worker whose handler takes
	// longer than slowUpdate no longer counts: it waits for something, such as the
	// marketplace, and another one takes its slot. Drawing counts: more workers would only
	// make the pacer's queue longer.
	maxWorkers = 256
	slowUpdate = 500 * time.Millisecond
	// maxSlow bounds the workers that no longer count.
	maxSlow = 3 * maxWorkers

	// maxPending is how many updates are in memory; the rest stays in the inbox.
	maxPending = 4096
	// maxChatPending is how many of them are of one chat, maxGroupPending of one group.
	maxChatPending  = 32
	maxGroupPending = 4
	// Of workers and of places in memory, one in reserved is kept for chats without
	// pending updates.
	reserved = 10

	// backlogPause is the time before the backlog of a chat is read again after an error.
	backlogPause = time.Second
)

// delivery is an update in memory.
type delivery struct {
	id, chat int64
	place    int64     // in the inbox; 0 if it is not known
	update   *update   // nil if it can't be decoded, or was not read
	received time.Time // or, if an earlier process received it, read
	resumed  bool      // an earlier process received it, so an attempt is counted
	tap      *tap      // nil unless a button was tapped
	screen   int       // the tapped message, if the tap only draws in it; else 0

	unfinished atomic.Int32 // of handling and of answering the tap
	drawing    atomic.Bool  // the handler has returned
}

// newDelivery returns a delivery that is unfinished until it is handled.
func newDelivery(id, chat int64) *delivery {
	item := &delivery{id: id, chat: chat}
	item.unfinished.Store(1)
	return item
}

// drop forgets a delivery whose update stays in the inbox.
func (item *delivery) drop() {
	if item.tap != nil {
		item.tap.drop()
	}
}

// harmless reports whether a tap or an inline query before a delivery may be skipped
// although the delivery is not.
func (item *delivery) harmless() bool {
	return item.update != nil && (item.update.CallbackQuery != nil || item.update.InlineQuery != nil)
}

// supersedes reports whether handling a delivery makes handling an older one pointless:
// both taps draw in the same message, or the person has typed more of an inline query.
func (item *delivery) supersedes(older *delivery) bool {
	switch {
	case item.screen != 0:
		return item.screen == older.screen
	case item.update == nil || older.update == nil || item.update.InlineQuery == nil || older.update.InlineQuery == nil:
		return false
	default:
		now, then := item.update.InlineQuery, older.update.InlineQuery
		return now.Query != then.Query || now.Offset == then.Offset // else it asks for the next results
	}
}

// dispatcher handles the updates of each chat in order, and chats in parallel. A
// chat without updates has no goroutine and no memory. doc.go has the rules.
type dispatcher struct {
	handle func(*delivery)
	// read reads the first updates of a chat's backlog that stand after a place.
	read func(chat, after int64, limit int) ([]*delivery, error)
	// skipped finishes deliveries that are not handled because a newer one is.
	skipped func([]*delivery)
	urgent  func(chat int64) bool
	workers int // limits
	places  int

	mu      sync.Mutex
	chats   map[int64]*chatQueue // with updates
	ready   [3]queueList         // of chats that wait for a worker, by class
	running [3]int               // workers that count, by class of the chat that they handle
	slow    int                  // workers that no longer count
	picks   int
	pending int           // deliveries in memory
	backlog int           // chats with more updates in the inbox
	stopped bool          // the inbox is no longer read
	idle    chan struct{} // closed when nothing is pending; nil if no goroutine waits for that
}

// class is how soon a chat gets a worker.
type class int

const (
	classUrgent class = iota // Hooks.Urgent: at once
	classFresh               // had no pending updates
	classBusy                // has more updates after the last one was handled
)

// chatQueue holds the updates of one chat.
type chatQueue struct {
	chat    int64
	items   []*delivery // that wait, oldest first
	current *delivery   // that is handled now
	// stored says that more updates of the chat are in the inbox, after a place; while
	// it is set, newer updates are left there as well.
	stored bool
	after  int64
	left   bool       // an update was left in the inbox since it was read last
	next   *chatQueue // in the list of those that wait for a worker
}

// queueList is a first-in-first-out list.
type queueList struct{ first, last *chatQueue }

func (l *queueList) push(q *chatQueue) {
	if l.last == nil {
		l.first = q
	} else {
		l.last.next = q
	}
	l.last = q
}

func (l *queueList) pop() *chatQueue {
	q := l.first
	l.first, q.next = q.next, nil
	if l.first == nil {
		l.last = nil
	}
	return q
}

func newDispatcher(b *Bot) *dispatcher {
	return &dispatcher{
		handle: b.run, read: b.readBacklog, skipped: b.skip, urgent: b.isUrgent,
		workers: maxWorkers, places: maxPending, chats: map[int64]*chatQueue{},
	}
}

// submit adds stored deliveries to the queues of their chats. Those that have no place
// in memory stay in the inbox.
func (d *dispatcher) submit(items ...*delivery) {
	var skipped []*delivery
	d.mu.Lock()
	for _, item := range items {
		q := d.queue(item.chat)
		switch {
		case d.stopped || item.place == 0 || q.stored || !d.hasPlace(q):
			d.leave(q, item)
		default:
			skipped = append(skipped, d.append(q, item)...)
		}
		d.wake(q)
	}
	d.mu.Unlock()
	if len(skipped) > 0 {
		go d.skipped(skipped) // receiving does not wait for the inbox
	}
}

// resume handles what earlier processes left in the inbox for these chats.
func (d *dispatcher) resume(chats []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, chat := range chats {
		q := d.queue(chat)
		d.setStored(q, true)
		q.after = 0
		d.enqueue(q, classBusy)
	}
	d.startWorkers()
}

// queue returns the queue of a chat, a new one if it has none.
func (d *dispatcher) queue(chat int64) *chatQueue {
	q := d.chats[chat]
	if q == nil {
		q = &chatQueue{chat: chat}
	}
	return q
}

// hasPlace reports whether memory has a place for one more update of a chat.
func (d *dispatcher) hasPlace(q *chatQueue) bool {
	switch {
	case q.length() >= chatPlaces(q.chat):
		return false
	case d.urgent(q.chat):
		return true
	case q.length() == 0:
		return d.pending < d.places
	default:
		return d.pending < d.places-d.places/reserved
	}
}

func (q *chatQueue) length() int {
	if q.current != nil {
		return len(q.items) + 1
	}
	return len(q.items)
}

// chatPlaces returns how many updates of a chat are in memory at most.
func chatPlaces(chat int64) int {
	if chat < 0 { // a group (Bot API: Chat)
		return maxGroupPending
	}
	return maxChatPending
}

// append adds a delivery to a queue. It returns the older ones that it makes pointless.
func (d *dispatcher) append(q *chatQueue, item *delivery) (skipped []*delivery) {
	// A message in between may answer the dialog that an older tap opens.
	from := len(q.items)
	for from > 0 && q.items[from-1].harmless() {
		from--
	}
	kept := q.items[:from]
	for _, older := range q.items[from:] {
		if item.supersedes(older) {
			skipped = append(skipped, older)
		} else {
			kept = append(kept, older)
		}
	}
	q.items = append(kept, item)
	q.after = max(q.after, item.place)
	d.pending++
	return skipped
}

// leave leaves a delivery in the inbox, where it is stored.
func (d *dispatcher) leave(q *chatQueue, item *delivery) {
	item.drop()
	if !q.stored && q.length() == 0 {
		q.after = max(item.place-1, 0)
	}
	// Without a place, or before one that was read, it is found from an earlier place on.
	q.after = min(q.after, max(item.place-1, 0))
	q.left = true
	d.setStored(q, true)
}

func (d *dispatcher) setStored(q *chatQueue, stored bool) {
	if q.stored == stored {
		return
	}
	q.stored = stored
	if stored {
		d.backlog++
	} else {
		d.backlog--
	}
}

// wake makes a chat that had no updates wait for a worker.
func (d *dispatcher) wake(q *chatQueue) {
	if d.chats[q.chat] != nil {
		return
	}
	d.enqueue(q, classFresh)
	d.startWorkers()
}

// enqueue makes a chat wait for a worker, or forgets it if it has no updates.
func (d *dispatcher) enqueue(q *chatQueue, c class) {
	if len(q.items) == 0 && (!q.stored || d.stopped) {
		d.setStored(q, false)
		delete(d.chats, q.chat)
		d.checkIdle()
		return
	}
	d.chats[q.chat] = q
	if d.urgent(q.chat) {
		c = classUrgent
	}
	d.ready[c].push(q)
}

// startWorkers starts a worker for each chat that may have one now.
func (d *dispatcher) startWorkers() {
	for {
		c, ok := d.pick()
		if !ok {
			return
		}
		q := d.ready[c].pop()
		d.running[c]++
		go d.work(q, c)
	}
}

// pick returns the class of the chat that gets the next worker; false if none gets one.
func (d *dispatcher) pick() (c class, ok bool) {
	if d.ready[classUrgent].first != nil {
		return classUrgent, true
	}
	counted := d.running[classFresh] + d.running[classBusy]
	if counted >= d.workers || d.slow >= maxSlow {
		return 0, false
	}
	fresh := d.ready[classFresh].first != nil
	busy := d.ready[classBusy].first != nil && d.running[classBusy] < d.workers-d.workers/reserved
	d.picks++
	switch {
	case busy && (!fresh || d.picks%4 == 0): // new chats never delay the others for ever
		return classBusy, true
	case fresh:
		return classFresh, true
	default:
		return 0, false
	}
}

// work handles one update of a chat, and then one of the next chat, until no chat waits.
func (d *dispatcher) work(q *chatQueue, c class) {
	for {
		var slow, ended bool // guarded by mu
		timer := time.AfterFunc(slowUpdate, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if ended || q.current != nil && q.current.drawing.Load() {
				return
			}
			slow = true
			d.running[c]--
			d.slow++
			d.startWorkers()
		})
		ok := d.handleNext(q)
		timer.Stop()

		d.mu.Lock()
		ended = true
		if slow {
			d.slow--
		} else {
			d.running[c]--
		}
		if ok {
			d.enqueue(q, classBusy)
		} else {
			d.enqueueLater(q)
		}
		next, more := d.pick()
		if !more {
			d.mu.Unlock()
			return
		}
		q, c = d.ready[next].pop(), next
		d.running[c]++
		d.startWorkers()
		d.mu.Unlock()
	}
}

// enqueueLater makes a chat whose backlog can't be read wait for a worker in a while.
func (d *dispatcher) enqueueLater(q *chatQueue) {
	time.AfterFunc(backlogPause, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.enqueue(q, classBusy)
		d.startWorkers()
	})
}

// handleNext handles the next update of a chat. It returns false if there is none
// because the inbox can't be read.
func (d *dispatcher) handleNext(q *chatQueue) bool {
	err := d.refill(q)
	d.mu.Lock()
	if len(q.items) == 0 {
		d.mu.Unlock()
		return err == nil
	}
	item := q.items[0]
	q.items[0] = nil
	q.items = q.items[1:]
	q.current = item
	d.mu.Unlock()
	d.handle(item)
	d.mu.Lock()
	q.current = nil
	d.mu.Unlock()
	d.done(item)
	return true
}

// refill reads updates of a chat from the inbox if few are in memory. Only the chat's
// worker calls it.
func (d *dispatcher) refill(q *chatQueue) error {
	for {
		d.mu.Lock()
		if !q.stored || d.stopped || len(q.items) > chatPlaces(q.chat)/2 {
			d.mu.Unlock()
			return nil
		}
		n := chatPlaces(q.chat) - q.length()
		if !d.urgent(q.chat) {
			n = min(n, d.places-d.places/reserved-d.pending)
		}
		if n <= 0 && len(q.items) > 0 {
			d.mu.Unlock()
			return nil
		}
		n = max(n, 1) // so that each chat with a worker makes progress
		limit := n + q.length()
		after := q.after
		q.left = false
		d.mu.Unlock()

		read, err := d.read(q.chat, after, limit)
		if err != nil {
			return err
		}
		var skipped []*delivery
		d.mu.Lock()
		taken := 0
		for ; taken < len(read) && n > 0; taken++ {
			item := read[taken]
			if q.holds(item.id) {
				item.drop()
				q.after = max(q.after, item.place)
				continue
			}
			older := d.append(q, item)
			skipped = append(skipped, older...)
			n += len(older) - 1
		}
		if !q.left && taken == len(read) && len(read) < limit {
			d.setStored(q, false)
		}
		d.mu.Unlock()
		for _, item := range read[taken:] {
			item.drop()
		}
		if len(skipped) > 0 {
			d.skipped(skipped)
		}
	}
}

// holds reports whether an update is in memory.
func (q *chatQueue) holds(id int64) bool {
	return q.current != nil && q.current.id == id ||
		slices.ContainsFunc(q.items, func(item *delivery) bool { return item.id == id })
}

// skipOlder is called by the handler of a delivery that matches. If the next updates of
// its chat match as well, it skips them, except the last of them, and returns true: then
// that one is to be handled in place of this one.
func (d *dispatcher) skipOlder(item *delivery, matches func(*delivery) bool) bool {
	d.mu.Lock()
	q := d.chats[item.chat]
	d.mu.Unlock()
	found := false
	for {
		var skipped []*delivery
		d.mu.Lock()
		n := 0
		for n < len(q.items) && matches(q.items[n]) {
			n++
		}
		more := n == len(q.items) && q.stored && !d.stopped // the run may go on in the inbox
		if n > 0 {
			found = true
			skipped = slices.Clone(q.items[:n-1])
			q.items = slices.Delete(q.items, 0, n-1)
		}
		d.mu.Unlock()
		if len(skipped) > 0 {
			d.skipped(skipped)
		}
		before := d.lastID(q)
		if !more || d.refill(q) != nil || d.lastID(q) == before {
			return found
		}
	}
}

// lastID returns the id of the newest update that waits, 0 if none does. Only the chat's
// worker calls it.
func (d *dispatcher) lastID(q *chatQueue) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(q.items) == 0 {
		return 0
	}
	return q.items[len(q.items)-1].id
}

// done finishes one part of a delivery.
func (d *dispatcher) done(item *delivery) {
	if item.unfinished.Add(-1) > 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending--
	d.checkIdle()
}

// checkIdle wakes those that wait until nothing is pending.
func (d *dispatcher) checkIdle() {
	if d.idle != nil && d.isIdle() {
		close(d.idle)
		d.idle = nil
	}
}

func (d *dispatcher) isIdle() bool { return d.pending == 0 && (d.backlog == 0 || d.stopped) }

// stop ends reading the inbox: what is in memory is handled, and the rest after the
// next start.
func (d *dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.checkIdle()
}

// wait returns when nothing is pending, or when ctx is done with ctx's error.
func (d *dispatcher) wait(ctx context.Context) error {
	d.mu.Lock()
	if d.isIdle() {
		d.mu.Unlock()
		return nil
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
