package bot

import (
	"context"
	"slices"
	"sync"
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

// dispatcher handles the updates of each chat in order, and chats in parallel. A
// chat without updates has no goroutine and no memory. doc.go has the rules.
type dispatcher struct {
	handle func(*delivery)
	// read reads the first unfinished updates of a chat.
	read func(chat int64, limit int) ([]*delivery, error)
	// skipped finishes deliveries of a chat that are not handled because a newer one is,
	// and then calls unskip.
	skipped func([]*delivery)
	urgent  func(chat int64) bool
	workers int // limits
	places  int

	mu       sync.Mutex
	chats    map[int64]*chatQueue // with updates
	arriving map[int64]*arrival   // by id
	ready    [classes]queueList   // of chats that wait for a worker, by class
	running  [classes]int         // workers that count, by class of the chat that they handle
	slow     int                  // workers that no longer count
	picks    int
	pending  int           // deliveries in memory
	backlog  int           // chats with more updates in the inbox
	stopped  bool          // the inbox is no longer read
	idle     chan struct{} // closed when nothing is pending; nil if no goroutine waits for that

	careful   bool            // leftover updates are handled one by one
	leftovers map[int64]int64 // by chat: the last update that an earlier process has left
	recovered chan struct{}   // closed when all leftover updates are handled
}

// class is how soon a chat gets a worker.
type class int

const (
	classUrgent  class = iota // Hooks.Urgent: at once
	classFresh                // had no pending updates
	classBusy                 // has more updates after the last one was handled
	classSuspect              // has leftover updates, one of which may end the process: one after another

	classes
)

func newDispatcher(b *Bot) *dispatcher {
	return &dispatcher{
		handle: b.run, read: b.readBacklog, skipped: b.skip, urgent: b.isUrgent, workers: maxWorkers, places: maxPending,
		chats: map[int64]*chatQueue{}, arriving: map[int64]*arrival{}, leftovers: map[int64]int64{},
	}
}

// submit hands in stored deliveries of a chat of this process, in their order. unfinished
// is how many unfinished updates the chat had in the inbox then. If memory does not have
// all the others, or has no place, they stay in the inbox, and are read in their order.
func (d *dispatcher) submit(chat int64, items []*delivery, unfinished int) {
	var skipped []*delivery
	d.mu.Lock()
	q := d.queue(chat)
	complete := !d.stopped && !q.stored && q.unfinished()+len(items) == unfinished
	for _, item := range items {
		switch taken := d.arrived(item.id); {
		case taken:
			item.drop()
			complete = false
		case !complete || !d.hasPlace(q):
			item.drop()
			complete = false
			d.setStored(q)
		default:
			skipped = append(skipped, d.append(q, item)...)
		}
	}
	if len(items) == 0 {
		d.setStored(q)
	}
	d.wake(q, classFresh)
	d.mu.Unlock()
	if len(skipped) > 0 {
		go d.skipped(skipped) // receiving does not wait for the inbox
	}
}

// submitStored handles the unfinished updates of a chat in the inbox.
func (d *dispatcher) submitStored(chat int64) { d.submit(chat, nil, 0) }

// has reports whether a chat has updates in memory, or some that are read from the inbox.
func (d *dispatcher) has(chat int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.chats[chat] != nil
}

// resume handles the updates that other processes have left in the inbox for these chats.
func (d *dispatcher) resume(chats []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, chat := range chats {
		q := d.queue(chat)
		d.setStored(q)
		d.wake(q, classBusy)
	}
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
			q.skipping = append(q.skipping, older.id)
		} else {
			kept = append(kept, older)
		}
	}
	q.items = append(kept, item)
	d.pending++
	return skipped
}

// setStored notes that the inbox has updates of a chat that memory lacks.
func (d *dispatcher) setStored(q *chatQueue) {
	q.left = true
	if !q.stored {
		q.stored = true
		d.backlog++
	}
}

// allRead notes that memory has all updates of a chat.
func (d *dispatcher) allRead(q *chatQueue) {
	if q.stored {
		q.stored = false
		d.backlog--
	}
}

// wake makes a chat wait for a worker that had no updates.
func (d *dispatcher) wake(q *chatQueue, c class) {
	if d.chats[q.chat] == nil || q.idle {
		d.enqueue(q, c)
		d.startWorkers()
	}
}

// enqueue makes a chat wait for a worker, or forgets it if it has no updates.
func (d *dispatcher) enqueue(q *chatQueue, c class) {
	q.idle = len(q.items) == 0 && (!q.stored || d.stopped)
	switch {
	case q.idle && len(q.skipping) == 0:
		d.allRead(q)
		delete(d.chats, q.chat)
		d.checkIdle()
		return
	case q.idle:
		d.allRead(q)
		d.chats[q.chat] = q
		d.checkIdle()
		return
	}
	d.chats[q.chat] = q
	switch {
	case d.careful && d.leftovers[q.chat] != 0:
		c = classSuspect
	case d.urgent(q.chat):
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
	switch {
	case d.ready[classUrgent].first != nil:
		return classUrgent, true
	case d.ready[classSuspect].first != nil && d.running[classSuspect] == 0 && d.slow < maxSlow:
		return classSuspect, true
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
			d.checkRecovered(q)
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

// enqueueLater makes a chat wait for a worker in a while.
func (d *dispatcher) enqueueLater(q *chatQueue) {
	time.AfterFunc(backlogPause, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.enqueue(q, classBusy)
		d.startWorkers()
	})
}

// handleNext handles the next update of a chat. It returns false if it can't be handled
// yet, or there is none because the inbox can't be read.
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
	if item.again && !d.stopped {
		item.again = false
		item.drawing.Store(false)
		q.items = slices.Insert(q.items, 0, item)
		d.mu.Unlock()
		return false
	}
	if item.more && len(q.items) == 0 {
		d.setStored(q)
	}
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
		limit := n + q.length() + len(q.skipping)
		q.left = false
		d.mu.Unlock()

		read, err := d.read(q.chat, limit)
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
				continue
			}
			if arriving := d.arriving[item.id]; arriving != nil {
				arriving.taken = true
			}
			older := d.append(q, item)
			skipped = append(skipped, older...)
			n += len(older) - 1
		}
		if !q.left && taken == len(read) && len(read) < limit {
			d.allRead(q)
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
			for _, item := range skipped {
				q.skipping = append(q.skipping, item.id)
			}
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

// unskip notes that updates of a chat were finished without being handled, or will not be.
// more reports that the inbox has further ones.
func (d *dispatcher) unskip(items []*delivery, more bool) {
	d.mu.Lock()
	q := d.queue(items[0].chat)
	for _, item := range items {
		q.skipping = slices.DeleteFunc(q.skipping, func(id int64) bool { return id == item.id })
	}
	if more && len(q.items) == 0 && q.current == nil {
		d.setStored(q)
	}
	if q.idle {
		d.wake(q, classBusy)
	}
	d.mu.Unlock()
	for _, item := range items {
		d.done(item)
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
