package bot

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWorkers bounds how many chats are handled at the same moment.
	maxWorkers = 256
	// maxPending bounds how many updates are in memory; where it is reached no
	// more are received. The others wait at Telegram, or in the inbox.
	maxPending = 4096
)

// delivery is an update on its way through the dispatcher.
type delivery struct {
	id, chat int64
	update   *update   // nil for one that was found in the inbox
	received time.Time // zero for one that was found in the inbox
	tap      *tap      // nil unless a button was tapped

	open atomic.Int32 // what is still being done about it
	next *delivery    // of the same chat
}

// dispatcher handles the updates of each chat in order, and chats in parallel.
// A chat without work costs nothing.
type dispatcher struct {
	handle func(*delivery)
	most   int           // workers
	room   chan struct{} // a place for each delivery in memory

	mu      sync.Mutex
	chats   map[int64]*chatQueue // those with work
	first   *chatQueue           // of the chats that wait for a worker
	last    *chatQueue
	workers int
	pending int
	idle    chan struct{} // closed when nothing is pending; nil while nobody waits
}

// chatQueue is the work of one chat.
type chatQueue struct {
	chat        int64
	first, last *delivery
	next        *chatQueue // of the chats that wait for a worker
}

// newDelivery returns a delivery that the dispatcher's own work keeps open.
func newDelivery(id, chat int64) *delivery {
	item := &delivery{id: id, chat: chat}
	item.open.Store(1)
	return item
}

func newDispatcher(handle func(*delivery), workers, pending int) *dispatcher {
	return &dispatcher{handle: handle, most: workers, room: make(chan struct{}, pending), chats: map[int64]*chatQueue{}}
}

// submit takes a delivery in, and waits for room first.
func (d *dispatcher) submit(ctx context.Context, item *delivery) error {
	select {
	case d.room <- struct{}{}:
	default:
		select {
		case d.room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending++
	l := d.chats[item.chat]
	if l != nil {
		if l.first == nil {
			l.first = item
		} else {
			l.last.next = item
		}
		l.last = item
		return nil
	}
	l = &chatQueue{chat: item.chat, first: item, last: item}
	d.chats[item.chat] = l
	d.enqueue(l)
	if d.workers < d.most {
		d.workers++
		go d.work()
	}
	return nil
}

// done ends one of the things that are being done about a delivery.
func (d *dispatcher) done(item *delivery) {
	if item.open.Add(-1) > 0 {
		return
	}
	<-d.room
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending--
	if d.pending == 0 && d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
}

// wait returns when nothing is pending.
func (d *dispatcher) wait(ctx context.Context) error {
	d.mu.Lock()
	if d.pending == 0 {
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

// work handles one update of one chat after the other, as long as there are
// any. A chat with more goes to the end, so that none keeps the others waiting.
func (d *dispatcher) work() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.first != nil {
		l := d.first
		d.first = l.next
		if d.first == nil {
			d.last = nil
		}
		item := l.first
		l.first, l.next = item.next, nil
		d.mu.Unlock()
		d.handle(item)
		d.done(item)
		d.mu.Lock()
		if l.first == nil {
			delete(d.chats, l.chat)
		} else {
			d.enqueue(l)
		}
	}
	d.workers--
}

func (d *dispatcher) enqueue(l *chatQueue) {
	if d.last == nil {
		d.first = l
	} else {
		d.last.next = l
	}
	d.last = l
}
