package orders

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestFiguresAreReadOnce in five minutes, also by several people at once. What can't be read
// is read again at the next tap. After a person was forgotten all are.
func TestFiguresAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		f := &figures{log: slog.New(slog.NewTextHandler(&log, nil)), known: map[string]knownFigures{}}
		reads := 0
		var failure error
		get := func(name string) []string {
			return figuresOf(t.Context(), f, name, func(context.Context, time.Time) ([]string, error) {
				time.Sleep(time.Second)
				reads++
				if failure != nil {
					return nil, failure
				}
				return []string{name}, nil
			})
		}
		want := func(name string, values, total int) {
			t.Helper()
			if got := get(name); len(got) != values || values > 0 && got[0] != name || reads != total {
				t.Errorf("%q after %d reads, want %d values after %d", got, reads, values, total)
			}
		}
		var taps sync.WaitGroup
		for range 10 {
			taps.Go(func() { get("a") })
		}
		taps.Wait()
		want("a", 1, 1)
		want("b", 1, 2)
		want("a", 1, 2)
		time.Sleep(figuresLifetime - 2*time.Second) // five minutes after the first reading began
		failure = errors.New("locked")
		want("a", 0, 3)
		failure = nil
		want("a", 1, 4)
		want("a", 1, 4)
		(&Service{figures: f}).ForgetFigures() // they may tell of a person who was forgotten
		want("a", 1, 5)
		for n := range maxFigures + 1 {
			get(strconv.Itoa(n))
			if len(f.known) > maxFigures {
				t.Fatalf("%d figures are kept", len(f.known))
			}
		}
		if strings.Count(log.String(), "figures not read") != 1 || !strings.Contains(log.String(), `figures not read" error=locked`) {
			t.Errorf("the log is %s", log.String())
		}
	})
}
