package orders_test

import (
	"testing"
	"time"

	"hstockbot/internal/callrate"
	"hstockbot/internal/hstock"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/storage"
)

// firewall bans the world for a minute, in which nothing may be called that nobody waits for.
type firewall struct {
	w       *world
	limiter *callrate.Limiter
	since   time.Time
}

// behindFirewall makes the world obey a limiter.
func (w *world) behindFirewall() *firewall {
	w.t.Helper()
	testworld.Must(w.t, w.service.Stop(w.t.Context()))
	w.client.Close()
	f := &firewall{w: w, limiter: callrate.New(callrate.Options{})}
	var err error
	w.client, err = hstock.New(hstock.Options{URL: "http://market", Dial: w.Net.Dial, Limiter: f.limiter})
	testworld.Must(w.t, err)
	w.t.Cleanup(w.client.Close)
	w.service = w.newService(w.client)
	w.service.Start()
	return f
}

func (f *firewall) ban() {
	f.since = time.Now()
	f.limiter.Report(callrate.Account{}, "status", callrate.Blocked, 0)
}

// wantSilence passes the ban.
func (f *firewall) wantSilence() {
	f.w.t.Helper()
	testworld.Pass(2 * time.Minute)
	if f.since.IsZero() {
		f.w.t.Error("no ban")
	}
	for _, call := range f.w.Market.Calls() {
		if call.At.After(f.since) && call.At.Before(f.since.Add(time.Minute)) {
			f.w.t.Errorf("%s was called in the ban", call.Action)
		}
	}
}

// A ban puts off the readings of the balance. None counts as missing, so that the verdict is
// what it would have been.
func TestBanPutsOffBalanceChecks(t *testing.T) {
	for want, done := range map[storage.Verdict]bool{storage.VerdictBought: true, storage.VerdictNotBought: false} {
		t.Run(string(want), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				f := w.behindFirewall()
				p := w.unresolved(market.GmailUSA, done)
				f.ban()
				f.wantSilence()
				testworld.Pass(5 * time.Minute)
				p, err := w.db.Purchase(t.Context(), anna, p.ID)
				testworld.Must(t, err)
				if p.Verdict != want {
					t.Errorf("verdict %q", p.Verdict)
				}
			})
		})
	}
}

// A ban puts off what a swap asks before its cancel and before the new number.
func TestBanPutsOffSwap(t *testing.T) {
	for name, prepare := range map[string]func(w *world, ban func()){
		"allowcancel": func(w *world, ban func()) { w.at("swap armed", ban) },
		"end of the number": func(w *world, ban func()) {
			w.at("cancelling", func() {
				w.Market.Fault(market.Fault{Action: "sms_status", Kind: market.HTML502, Times: market.Always})
				w.at("swap cancelled", func() { w.Market.ClearFaults(); ban() })
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(_ *testing.T, w *world) {
				f := w.behindFirewall()
				order, offer := w.offerSwap()
				prepare(w, f.ban)
				w.startSwap(offer)
				f.wantSilence()
				w.wantSwapped(order)
			})
		})
	}
}
