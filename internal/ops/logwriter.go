package ops

import (
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	logQueue        = 4096 // lines, about 1 MB
	logFlushTimeout = time.Second
)

// LogWriter writes log lines in the background, so that a reader of the log that is
// stuck or gone does not stop the program. Lines are dropped and counted while the queue
// is full and when they can't be written.
type LogWriter struct {
	to      io.Writer
	log     *slog.Logger // writes to the same place, without the queue
	lines   chan []byte
	dropped atomic.Int64
	closing chan struct{}
	done    chan struct{} // closed when the goroutine has ended
}

// NewLogWriter returns a writer to to. log, which must not use the LogWriter, gets a line
// about dropped ones.
func NewLogWriter(to io.Writer, log *slog.Logger) *LogWriter {
	w := &LogWriter{to: to, log: log, lines: make(chan []byte, logQueue), closing: make(chan struct{}), done: make(chan struct{})}
	go w.loop()
	return w
}

// Write implements io.Writer. It never blocks and never fails.
func (w *LogWriter) Write(line []byte) (int, error) {
	select {
	case w.lines <- append([]byte(nil), line...): // slog uses the slice again
	default:
		w.dropped.Add(1)
	}
	return len(line), nil
}

// Close writes the queued lines, for at most logFlushTimeout. Later lines are not written.
func (w *LogWriter) Close() {
	close(w.closing)
	select {
	case <-w.done:
	case <-time.After(logFlushTimeout):
	}
}

func (w *LogWriter) loop() {
	defer close(w.done)
	for {
		select {
		case line := <-w.lines:
			w.write(line)
		case <-w.closing:
			for len(w.lines) > 0 {
				w.write(<-w.lines)
			}
			return
		}
	}
}

func (w *LogWriter) write(line []byte) {
	if _, err := w.to.Write(line); err != nil {
		w.dropped.Add(1)
		return
	}
	if n := w.dropped.Swap(0); n > 0 {
		w.log.Warn("log lines dropped", "lines", n)
	}
}
