package ops_test

import (
	"log/slog"
	"net"
	"strings"
	"testing"

	"hstockbot/internal/ops"
)

func TestHealthcheck(t *testing.T) {
	ready, _ := start(t, ops.Options{Checks: []ops.Check{{"database", passes}}})
	broken, _ := start(t, ops.Options{Checks: []ops.Check{{"database", passes}, {"telegram", fails("CANARY")}}})
	closed := ops.New(ops.Options{Addr: "127.0.0.1:0", Metrics: ops.NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err := closed.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	unused := closed.Addr()
	if err := closed.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	port := func(server *ops.Server) string {
		_, port, err := net.SplitHostPort(server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // not for the request to our own server
	for _, test := range []struct{ name, addr, want string }{
		{name: "ready", addr: ready.Addr()},
		{name: "all interfaces", addr: ":" + port(ready)},
		{name: "all IPv4 interfaces", addr: "0.0.0.0:" + port(ready)},
		{name: "not ready", addr: broken.Addr(), want: "not ready: database: ok, telegram: failed"},
		{name: "nothing listens", addr: unused, want: "ask the bot: "},
		{name: "off", addr: "", want: "HTTP_ADDR is empty, so there is nothing to ask"},
		{name: "malformed address", addr: "nonsense", want: "HTTP_ADDR: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := ops.Healthcheck(t.Context(), test.addr)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
