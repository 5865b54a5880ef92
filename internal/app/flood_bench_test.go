package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
)

// BenchmarkTap measures taps of other people, one at a time, while one account floods the
// program, in a process of its own that sends 30 messages a second. An operation is one
// tap and its screen. Telegram takes 60 ms for each call, which is part of it.
func BenchmarkTap(b *testing.B) {
	const texts = 10_000
	flood := func(send func(n int)) {
		for n := range texts {
			send(n)
		}
	}
	b.Run("idle", func(b *testing.B) { benchmarkTap(b, func(*crashWorld) {}) })
	b.Run("texts", func(b *testing.B) {
		benchmarkTap(b, func(c *crashWorld) {
			flood(func(n int) { c.people[0].Type(fmt.Sprint("gmail ", n)) })
		})
	})
	b.Run("taps", func(b *testing.B) {
		benchmarkTap(b, func(c *crashWorld) {
			menu := c.people[0].Last()
			flood(func(n int) { c.people[0].TapData(menu.ID, []string{keyboards.Menu.Name(), keyboards.Key.Name()}[n%2]) })
		})
	})
	b.Run("texts and a restart", func(b *testing.B) {
		benchmarkTap(b, func(c *crashWorld) {
			flood(func(n int) { c.people[0].Type(fmt.Sprint("gmail ", n)) })
			c.kill()
			c.start()
		})
	})
	b.Run("forgetting", func(b *testing.B) {
		benchmarkTap(b, func(c *crashWorld) { c.forgetAgainAndAgain(b) })
	})
}

// forgetAgainAndAgain lets one person write and then delete what is stored about them,
// until the benchmark ends.
func (c *crashWorld) forgetAgainAndAgain(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	person := c.people[0]
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			last := person.Type("/forget")
			for _, next := range []string{keyboards.ForgetAsk.Name(), keyboards.ForgetSure.Name()} {
				var data string
				asked, err := person.await(ctx, last, func(m telegram.Message) bool {
					data = dataOf(m, "🗑 Delete everything")
					return strings.HasPrefix(data, next)
				})
				if err != nil {
					return
				}
				person.TapData(asked.ID, data)
			}
			if _, err := person.await(ctx, last, func(m telegram.Message) bool { return strings.Contains(m.Text, "Everything is deleted") }); err != nil {
				return
			}
		}
	}()
	b.Cleanup(func() { cancel(); <-done })
}

// dataOf returns the callback data of the message's button with a label, "" if it has none.
func dataOf(m telegram.Message, label string) string {
	for _, button := range slices.Concat(m.Keyboard...) {
		if button.Text == label {
			return button.CallbackData
		}
	}
	return ""
}

func benchmarkTap(b *testing.B, load func(*crashWorld)) {
	c := newCrashWorld(b)
	c.env = append(c.env, envPaced+"=1")
	c.market.ClearFaults()
	c.telegram.Fault(telegram.Fault{Times: telegram.Always, Delay: 60 * time.Millisecond})
	c.start()
	ctx := b.Context()
	menus := make([]telegram.Message, len(c.people))
	for i, person := range c.people {
		var err error
		menus[i], err = person.await(ctx, person.Type("/menu"), func(m telegram.Message) bool { return button(m, "🛍 Catalog") != "" })
		testworld.Must(b, err)
	}
	load(c)
	var waits []time.Duration
	for n := 0; b.Loop(); n++ {
		i := 1 + n%(len(c.people)-1)
		person, label := c.people[i], "🔑 API key"
		if shown, _ := person.Message(menus[i].ID); button(shown, label) == "" {
			label = "🏠 Menu"
		}
		before, _ := person.Message(menus[i].ID)
		began := time.Now()
		testworld.Must(b, person.TapOn(menus[i].ID, label))
		_, err := person.await(ctx, menus[i].ID-1, func(m telegram.Message) bool { return m.ID == menus[i].ID && m.Text != before.Text })
		testworld.Must(b, err)
		waits = append(waits, time.Since(began))
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Milliseconds()), "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Milliseconds()), "p99-ms")
	b.ReportMetric(float64(waits[len(waits)-1].Milliseconds()), "max-ms")
}
