package testworld

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"hstockbot/internal/ops"
)

// Scrape returns what a program serves as /metrics.
func Scrape(t testing.TB, metrics *ops.Metrics) string {
	t.Helper()
	server := ops.New(ops.Options{Addr: "127.0.0.1:0", Metrics: metrics, Log: slog.New(slog.DiscardHandler)})
	Must(t, server.Start(t.Context()))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+server.Addr()+"/metrics", http.NoBody)
	Must(t, err)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	Must(t, err)
	body, err := io.ReadAll(response.Body)
	Must(t, err)
	Must(t, response.Body.Close())
	Must(t, server.Stop(context.WithoutCancel(t.Context())))
	return string(body)
}
