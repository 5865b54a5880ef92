package hints_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hstockbot/internal/hints"
	"hstockbot/internal/sandbox/testworld"
)

// network carries hints between the processes of a bubble.
type network struct {
	mu    sync.Mutex
	nodes []*node
	down  bool
}

// node is the database of one process.
type node struct {
	net     *network
	sent    []string
	tries   int               // to send
	receive func(hint string) // nil while it does not listen
	lost    chan struct{}     // closed when the connection is lost
}

var errDown = errors.New("the network is down")

func (n *network) node() *node {
	n.nodes = append(n.nodes, &node{net: n})
	return n.nodes[len(n.nodes)-1]
}

// setDown ends all connections, or allows new ones.
func (n *network) setDown(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for _, node := range n.nodes {
		if down && node.receive != nil {
			node.receive = nil
			close(node.lost)
		}
	}
}

// state returns what the node has sent, and how often it tried.
func (n *node) state() (sent string, tries int) {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	return strings.Join(n.sent, " "), n.tries
}

func (n *node) Notify(_ context.Context, hint string) error {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	n.tries++
	if n.net.down {
		return errDown
	}
	n.sent = append(n.sent, hint)
	for _, other := range n.net.nodes {
		if other != n && other.receive != nil {
			other.receive(hint)
		}
	}
	return nil
}

func (n *node) Listen(ctx context.Context, receive func(hint string)) error {
	n.net.mu.Lock()
	if n.net.down {
		n.net.mu.Unlock()
		return errDown
	}
	n.receive, n.lost = receive, make(chan struct{})
	lost := n.lost
	n.net.mu.Unlock()
	receive("")
	select {
	case <-lost:
		return errDown
	case <-ctx.Done():
		return ctx.Err()
	}
}

// counter counts the calls of a wake-up.
type counter struct{ atomic.Int64 }

func (c *counter) wake() { c.Add(1) }

// taken returns how often it was called since the last time.
func (c *counter) taken() int64 { return c.Swap(0) }

func start(t *testing.T, h *hints.Hints) {
	t.Helper()
	h.Start()
	t.Cleanup(func() { testworld.Must(t, h.Stop(context.WithoutCancel(t.Context()))) })
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestWakeReachesOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		a, b, newer := hints.New(net.node(), discard()), hints.New(net.node(), discard()), hints.New(net.node(), discard())
		var ofA, ofB, other counter
		wakeAll := a.Share("outbox", ofA.wake)
		b.Share("outbox", ofB.wake)
		b.Share("other", other.wake)
		newer.Share("added later", func() {})()
		newer.Share("other", func() {})()
		start(t, a)
		start(t, b)
		synctest.Wait()
		ofA.taken()
		ofB.taken()
		other.taken()
		wakeAll()
		if ofA.taken() != 1 {
			t.Error("this process is not woken at once")
		}
		testworld.Pass(time.Minute)
		if a, b, other := ofA.taken(), ofB.taken(), other.taken(); a != 0 || b != 1 || other != 0 {
			t.Errorf("woken: this process %d times again, the other %d times, and %d times by another name", a, b, other)
		}
		start(t, newer) // sends both names together
		testworld.Pass(time.Minute)
		if b, other := ofB.taken(), other.taken(); b != 0 || other != 1 {
			t.Errorf("woken by a newer program: %d times, and %d times by another name", b, other)
		}
		net.nodes[1].receive("") // hints may have been missed
		if b, other := ofB.taken(), other.taken(); b != 1 || other != 1 {
			t.Errorf("woken when connected again: %d and %d times", b, other)
		}
	})
}

// TestHintsAreCoalesced: the first is sent at once, those of the next 20 ms in one
// notification.
func TestHintsAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		node := net.node()
		h := hints.New(node, discard())
		one, two := h.Share("one", func() {}), h.Share("two", func() {})
		start(t, h)
		one()
		synctest.Wait()
		for range 100 {
			two()
			one()
		}
		testworld.Pass(19 * time.Millisecond)
		if sent, _ := node.state(); sent != "one" {
			t.Errorf("sent within 20 ms: %q", sent)
		}
		testworld.Pass(time.Minute)
		if sent, _ := node.state(); sent != "one one,two" {
			t.Errorf("sent: %q", sent)
		}
	})
}

// TestLooksEachSecondWhileNothingIsReceived: as often before the first connection and
// after a lost one, once when it is made again, and not later.
func TestLooksEachSecondWhileNothingIsReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{down: true}
		var log bytes.Buffer
		h := hints.New(net.node(), slog.New(slog.NewTextHandler(&log, nil)))
		var looks counter
		h.Share("outbox", looks.wake)
		start(t, h)
		for range 2 {
			testworld.Pass(59*time.Second + 500*time.Millisecond)
			if n := looks.taken(); n != 60 {
				t.Errorf("%d looks in a minute", n)
			}
			net.setDown(false)
			testworld.Pass(time.Minute) // until the next try
			looks.taken()
			testworld.Pass(time.Hour)
			if n := looks.taken(); n != 0 {
				t.Errorf("%d looks while hints are received", n)
			}
			net.setDown(true)
			synctest.Wait()
		}
		net.setDown(false)
		testworld.Pass(time.Minute)
		for _, line := range []string{"hints of other processes not received", "hints of other processes received again"} {
			if n := strings.Count(log.String(), line); n != 3 {
				t.Errorf("%q is logged %d times:\n%s", line, n, &log)
			}
		}
	})
}

func TestFailedHintIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{down: true}
		node := net.node()
		h := hints.New(node, discard())
		wakeAll := h.Share("outbox", func() {})
		start(t, h)
		for range 99 {
			wakeAll()
			testworld.Pass(10 * time.Millisecond)
		}
		if _, tries := node.state(); tries != 1 {
			t.Errorf("tried %d times within a second", tries)
		}
		net.setDown(false)
		testworld.Pass(time.Minute)
		if sent, _ := node.state(); sent != "outbox" {
			t.Errorf("sent: %q", sent)
		}
	})
}

func TestStopSendsWhatIsPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		node := net.node()
		h := hints.New(node, discard())
		wakeAll := h.Share("lease", func() {})
		h.Start()
		synctest.Wait()
		wakeAll()
		for range 2 {
			testworld.Must(t, h.Stop(t.Context()))
			wakeAll() // does not block, and sends nothing
		}
		if sent, _ := node.state(); sent != "lease" {
			t.Errorf("sent: %q", sent)
		}
	})
}

// TestWakeWithoutOtherProcesses: a file has one.
func TestWakeWithoutOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			log   bytes.Buffer
			woken counter
		)
		h := hints.New(nil, slog.New(slog.NewTextHandler(&log, nil)))
		wakeAll := h.Share("outbox", woken.wake)
		start(t, h)
		testworld.Pass(time.Hour)
		if n := woken.taken(); n != 0 || log.Len() > 0 {
			t.Errorf("woken %d times by nobody, the log:\n%s", n, &log)
		}
		wakeAll()
		if n := woken.taken(); n != 1 {
			t.Errorf("woken %d times", n)
		}
	})
}
