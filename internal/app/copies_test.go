package app_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hstockbot/internal/replica"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/testworld"
)

const (
	hookSecret = "hook-secret-0123"
	copies     = 3
)

// copyOf is one copy of the program, which is started again when it ends.
type copyOf struct {
	addr    string
	log     bytes.Buffer // of the present process; read it when the copy has ended
	process atomic.Pointer[os.Process]
	starts  atomic.Int64
}

func (c *copyOf) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if process := c.process.Load(); process != nil {
		if err := process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	}
}

// supervise starts the copy again and again until ctx is done.
func (c *copyOf) supervise(ctx context.Context, t *testing.T, env []string) {
	for ctx.Err() == nil {
		c.log.Reset()
		command := exec.CommandContext(ctx, os.Args[0])
		command.Env, command.Stderr = env, &c.log
		if err := command.Start(); err != nil {
			if ctx.Err() == nil {
				t.Error(err)
			}
			return
		}
		c.process.Store(command.Process)
		c.starts.Add(1)
		_ = command.Wait()
	}
}

// dealer is what stands between Telegram and the copies: it gives each update to any of
// them, some to two, and sometimes loses the answer.
type dealer struct {
	copies []*copyOf
	client http.Client
}

func (d *dealer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	accepted := 0
	for _, i := range rand.Perm(len(d.copies)) {
		if accepted == 1 && rand.N(10) > 0 || accepted == 2 {
			break
		}
		request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+d.copies[i].addr, bytes.NewReader(body))
		if err != nil {
			return
		}
		request.Header = r.Header.Clone()
		response, err := d.client.Do(request)
		if err != nil {
			continue // the copy is dead or stopped
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			accepted++
		}
	}
	if accepted == 0 || rand.N(20) == 0 {
		w.WriteHeader(http.StatusBadGateway)
	}
}

// freeAddress returns an address on loopback that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	testworld.Must(t, err)
	testworld.Must(t, listener.Close())
	return listener.Addr().String()
}

// awaitChanges waits until the chats have changed so often.
func (c *crashWorld) awaitChanges(times int) {
	changes, cancel := c.telegram.Subscribe()
	defer cancel()
	deadline := time.NewTimer(crashDeadline)
	defer deadline.Stop()
	for range times {
		select {
		case <-changes:
		case <-deadline.C:
			c.t.Error("nothing happens in the chats")
			return
		}
	}
}

// TestCopiesKilledUnderLoad kills copies of the program that share a PostgreSQL database,
// stops one of them for longer than it counts as alive, and kills the server, whose
// synchronous standby takes over, while people buy. Nothing is bought twice, everything
// that was bought is delivered or told, and each tap gets an answer.
func TestCopiesKilledUnderLoad(t *testing.T) {
	if !pgtest.Wanted() {
		t.Skip("this is about PostgreSQL, and takes a minute")
	}
	servers := pgtest.NewPair(t, true)
	kills, stopped := copies, replica.Life+8*time.Second
	if wanted, ok := asked(t, envKills, strconv.Atoi); ok {
		kills = wanted / 10 // each takes as long as a copy counts as alive
		stopped = time.Minute
	}
	c := newCrashWorld(t)
	for _, b := range c.people {
		b.mayFail = true
	}
	ctx, cancel := context.WithCancel(t.Context())
	deal := &dealer{client: http.Client{Timeout: time.Second}}
	hook := httptest.NewServer(deal)
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		for _, one := range deal.copies {
			one.signal(t, syscall.SIGCONT)
			one.signal(t, syscall.SIGKILL)
		}
		running.Wait()
		if t.Failed() {
			for _, one := range deal.copies {
				t.Logf("the log of the copy on %s, started %d times:\n%s", one.addr, one.starts.Load(), &one.log)
			}
		}
		hook.Close()
	})
	for range copies {
		deal.copies = append(deal.copies, &copyOf{addr: freeAddress(t)})
	}
	operators := freeAddress(t) // the same of all copies
	for _, one := range deal.copies {
		env := append(c.env[:len(c.env):len(c.env)], envDatabase+"="+servers.URL(), envHook+"="+hook.URL+" "+one.addr+" "+operators)
		running.Go(func() { one.supervise(ctx, t, env) })
	}
	end := c.buy(ctx)
	var takeovers []time.Duration
	for i := range kills {
		c.awaitChanges(300)
		if i == kills/2 {
			servers.FailOver()
		}
		one := deal.copies[i%copies]
		if i%2 == 0 {
			one.signal(t, syscall.SIGKILL)
		} else {
			one.signal(t, syscall.SIGSTOP)
			time.AfterFunc(stopped, func() { one.signal(t, syscall.SIGCONT) })
		}
		takeovers = append(takeovers, c.awaitAnswers(time.Now()))
		if t.Failed() {
			return
		}
	}
	for _, one := range deal.copies {
		one.signal(t, syscall.SIGCONT)
		one.signal(t, syscall.SIGKILL)
	}
	began := time.Now()
	timeout := time.AfterFunc(crashDeadline, cancel)
	end()
	c.awaitDeliveries(began.Add(crashDeadline))
	c.awaitOutcomes(began.Add(crashDeadline))
	timeout.Stop()
	c.check()
	c.report(kills, append(takeovers, time.Since(began)), time.Since(began))
}
