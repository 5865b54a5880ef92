package handlers_test

import (
	"context"
	"flag"
	"slices"
	"sync"
	"testing"
	"time"

	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

var (
	audience = flag.Int("audience", 600, "how many people BenchmarkBroadcast sends to")
	latency  = flag.Duration("latency", 50*time.Millisecond, "how long the pretend Telegram of BenchmarkBroadcast takes for a message")
)

const (
	benchRate    = 30 // messages a second, Telegram's limit for most bots
	benchTappers = 50 // people who tap meanwhile, each about once a second
)

// BenchmarkBroadcast sends one broadcast at TELEGRAM_RATE 30 through the whole bot
// over loopback, with the database in a file and a pretend Telegram that keeps its
// limits, while 50 people tap. It reports how much of the limit it used, how often
// Telegram refused because of too many calls, and how long taps took until the
// screen was drawn. 30 people take a second:
//
//	go test ./handlers -run '^$' -bench Broadcast -benchtime 1x -audience 10000 -timeout 20m
func BenchmarkBroadcast(b *testing.B) {
	for range b.N {
		benchBroadcast(b)
	}
}

func benchBroadcast(b *testing.B) {
	loopback := testworld.NewLoopback(b, telegram.Options{NoLog: true, Flood: true})
	server, program := loopback.Telegram, loopback.Start(b, benchRate, adminID)
	joinAudience(b, program.DB, server)
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()

	tappers := make([]*telegram.Client, benchTappers)
	for i := range tappers {
		tappers[i] = server.Join(telegram.Person{ID: int64(i + 1), FirstName: "Ann", LanguageCode: "en"})
		tappers[i].Type("/menu")
	}
	for _, tapper := range tappers {
		must(b, tapper.Await(ctx, func([]telegram.Message) bool { return tapper.Last().FromBot }))
	}
	server.Fault(telegram.Fault{Method: "sendMessage", Delay: *latency, Times: telegram.Always})

	must(b, program.DB.SetBroadcastText(ctx, adminID, "", "Hello"))
	draft, err := program.DB.BroadcastDraft(ctx, adminID)
	must(b, err)
	total := int64(*audience + benchTappers)
	began := time.Now()
	ok, err := program.DB.ConfirmBroadcast(ctx, adminID, draft.ID, draft.Revision, total, 0, 0, storage.AuditEntry{AdminID: adminID, At: began})
	must(b, err)
	if !ok {
		b.Fatal("not confirmed")
	}
	b.ResetTimer()
	program.Broadcasts.Wake()
	tapping, stop := context.WithCancel(ctx)
	defer stop()
	taps := tapUntil(tapping, b, tappers)
	var sent storage.Broadcast
	for tick := time.NewTicker(100 * time.Millisecond); sent.EndedAt.IsZero(); <-tick.C {
		sent, err = program.DB.Broadcast(ctx, draft.ID)
		must(b, err)
	}
	b.StopTimer()
	stop()
	took := slices.Sorted(slices.Values(taps()))
	if sent.Sent != total {
		b.Errorf("the broadcast is %+v", sent)
	}
	rate := float64(sent.Handled()) / sent.EndedAt.Sub(sent.StartedAt).Seconds()
	b.ReportMetric(100*rate/benchRate, "%ofLimit")
	b.ReportMetric(float64(loopback.Floods.Load()), "429s")
	b.ReportMetric(float64(len(took)), "taps")
	for percent, unit := range map[int]string{50: "tap-p50-ms", 99: "tap-p99-ms"} {
		b.ReportMetric(float64(took[len(took)*percent/100].Microseconds())/1000, unit)
	}
}

// joinAudience adds people to the database and to the pretend Telegram.
func joinAudience(b *testing.B, db *storage.DB, server *telegram.Server) {
	b.Helper()
	var group sync.WaitGroup
	ids := make(chan int64)
	for range 64 {
		group.Go(func() {
			for id := range ids {
				server.Join(telegram.Person{ID: id, FirstName: "Bob", LanguageCode: "en"})
				if _, _, err := db.TouchUser(b.Context(), id, "Bob", "en", true); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range *audience {
		ids <- int64(100_000 + i)
	}
	close(ids)
	group.Wait()
}

// tapUntil lets people tap Help and Menu alternately, each a second after the last tap
// was drawn, until ctx ends. The returned function waits for that and returns how long
// each tap took.
func tapUntil(ctx context.Context, b *testing.B, tappers []*telegram.Client) (took func() []time.Duration) {
	b.Helper()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
		all   []time.Duration
	)
	for i, tapper := range tappers {
		group.Go(func() {
			wait := time.NewTimer(time.Second * time.Duration(i) / time.Duration(len(tappers)))
			defer wait.Stop()
			for n := 0; ; n++ {
				select {
				case <-wait.C:
				case <-ctx.Done():
					return
				}
				data := []string{keyboards.Help.Data(struct{}{}), keyboards.Menu.Data(struct{}{})}[n%2]
				menu := tapper.Messages()[1]
				began := time.Now()
				tapper.TapData(menu.ID, data)
				if err := tapper.Await(ctx, func(messages []telegram.Message) bool { return messages[1].Text != menu.Text }); err != nil {
					return // the broadcast is over
				}
				mu.Lock()
				all = append(all, time.Since(began))
				mu.Unlock()
				wait.Reset(time.Second)
			}
		})
	}
	return func() []time.Duration {
		group.Wait()
		return all
	}
}
