package bot

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxWorkers is how many chats are handled in parallel.
	maxWorkers = 256
	// maxPending is how many updates are in memory. At this number receiving waits;
	// more updates stay at Telegram or in the inbox.
	maxPending = 4096
)

// delivery is an update in memory.
type delivery struct {
	id, chat int64
	update   *update   // nil if it was found in the inbox and not read yet
	received time.Time // zero likewise
	tap      *tap      // nil unless a button was tapped

	unfinished atomic.Int32 // of handling and of answering the tap
	next       *delivery    // of the same chat
}

// dispatcher handles the updates of each chat in order, and chats in parallel. A
// chat without updates has no goroutine and no memory.
type dispatcher struct {
	handle func(*delivery)
	limit  int           // of workers
	slots  chan struct{} // one for each delivery in memory

	mu      sync.Mutex
	chats   map[int64]*chatQueue // with updates
	first   *chatQueue           // of those that wait for a worker
	last    *chatQueue
	workers int
	pending int
	idle    chan struct{} // closed when nothing is pending; nil if no goroutine waits for that
}

// chatQueue holds the updates of one chat.
type chatQueue struct {
	chat        int64
	first, last *delivery
	next        *chatQueue // in the list of those that wait for a worker
}

// newDelivery returns a delivery that is unfinished until it is handled.
func newDelivery(id, chat int64) *delivery {
	item := &delivery{id: id, chat: chat}
	item.unfinished.Store(1)
	return item
}

func newDispatcher(handle func(*delivery), workers, pending int) *dispatcher {
	return &dispatcher{handle: handle, limit: workers, slots: make(chan struct{}, pending), chats: map[int64]*chatQueue{}}
}

// submit adds a delivery to the queue of its chat. It waits for a slot until ctx is
// done; the error is ctx's.
func (d *dispatcher) submit(ctx context.Context, item *delivery) error {
	select {
	case d.slots <- struct{}{}:
	default:
		select {
		case d.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending++
	queue := d.chats[item.chat]
	if queue != nil {
		if queue.first == nil {
			queue.first = item
		} else {
			queue.last.next = item
		}
		queue.last = item
		return nil
	}
	queue = &chatQueue{chat: item.chat, first: item, last: item}
	d.chats[item.chat] = queue
	d.enqueue(queue)
	if d.workers < d.limit {
		d.workers++
		go d.work()
	}
	return nil
}

// done finishes one part of a delivery.
func (d *dispatcher) done(item *delivery) {
	if item.unfinished.Add(-1) > 0 {
		return
	}
	<-d.slots
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending--
	if d.pending == 0 && d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
}

// wait returns when nothing is pending, or when ctx is done with ctx's error.
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

// work handles updates until no chat waits. After one update a chat goes to the end
// of the list, so that a busy chat does not delay the others.
func (d *dispatcher) work() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.first != nil {
		queue := d.first
		d.first = queue.next
		if d.first == nil {
			d.last = nil
		}
		item := queue.first
		queue.first, queue.next = item.next, nil
		d.mu.Unlock()
		d.handle(item)
		d.done(item)
		d.mu.Lock()
		if queue.first == nil {
			delete(d.chats, queue.chat)
		} else {
			d.enqueue(queue)
		}
	}
	d.workers--
}

func (d *dispatcher) enqueue(queue *chatQueue) {
	if d.last == nil {
		d.first = queue
	} else {
		d.last.next = queue
	}
	d.last = queue
}
