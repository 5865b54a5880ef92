package app_test

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"hstockbot/internal/sandbox/testworld"
)

// builtWorld is the built program under load.
type builtWorld struct {
	*crashWorld
	program  program
	database string
	settings []string
	stops    []time.Duration // how long each took
}

func newBuiltWorld(t *testing.T) *builtWorld {
	t.Helper()
	r := &builtWorld{crashWorld: newCrashWorld(t), program: buildProgram(t)}
	r.settings = []string{"TELEGRAM_TOKEN=" + testworld.Token, "TELEGRAM_RATE=500", "HSTOCK_RATE=0", "HSTOCK_API_KEY=" + testworld.OperatorKey.Reveal(), "HTTP_ADDR="}
	for _, setting := range r.env {
		for name, as := range map[string]string{envMarket: "HSTOCK_API_URL", envTelegram: "TELEGRAM_API_URL", envDatabase: "DATABASE_URL"} {
			if value, ok := strings.CutPrefix(setting, name+"="); ok {
				r.settings = append(r.settings, as+"="+value)
				if name == envDatabase {
					r.database = value
				}
			}
		}
	}
	return r
}

// stop stops the bot.
func (r *builtWorld) stop() {
	r.t.Helper()
	if r.process == nil {
		return
	}
	const incomplete = "stop incomplete" // something was cut off
	before, began := strings.Count(r.log.String(), incomplete), time.Now()
	testworld.Must(r.t, r.process.Process.Signal(syscall.SIGTERM))
	if err := r.process.Wait(); err != nil {
		r.t.Errorf("the bot stopped with %v\n%s", err, &r.log)
	}
	r.stops = append(r.stops, time.Since(began))
	r.ended(strings.Count(r.log.String(), incomplete) > before)
}

// restart stops the bot and starts it with keys.
func (r *builtWorld) restart(keys string) {
	r.t.Helper()
	r.stop()
	said := len(r.log.String())
	r.launch(exec.CommandContext(context.Background(), r.program.path), append(r.settings, "SECRET_KEY="+keys), "TELEGRAM_API_URL")
	r.awaitUntil("the bot runs, and is ready for signals", func() bool { return len(r.log.String()) > said })
}

// awaitPurchases waits until people have bought n more times.
func (r *builtWorld) awaitPurchases(n int) {
	r.t.Helper()
	until := r.requests() + n
	r.awaitUntil("people buy", func() bool { return r.requests() >= until })
}
