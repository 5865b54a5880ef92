package app_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/replica"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// sharing is what of a copy of the program buys.
type sharing struct {
	db      *storage.DB
	mute    atomic.Bool // it beats no more, as if it were stopped
	replica *replica.Replica
	orders  *orders.Service
}

// beats is the database of the replica.
type beats struct {
	*storage.DB
	mute *atomic.Bool
}

func (b beats) Beat(ctx context.Context, id, lease string, now, until time.Time) (storage.Beat, error) {
	if b.mute.Load() {
		return storage.Beat{}, errors.New("stopped")
	}
	return b.DB.Beat(ctx, id, lease, now, until)
}

// ClockOffset says that the server has the clock of the bubble.
func (b beats) ClockOffset(context.Context) (time.Duration, error) { return 0, nil }

// share starts one of several copies on the database of a world, put together as New does.
// A program on a file would be alone.
func share(w *testworld.World, checkpoint func(step string)) *sharing {
	c, log := &sharing{db: w.OpenDB()}, slog.New(slog.DiscardHandler)
	c.replica = replica.New(replica.Options{DB: beats{c.db, &c.mute}, Log: log, Ended: func() { c.orders.WakeSettler() }})
	client, err := hstock.New(hstock.Options{URL: "http://market", Dial: w.Net.Dial, MaySend: c.replica.MaySend})
	testworld.Must(w.T, err)
	c.orders = orders.New(orders.Options{
		DB: c.db, Market: client, Wake: func() {}, Log: log, Owner: c.replica.ID(), SMMRatePer: 1000, Checkpoint: checkpoint,
	})
	testworld.Must(w.T, c.replica.Start(w.T.Context()))
	w.T.Cleanup(func() {
		ctx := context.WithoutCancel(w.T.Context())
		testworld.Must(w.T, errors.Join(c.orders.Stop(ctx), c.replica.Stop(ctx), c.db.Close(ctx)))
		client.Close()
	})
	return c
}

func (c *sharing) draft(w *testworld.World) storage.Purchase {
	w.T.Helper()
	quote, err := c.orders.Draft(w.T.Context(), orders.Intent{
		UserID: 1001, Item: hstock.Item{Service: market.GmailUSA, Name: "Gmail", EntityType: hstock.EntityProduct}, Quantity: 1,
	})
	testworld.Must(w.T, err)
	return quote.Purchase
}

func (c *sharing) confirm(w *testworld.World, p storage.Purchase) orders.Result {
	w.T.Helper()
	outcome, err := c.orders.Confirm(w.T.Context(), p.UserID, p.ID, "en")
	testworld.Must(w.T, err)
	return outcome.Result
}

// TestStoppedCopySendsNothing: a copy is stopped right before it sends a purchase, and goes
// on when another one has settled that as unknown, and the person has bought again.
func TestStoppedCopySendsNothing(t *testing.T) {
	testworld.Run(t, func(w *testworld.World) {
		t := w.T
		var stopped, other *sharing
		var p storage.Purchase
		stopped = share(w, func(step string) {
			if step != "sending" {
				return
			}
			stopped.mute.Store(true)
			testworld.Pass(replica.Life + 3*time.Second)
			outcome, err := other.orders.Outcome(t.Context(), p.UserID, p.ID)
			if err != nil || outcome.Result != orders.OutcomeUnknown {
				t.Errorf("nobody has settled the purchase: %v, %v", outcome.Result, err)
			}
			testworld.Must(t, other.orders.Dismiss(t.Context(), p.UserID, p.ID))
			if result := other.confirm(w, other.draft(w)); result != orders.Placed {
				t.Errorf("bought again: %v", result)
			}
		})
		other = share(w, nil)
		other.orders.Start()
		_, _, err := stopped.db.TouchUser(t.Context(), 1001, "Anna", "en", true)
		testworld.Must(t, err)
		_, err = stopped.db.SaveKey(t.Context(), 1001, testworld.AnnaKey)
		testworld.Must(t, err)

		p = stopped.draft(w)
		if result := stopped.confirm(w, p); result != orders.OutcomeUnknown {
			t.Errorf("the stopped copy says %v", result)
		}
		if n := w.Market.Count("add"); n != 1 {
			t.Errorf("%d purchases were sent, want only that of the other copy", n)
		}
		p, err = other.db.Purchase(t.Context(), p.UserID, p.ID)
		if err != nil || p.State != storage.PurchaseDismissed {
			t.Errorf("it is %s, %v; the stopped copy has changed what others have settled", p.State, err)
		}
	})
}

// TestCopyAsksBeforeItSends: the program's client of the marketplace asks the replica.
func TestCopyAsksBeforeItSends(t *testing.T) {
	var log testworld.Log
	program := buildCopy(t, testworld.PostgresProxy(t).URL(), &log)
	late := func() bool {
		_, err := program.Market.Add(t.Context(), testworld.AnnaKey, hstock.AddRequest{Service: 1, Quantity: 1}) // nothing listens there
		return strings.Contains(err.Error(), "too late to send")
	}
	before := late()
	testworld.Must(t, program.Replica.Start(t.Context()))
	alive := !late()
	testworld.Must(t, program.Replica.Stop(t.Context()))
	if after := late(); !before || !alive || !after {
		t.Errorf("it sends nothing before it has started: %v; sends: %v; sends nothing when it has stopped: %v", before, alive, after)
	}
}
