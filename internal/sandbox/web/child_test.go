package web

import (
	"bufio"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestKillsBotThatIgnoresSIGTERM(t *testing.T) {
	out, in := io.Pipe()
	bot := newChild(self(t, "ignore-sigterm"), t.TempDir(), in, slog.New(slog.DiscardHandler), environment(nil))
	bot.stopTimeout = 10 * time.Millisecond
	if err := bot.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("got %q, %v", line, err)
	}
	bot.stop()
	if state := bot.status().State; state != botDown {
		t.Errorf("the bot is %s", state)
	}
	if err := bot.kill(); err == nil {
		t.Error("kill of a stopped bot returns no error")
	}
}
