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
	healthcheckTimeout = 4 * time.Second // Docker's limit is 5 s, a check's 2 s
	maxAnswer          = 1 << 10         // bytes of /readyz that are worth repeating
)

// Healthcheck asks the Server that was configured with addr for /readyz. nil
// means ready; otherwise the error is one line that says what is not.
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
	// A transport of its own: the environment may name a proxy, and this is a
	// question to ourselves.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the bot: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("not ready: %s", response.Status)
	}
	return fmt.Errorf("not ready: %s", oneLine(string(body)))
}

// dialable turns "every address of this machine" into one that can be dialled.
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
