package bot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
)

// copies are bots of several processes with one inbox.
type copies struct {
	*world
	processes []*process

	mu      sync.Mutex
	handled map[int64][]int // numbers of updates by chat, in the order of handling
}

type process struct {
	*Bot
	inbox *mortalInbox
}

func inCopies(t *testing.T, test func(t *testing.T, c *copies)) {
	inWorld(t, telegram.Options{NoLog: true}, func(t *testing.T, w *world) {
		c := &copies{world: w, handled: map[int64][]int{}}
		w.cfg.Shared = true
		first := c.begin()
		if err := first.Lead(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, c)
		for _, p := range c.processes {
			if p.inbox.dead.Load() {
				continue
			}
			w.bot = p.Bot
			w.stop()
		}
	})
}

// begin starts a process.
func (c *copies) begin() *process {
	c.t.Helper()
	p := &process{inbox: &mortalInbox{memoryInbox: c.inbox}}
	c.cfg.Inbox = p.inbox
	c.build()
	p.Bot = c.bot
	p.Command("n", func(ctx context.Context, req *Request) (View, error) {
		if err := pause(ctx, time.Duration(req.Chat%5)*40*time.Millisecond); err != nil {
			return View{}, err
		}
		n, err := strconv.Atoi(req.Args)
		if err != nil {
			c.t.Error(err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.handled[req.Chat] = append(c.handled[req.Chat], n)
		return View{}, nil
	})
	if err := p.Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	c.processes = append(c.processes, p)
	return p
}

// kill ends a process as SIGKILL does. It counts as dead after a while.
func (c *copies) kill(p *process) {
	p.inbox.dead.Store(true)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), 8*time.Second)
	defer cancel()
	p.stopReceiving()
	p.cancelWork()
	_ = p.Stop(ctx)
	time.AfterFunc(12*time.Second, func() {
		c.inbox.mu.Lock()
		defer c.inbox.mu.Unlock()
		delete(c.inbox.alive, p.cfg.Owner)
	})
}

// deal gives an update to a process, as Telegram does.
func (c *copies) deal(to *process, id, chat int64, n int) error {
	if to.inbox.dead.Load() {
		return errors.New("connection refused")
	}
	update := fmt.Sprintf(`{"update_id":%d,"message":{"message_id":%d,"date":1,"chat":{"id":%d,"type":"private"},"from":{"id":%d,"first_name":"Ann"},"text":"/n %d"}}`, id, id, chat, chat, n)
	_, err := to.receive([]received{decodeReceived(json.RawMessage(update))})
	return err
}

// awaitAll waits until the inbox has no unfinished update.
func (c *copies) awaitAll() {
	c.t.Helper()
	for range 120 {
		time.Sleep(time.Second)
		if c.inbox.states()["received"] == 0 {
			return
		}
	}
	c.t.Fatalf("never idle: %v", c.inbox.states())
}

func (c *copies) wantRescued(want int) {
	c.t.Helper()
	if n := c.observed("chat_rescued"); n != want {
		c.t.Errorf("%d chats were rescued, want %d", n, want)
	}
}

