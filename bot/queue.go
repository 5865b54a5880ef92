package bot

import (
	"slices"
	"sync/atomic"
	"time"
)

// delivery is an update in memory.
type delivery struct {
	id, chat int64
	update   *update   // nil if it can't be decoded
	received time.Time // or, if an earlier process received it, read
	tap      *tap      // nil unless a button was tapped
	screen   int       // the tapped message, if the tap only draws in it; else 0

	unfinished atomic.Int32 // of handling and of answering the tap
	drawing    atomic.Bool  // the handler has returned
	drawings   int          // begun
	finishing  atomic.Bool  // the inbox is told that it is done
	more       bool         // the inbox has further unfinished updates of the chat
	again      bool         // it could not be handled yet
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

// chatQueue holds the updates of one chat.
type chatQueue struct {
	chat     int64
	items    []*delivery // that wait, oldest first
	current  *delivery   // that is handled now
	skipping []int64     // ids that are being finished without being handled
	// stored says that more updates of the chat are in the inbox; while it is set, newer
	// updates are left there as well.
	stored bool
	left   bool       // an update was left in the inbox since it was read last
	idle   bool       // it waits for nothing but the skipped updates
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

// unfinished returns how many updates in memory the inbox has as unfinished.
func (q *chatQueue) unfinished() int {
	if q.current != nil && q.current.finishing.Load() {
		return len(q.items)
	}
	return q.length()
}

func (q *chatQueue) length() int {
	if q.current != nil {
		return len(q.items) + 1
	}
	return len(q.items)
}

// holds reports whether an update is in memory.
func (q *chatQueue) holds(id int64) bool {
	return q.current != nil && q.current.id == id || slices.Contains(q.skipping, id) ||
		slices.ContainsFunc(q.items, func(item *delivery) bool { return item.id == id })
}

// arrival is an update that is being stored, perhaps by several requests at once.
type arrival struct {
	stores int
	taken  bool // read from the inbox before it was submitted
}

// arrive notes that updates are being stored, and may be read from the inbox before they
// are submitted. submit or leaveArriving follows.
func (d *dispatcher) arrive(ids []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		if d.arriving[id] == nil {
			d.arriving[id] = &arrival{}
		}
		d.arriving[id].stores++
	}
}

// arrived ends one store of an update and reports whether it was taken.
func (d *dispatcher) arrived(id int64) (taken bool) {
	a := d.arriving[id]
	if a == nil {
		return false
	}
	a.stores--
	if a.stores == 0 {
		delete(d.arriving, id)
	}
	return a.taken
}

// leaveArriving forgets updates that are not submitted.
func (d *dispatcher) leaveArriving(ids []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		d.arrived(id)
	}
}
