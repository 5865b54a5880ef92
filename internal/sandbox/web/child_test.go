package web

import (
	"bufio"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A bot that does not end when it is asked to is killed.
func TestDeafBotIsKilled(t *testing.T) {
	out, in := io.Pipe()
	bot := newChild(self(t, "deaf-bot"), t.TempDir(), in, slog.New(slog.DiscardHandler), environment(nil))
	bot.grace = 10 * time.Millisecond
	if err := bot.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("got %q, %v", line, err)
	}
	bot.stop() // would never return
	if state := bot.state(); state != botDown {
		t.Errorf("the bot is %s", state)
	}
	if err := bot.kill(); err == nil {
		t.Error("killed what is gone")
	}
}
