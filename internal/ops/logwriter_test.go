package ops

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a log whose reader can be stuck or gone.
type pipe struct {
	bytes.Buffer
	stuck chan struct{} // Write waits until it is closed
	gone  bool
}

func (p *pipe) Write(line []byte) (int, error) {
	<-p.stuck
	if p.gone {
		return 0, errors.New("broken pipe")
	}
	return p.Buffer.Write(line)
}

func TestStuckLogDropsLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &pipe{stuck: make(chan struct{})}
		w := NewLogWriter(to, slog.New(slog.NewTextHandler(to, nil)))
		line := make([]byte, 0, 16)
		write := func(n int) {
			line = fmt.Appendf(line[:0], "line %d\n", n)
			if _, err := w.Write(line); err != nil {
				t.Error(err)
			}
		}
		write(0)
		synctest.Wait() // the first line is being written
		for n := range logQueue + 3 {
			write(n + 1)
		}
		close(to.stuck)
		w.Close()
		write(-1) // no panic after the stop
		text := to.String()
		for n := range logQueue + 1 {
			if !strings.Contains(text, fmt.Sprintf("line %d\n", n)) {
				t.Fatalf("line %d is missing", n)
			}
		}
		if strings.Contains(text, fmt.Sprintf("line %d\n", logQueue+1)) || strings.Count(text, `msg="log lines dropped" lines=3`) != 1 {
			t.Errorf("3 dropped lines are not reported once: %.300s", text)
		}
	})
}

func TestStuckLogDoesNotHangTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &pipe{stuck: make(chan struct{})}
		w := NewLogWriter(to, slog.New(slog.DiscardHandler))
		_, _ = w.Write([]byte("line\n"))
		began := time.Now()
		w.Close()
		if took := time.Since(began); took != logFlushTimeout {
			t.Errorf("the stop took %s, want %s", took, logFlushTimeout)
		}
		close(to.stuck)
	})
}

func TestUnwrittenLogLinesAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &pipe{stuck: make(chan struct{}), gone: true}
		close(to.stuck)
		w := NewLogWriter(to, slog.New(slog.NewTextHandler(to, nil)))
		_, _ = w.Write([]byte("first\n"))
		synctest.Wait()
		to.gone = false
		_, _ = w.Write([]byte("second\n"))
		w.Close()
		if text := to.String(); !strings.HasPrefix(text, "second\n") || !strings.Contains(text, "lines=1") {
			t.Errorf("got %q", text)
		}
	})
}
