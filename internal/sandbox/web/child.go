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

// The states of the bot's process.
const (
	botRunning = "running"
	botDown    = "down"
)

const (
	stopTimeout  = 10 * time.Second // between SIGTERM and SIGKILL
	firstBackoff = time.Second      // before the first restart; doubled for each further one
	maxBackoff   = 30 * time.Second
	stableAfter  = time.Minute // an uptime that resets the backoff
)

// child runs the bot's process and restarts it when it exits.
type child struct {
	command     []string
	environment []string
	dir         string // working directory
	output      io.Writer
	log         *slog.Logger
	stopTimeout time.Duration

	cancel context.CancelFunc
	done   chan struct{}

	mu          sync.Mutex // guards the fields below
	process     *os.Process
	since       time.Time // of the last start or exit
	starts      int
	kills       int  // calls of kill
	killed      bool // the process was ended by kill
	subscribers map[chan struct{}]struct{}
}

func newChild(command []string, dir string, output io.Writer, log *slog.Logger, environment []string) *child {
	return &child{
		command: command, environment: environment, dir: dir, output: output, log: log,
		stopTimeout: stopTimeout, subscribers: map[chan struct{}]struct{}{},
	}
}

// start starts the process and keeps it running until stop. It returns an error if
// the command can't be started.
func (c *child) start(ctx context.Context) error {
	// The end of ctx must not kill the process before stop is called.
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.done = make(chan struct{})
	started := make(chan error, 1)
	go func() {
		defer close(c.done)
		c.supervise(ctx, started)
	}()
	if err := <-started; err != nil {
		c.stop()
		return fmt.Errorf("start the bot: %w", err)
	}
	return nil
}

// stop terminates the process, kills it after stopTimeout, and waits for its exit.
func (c *child) stop() {
	c.cancel()
	<-c.done
}

// kill kills the process. It is restarted afterwards.
func (c *child) kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return errors.New("the bot is already down")
	}
	if err := c.process.Kill(); err != nil {
		return fmt.Errorf("kill the bot: %w", err)
	}
	c.kills++
	c.killed = true
	return nil
}

type childStatus struct {
	State  string    // botRunning or botDown
	Since  time.Time // start of State, zero before the first start
	Starts int
	Kills  int // calls of kill
}

func (c *child) status() childStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := botRunning
	if c.process == nil {
		state = botDown
	}
	return childStatus{State: state, Since: c.since, Starts: c.starts, Kills: c.kills}
}

// takeKilled reports whether kill ended the process, and resets that flag.
func (c *child) takeKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	killed := c.killed
	c.killed = false
	return killed
}

// subscribe returns a channel that receives a value after every change of state.
func (c *child) subscribe() (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers[ch] = struct{}{}
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.subscribers, ch)
	}
}

// setProcess stores the running process, nil for none, and notifies subscribers.
func (c *child) setProcess(p *os.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process, c.since = p, time.Now()
	if p != nil {
		c.starts++
	}
	for ch := range c.subscribers {
		select {
		case ch <- struct{}{}:
		default: // a signal is already pending
		}
	}
}

// supervise starts the process again and again until ctx is done. started receives
// the result of the first start; supervise returns if that start failed.
func (c *child) supervise(ctx context.Context, started chan<- error) {
	// Linux kills the process when the thread that started it exits (Pdeathsig in
	// child_linux.go), so this goroutine keeps its thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	backoff := firstBackoff
	for {
		startedAt := time.Now()
		cmd := c.newCommand(ctx)
		err := cmd.Start()
		if started != nil {
			started <- err
			if err != nil {
				return
			}
			started = nil
		}
		if err == nil {
			c.setProcess(cmd.Process)
			err = cmd.Wait()
			c.setProcess(nil)
		}
		if c.takeKilled() || time.Since(startedAt) > stableAfter {
			backoff = firstBackoff
		}
		wait(ctx, backoff)
		if ctx.Err() != nil {
			return
		}
		// Logged after the wait: Ctrl-C often reaches the bot before the demo, and
		// that exit is no reason to warn.
		reason := "exit status 0"
		if err != nil {
			reason = err.Error()
		}
		c.log.Warn("bot exited and is restarted", "reason", reason, "after", backoff)
		backoff = min(2*backoff, maxBackoff)
	}
}

func (c *child) newCommand(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...) //nolint:gosec // the caller's own command, no shell
	cmd.Env = c.environment
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = c.output, c.output // the demo's stdout carries only the page's address
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error {
		err := cmd.Process.Signal(syscall.SIGTERM)
		if err == nil || errors.Is(err, os.ErrProcessDone) {
			return err
		}
		return cmd.Process.Kill() // Windows does not support SIGTERM
	}
	cmd.WaitDelay = c.stopTimeout
	return cmd
}

// environment returns settings, and those variables of this process that any program
// needs or that configure logging. It drops all others, since they may be the
// settings of a real bot.
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
