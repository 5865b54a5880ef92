package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// What the page says of the bot.
const (
	botRunning = "running"
	botDown    = "down"
)

const (
	childGrace  = 10 * time.Second // to stop before it is killed
	firstPause  = time.Second      // before it is started again; doubled each time
	longPause   = 30 * time.Second // at most
	livedEnough = time.Minute      // and the pauses begin anew
)

// child is the bot's process. One that ends is started again.
type child struct {
	command     []string
	environment []string
	folder      string // it works in
	output      io.Writer
	log         *slog.Logger
	grace       time.Duration
	pause       time.Duration // the first one

	cancel context.CancelFunc
	ended  chan struct{}

	mu       sync.Mutex // guards what follows
	process  *os.Process
	since    time.Time // when it was started, or ended
	starts   int
	kills    int // by kill
	killed   bool
	watchers map[chan struct{}]struct{}
}

func newChild(command []string, folder string, output io.Writer, log *slog.Logger, environment []string) *child {
	return &child{
		command: command, environment: environment, folder: folder, output: output, log: log,
		grace: childGrace, pause: firstPause, watchers: map[chan struct{}]struct{}{},
	}
}

// start starts the process and keeps it running until stop. The error is that
// of a command that can't be started.
func (c *child) start(ctx context.Context) error {
	// A bot is stopped by stop, when whoever waits for ctx gets round to it.
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.ended = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		defer close(c.ended)
		c.keep(ctx, started)
	}()
	err := <-started
	if err != nil {
		c.stop()
		return fmt.Errorf("start the bot: %w", err)
	}
	return nil
}

// stop asks the process to end, kills it where it does not, and returns when it
// is gone.
func (c *child) stop() {
	c.cancel()
	<-c.ended
}

// kill ends the process without asking. It is started again.
func (c *child) kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return errors.New("the bot is down already")
	}
	if err := c.process.Kill(); err != nil {
		return fmt.Errorf("kill the bot: %w", err)
	}
	c.kills++
	c.killed = true
	return nil
}

// life is what became of the process so far.
type life struct {
	State  string    // botRunning or botDown
	Since  time.Time // of State
	Starts int
	Kills  int // those by hand
}

func (c *child) life() life {
	state := c.state()
	c.mu.Lock()
	defer c.mu.Unlock()
	return life{State: state, Since: c.since, Starts: c.starts, Kills: c.kills}
}

// wasKilled says whether it was kill that ended the process, and forgets it.
func (c *child) wasKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	killed := c.killed
	c.killed = false
	return killed
}

// state returns what the page says of the bot.
func (c *child) state() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return botDown
	}
	return botRunning
}

// subscribe returns a channel that gets a value after every change of state.
func (c *child) subscribe() (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers[ch] = struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.watchers, ch)
	}
}

func (c *child) set(p *os.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process, c.since = p, time.Now()
	if p != nil {
		c.starts++
	}
	for ch := range c.watchers {
		select {
		case ch <- struct{}{}:
		default: // a signal is waiting already
		}
	}
}

// keep starts the process over and over until ctx is over. started hears of the
// first time.
func (c *child) keep(ctx context.Context, started chan<- error) {
	// Linux ends a process with the thread that started it (child_linux.go), so
	// that thread must stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pause := c.pause
	for {
		began := time.Now()
		cmd := c.prepare(ctx)
		err := cmd.Start()
		if started != nil {
			started <- err
			if err != nil {
				return
			}
			started = nil
		}
		if err == nil {
			c.set(cmd.Process)
			err = cmd.Wait()
			c.set(nil)
		}
		if c.wasKilled() || time.Since(began) > livedEnough {
			pause = c.pause
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		// Said only now: Ctrl-C reaches the bot too, often before the demo.
		how := "exit status 0"
		if err != nil {
			how = err.Error()
		}
		c.log.Warn("the bot had ended and is started again", "how", how, "after", pause)
		pause = min(2*pause, longPause)
	}
}

func (c *child) prepare(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...) //nolint:gosec // the caller's own command, no shell
	cmd.Env = c.environment
	cmd.Dir = c.folder
	cmd.Stdout, cmd.Stderr = c.output, c.output // stdout is the demo's own, for one line
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		if err == nil || errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return cmd.Process.Kill() // Windows has no such signal
	}
	cmd.WaitDelay = c.grace
	return cmd
}

// environment returns these settings, and of this process's own what any
// program needs or how it should log. Nothing else gets through: the settings of
// a real bot may stand there.
func environment(settings map[string]string) []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "TMPDIR", "TZ", "LANG",
		"SystemRoot", "TEMP", "TMP", "USERPROFILE", "LOCALAPPDATA", // Windows
		"LOG_LEVEL", "LOG_FORMAT",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return env
}
