package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// worldFile holds the pretend world in Options.Data. A new world beside a saved
// database would reuse the order ids and message ids in that database.
const worldFile = "world.json"

// saveDelay is the time between a change and the save of the world. A killed demo
// loses only the changes of that time.
const saveDelay = 300 * time.Millisecond

// world is the pretend marketplace and the pretend Telegram with its people.
type world struct {
	market   *market.Server
	telegram *telegram.Server
	path     string // of worldFile
	log      *slog.Logger
}

type savedWorld struct {
	Market   json.RawMessage `json:"market"`
	Telegram json.RawMessage `json:"telegram"`
}

// dataDir creates the folder for the data. remove is called when the demo ends; it
// deletes a temporary folder and keeps Options.Data.
func (o Options) dataDir() (dir string, remove func() error, err error) {
	if o.Data == "" {
		dir, err = os.MkdirTemp("", "hstockbot-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("create a folder for the demo's data: %w", err)
		}
		return dir, func() error {
			if err := os.RemoveAll(dir); err != nil {
				return fmt.Errorf("remove the demo's data: %w", err)
			}
			return nil
		}, nil
	}
	dir, err = filepath.Abs(o.Data) // it becomes the bot's working directory
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("create the folder of the demo's data: %w", err)
	}
	return dir, func() error { return nil }, nil
}

// newWorld returns the world saved in dir, or a new one if there is none.
func newWorld(opts Options, dir, token string, log *slog.Logger) (*world, error) {
	w := &world{
		path: filepath.Join(dir, worldFile), log: log,
		telegram: telegram.New(telegram.Options{Token: token, Username: botUsername, Name: botName}),
	}
	saved, err := w.load()
	if err != nil {
		return nil, err
	}
	seed := opts.Seed
	if saved != nil {
		if seed, err = market.KeptSeed(saved.Market); err != nil {
			return nil, err
		}
		if opts.Seed != 0 && opts.Seed != seed {
			return nil, fmt.Errorf("the data was created with seed %d", seed)
		}
	}
	w.market = market.New(market.Options{Seed: seed, DeliverAfter: deliverAfter, CodeAfter: codeAfter})
	if saved == nil {
		w.populate()
		return w, nil
	}
	if err := w.market.Restore(saved.Market); err != nil {
		return nil, err
	}
	return w, w.telegram.Restore(saved.Telegram)
}

// populate adds the API keys and people to a new world, and sends the messages that
// people have sent before the demo starts.
func (w *world) populate() {
	for _, k := range demoKeys() {
		w.market.AddKey(k.key, k.balance, "USD")
	}
	for _, person := range demoPeople() {
		client := w.telegram.Join(person.Person)
		for _, text := range person.messages {
			client.Type(text)
		}
	}
}

// load returns the saved world, nil if there is none.
func (w *world) load() (*savedWorld, error) {
	data, err := os.ReadFile(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var saved savedWorld
	if err == nil {
		err = json.Unmarshal(data, &saved)
	}
	if err != nil {
		return nil, fmt.Errorf("load the saved world: %w", err)
	}
	return &saved, nil
}

// saveChanges saves the world shortly after every change, and once more when stop
// is called.
func (w *world) saveChanges(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	telegramChanges, stopTelegram := w.telegram.Subscribe()
	marketChanges, stopMarket := w.market.Subscribe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-telegramChanges:
			case <-marketChanges:
			case <-ctx.Done():
				return
			}
			wait(ctx, saveDelay)
			w.save()
		}
	}()
	return func() {
		cancel()
		<-done
		stopTelegram()
		stopMarket()
		w.save()
	}
}

// save replaces worldFile atomically.
func (w *world) save() {
	var saved savedWorld
	var data []byte
	var err error
	if saved.Market, err = w.market.Keep(); err == nil {
		saved.Telegram, err = w.telegram.Keep()
	}
	if err == nil {
		data, err = json.Marshal(saved)
	}
	if err == nil {
		err = os.WriteFile(w.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(w.path+".new", w.path)
	}
	if err != nil {
		w.log.Error("pretend world not saved", "error", err)
	}
}

// wait returns after d, or when ctx is done.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
