package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	healthcheckTimeout = 4 * time.Second // between checkTimeout and Docker's limit of 5 s
	maxResponse        = 1 << 10         // bytes of /readyz that are repeated
)

// Healthcheck requests /readyz from the Server that was configured with addr.
// nil means ready; otherwise the error is one line with the failed checks.
func Healthcheck(ctx context.Context, addr string) error {
	if addr == "" {
		return errors.New("HTTP_ADDR is empty, so there is nothing to ask")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	url := "http://" + net.JoinHostPort(dialable(host), port) + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask the bot: %w", err)
	}
	// A separate transport ignores a proxy that the environment names: the
	// request stays on this machine.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the bot: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return fmt.Errorf("not ready: %s", response.Status)
	}
	return fmt.Errorf("not ready: %s", oneLine(string(body)))
}

// dialable replaces the address for "all interfaces" by that of loopback.
func dialable(host string) string {
	switch host {
	case "", "0.0.0.0":
		return "127.0.0.1"
	case "::":
		return "::1"
	default:
		return host
	}
}

func oneLine(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", ", ")
}
