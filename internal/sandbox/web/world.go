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

// keptFile is the pretend world in Options.Data. The bot's database knows
// orders by their numbers and messages by their ids, so a world that began anew
// beside a kept database would give those numbers to other orders and messages.
const keptFile = "world.json"

// keepAfter is how long after a change the world is written down. What a demo
// that is killed loses is no more than that.
const keepAfter = 300 * time.Millisecond

// world is the pretend marketplace and the pretend Telegram with its people.
type world struct {
	goods *market.Server
	chats *telegram.Server
	path  string // of keptFile
	log   *slog.Logger
}

type keptWorld struct {
	Market   json.RawMessage `json:"market"`
	Telegram json.RawMessage `json:"telegram"`
}

// folder returns where the data are, and what is to be done with them at the end.
func (o Options) folder() (folder string, done func() error, err error) {
	if o.Data == "" {
		folder, err = os.MkdirTemp("", "hstockbot-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a folder for the demo's data: %w", err)
		}
		return folder, func() error {
			if err := os.RemoveAll(folder); err != nil {
				return fmt.Errorf("remove the demo's data: %w", err)
			}
			return nil
		}, nil
	}
	folder, err = filepath.Abs(o.Data) // the bot works in it
	if err == nil {
		err = os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		return "", nil, fmt.Errorf("make the folder of the demo's data: %w", err)
	}
	return folder, func() error { return nil }, nil
}

// newWorld returns the world that is kept in the folder, or else a new one.
func newWorld(opts Options, folder, token string, log *slog.Logger) (*world, error) {
	w := &world{
		path: filepath.Join(folder, keptFile), log: log,
		chats: telegram.New(telegram.Options{Token: token, Username: botUsername, Name: botName}),
	}
	kept, err := w.kept()
	if err != nil {
		return nil, err
	}
	seed := opts.Seed
	if kept != nil {
		if seed, err = market.KeptSeed(kept.Market); err != nil {
			return nil, err
		}
		if opts.Seed != 0 && opts.Seed != seed {
			return nil, fmt.Errorf("the data were made with seed %d", seed)
		}
	}
	w.goods = market.New(market.Options{Seed: seed, DeliverAfter: deliverAfter, CodeAfter: codeAfter})
	if kept == nil {
		w.furnish()
		return w, nil
	}
	if err := w.goods.Restore(kept.Market); err != nil {
		return nil, err
	}
	return w, w.chats.Restore(kept.Telegram)
}

// furnish gives a new world its keys, and lets people say what they have said
// before the demo begins.
func (w *world) furnish() {
	for _, p := range purses() {
		w.goods.AddKey(p.key, p.balance, "USD")
	}
	for _, who := range residents() {
		client := w.chats.Join(who.Person)
		for _, text := range who.types {
			client.Type(text)
		}
	}
}

func (w *world) kept() (*keptWorld, error) {
	data, err := os.ReadFile(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the kept world: %w", err)
	}
	var kept keptWorld
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("read the kept world: %w", err)
	}
	return &kept, nil
}

// keep writes the world down shortly after every change, and when the function
// that it returns is called.
func (w *world) keep(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	chats, stopChats := w.chats.Subscribe()
	goods, stopGoods := w.goods.Subscribe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-chats:
			case <-goods:
			case <-ctx.Done():
				return
			}
			wait(ctx, keepAfter)
			w.write()
		}
	}()
	return func() {
		cancel()
		<-ended
		stopChats()
		stopGoods()
		w.write()
	}
}

// write puts the world into its file, the whole or none of it.
func (w *world) write() {
	goods, err := w.goods.Keep()
	if err != nil {
		w.log.Error("the pretend world is not kept", "error", err)
		return
	}
	chats, err := w.chats.Keep()
	if err != nil {
		w.log.Error("the pretend world is not kept", "error", err)
		return
	}
	data, err := json.Marshal(keptWorld{Market: goods, Telegram: chats})
	if err == nil {
		err = os.WriteFile(w.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(w.path+".new", w.path)
	}
	if err != nil {
		w.log.Error("the pretend world is not kept", "error", err)
	}
}

// wait returns after d, or when ctx is over.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