// TestOrderOfChatsAcrossProcesses deals the updates of each chat in order, each to any
// process, some twice or after a failed store, and kills processes. Each update is handled,
// in order, and once, unless the process that had it was killed.
func TestOrderOfChatsAcrossProcesses(t *testing.T) {
	const chats, updates = 7, 60
	for seed := range uint64(20) {
		kills := int(seed % 3)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inCopies(t, func(t *testing.T, c *copies) {
				c.begin()
				c.begin()
				random := rand.New(rand.NewPCG(seed, seed))
				slow := rand.New(rand.NewPCG(seed, 1))
				var slowMu sync.Mutex
				for _, p := range c.processes {
					p.inbox.slow = func() time.Duration {
						slowMu.Lock()
						defer slowMu.Unlock()
						return time.Duration(slow.IntN(30)) * time.Millisecond
					}
				}
				some := func() *process { return c.processes[random.IntN(len(c.processes))] }
				sent := map[int64]int{}
				var repeated sync.WaitGroup
				defer repeated.Wait()
				for id := int64(1); id <= chats*updates; id++ {
					chat := 1 + id%chats
					sent[chat]++
					if random.IntN(10) == 0 {
						c.inbox.mu.Lock()
						c.inbox.failStores, c.inbox.storeThenFail = 1, random.IntN(2) == 0
						c.inbox.mu.Unlock()
					}
					if random.IntN(5) == 0 { // Telegram has not waited for the answer
						to, n := some(), sent[chat]
						repeated.Go(func() { _ = c.deal(to, id, chat, n) })
					}
					for c.deal(some(), id, chat, sent[chat]) != nil {
					}
					if id%100 == 0 && kills > 0 {
						kills--
						c.kill(c.processes[len(c.processes)-1]) // the first one leads
						c.begin()
					}
					time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
				}
				c.awaitAll()
				c.mu.Lock()
				defer c.mu.Unlock()
				for chat := int64(1); chat <= chats; chat++ {
					got := c.handled[chat]
					if seed%3 > 0 {
						got = slices.Compact(slices.Clone(got)) // one that was handled and not finished
					}
					want := make([]int, updates)
					for i := range want {
						want[i] = i + 1
					}
					if !slices.Equal(got, want) {
						t.Errorf("chat %d: handled %v", chat, got)
					}
				}
				c.wantRescued(0)
			})
		})
	}
}

// TestChatsOfADeadProcessAreAdopted: also where no further update comes.
func TestChatsOfADeadProcessAreAdopted(t *testing.T) {
	inCopies(t, func(t *testing.T, c *copies) {
		second := c.begin()
		for chat := range int64(50) {
			if err := c.deal(second, chat+1, chat+1, 1); err != nil {
				t.Fatal(err)
			}
		}
		c.kill(second)
		began := time.Now()
		c.awaitAll()
		if took := time.Since(began); took > 14*time.Second {
			t.Errorf("it took %s", took)
		}
		for chat := range int64(50) {
			if n := len(c.handled[chat+1]); n == 0 {
				t.Errorf("the update of chat %d was not handled", chat+1)
			}
		}
		c.wantRescued(0)
	})
}

// TestChatOfAnotherProcessIsLeftAlone: a process whose chat was adopted neither finishes nor
// handles its updates.
func TestChatOfAnotherProcessIsLeftAlone(t *testing.T) {
	inCopies(t, func(t *testing.T, c *copies) {
		second := c.begin()
		for id := range int64(3) {
			if err := c.deal(second, id+1, 4, int(id)+1); err != nil { // each takes 160 ms
				t.Fatal(err)
			}
		}
		c.inbox.mu.Lock()
		c.inbox.chats[4].owner = c.processes[0].cfg.Owner
		c.inbox.mu.Unlock()
		time.Sleep(time.Second)
		if n := c.inbox.states()["received"]; n != 3 {
			t.Errorf("the process has finished %d updates of another one", 3-n)
		}
	})
}

// TestAbandonedUpdateIsRescued: an update of this process that memory does not have is
// handled all the same, and counted.
func TestAbandonedUpdateIsRescued(t *testing.T) {
	inCopies(t, func(t *testing.T, c *copies) {
		first := c.processes[0]
		_, _, err := c.inbox.StoreUpdates(t.Context(), first.cfg.Owner, []int64{1}, []int64{4},
			[][]byte{[]byte(`{"update_id":1,"message":{"message_id":1,"date":1,"chat":{"id":4,"type":"private"},"from":{"id":4,"first_name":"Ann"},"text":"/n 1"}}`)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * rescueInterval)
		c.awaitAll()
		if !slices.Equal(c.handled[4], []int{1}) {
			t.Errorf("handled %v", c.handled)
		}
		c.wantRescued(1)
	})
}
