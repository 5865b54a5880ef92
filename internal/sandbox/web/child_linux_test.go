package web

import (
	"bufio"
	"io"
	"net"
	"os/exec"
	"testing"
	"time"
)

func TestBotDiesWithKilledDemo(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	args := self(t, append([]string{"demo"}, self(t, "hold-connection", listener.Addr().String())...)...)
	demo := exec.CommandContext(t.Context(), args[0], args[1:]...)
	demo.Env = append(demo.Environ(), "TMPDIR="+t.TempDir()) // a killed demo leaves its data behind
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	bot, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bot.Close() }()
	if err := demo.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = demo.Wait() // "signal: killed"
	if err := bot.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, bot); err != nil {
		t.Errorf("the bot still runs: %v", err)
	}
}
