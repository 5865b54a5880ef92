package app_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"hstockbot/bot"
	"hstockbot/internal/app"
	"hstockbot/internal/outbox"
	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/pgtest"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/internal/sandbox/testworld"
)

// TestProgramSharesItsRates sends a message and calls the marketplace with a program that
// may not be alone, and with one that is.
func TestProgramSharesItsRates(t *testing.T) {
	for name, alone := range map[string]bool{"alone": true, "one of several": false} {
		t.Run(name, func(t *testing.T) {
			server := telegram.New(telegram.Options{Token: testworld.Token})
			marketplace := market.New(market.Options{})
			marketplace.AddKey(testworld.AnnaKey.Reveal(), "1.00", "USD")
			telegramWeb, marketWeb := httptest.NewServer(server), httptest.NewServer(marketplace)
			t.Cleanup(func() {
				server.Close()
				marketplace.Close()
				telegramWeb.Close()
				marketWeb.Close()
			})
			cfg := testworld.BaseConfig(pgtest.Empty(t))
			cfg.TelegramAPIURL, cfg.HStockAPIURL, cfg.TelegramRate = telegramWeb.URL, marketWeb.URL, 30
			program, err := app.New(t.Context(), cfg, app.Options{Log: slog.New(slog.DiscardHandler), Alone: alone})
			testworld.Must(t, err)
			defer func() { testworld.Must(t, program.Stop(context.WithoutCancel(t.Context()))) }()
			person := server.Join(telegram.Person{ID: 1, FirstName: "Ann", LanguageCode: "en"})
			_, err = program.Bot.Send(t.Context(), person.ChatID(), outbox.PriorityReply, bot.View{Text: "hello"})
			testworld.Must(t, err)
			_, err = program.Market.Balance(t.Context(), testworld.AnnaKey)
			testworld.Must(t, err)

			conn, err := pgx.Connect(t.Context(), cfg.DatabaseURL)
			testworld.Must(t, err)
			defer func() { testworld.Must(t, conn.Close(context.WithoutCancel(t.Context()))) }()
			rows, err := conn.Query(t.Context(), `SELECT name FROM pace ORDER BY name`)
			testworld.Must(t, err)
			names, err := pgx.CollectRows(rows, pgx.RowTo[string])
			testworld.Must(t, err)
			want := []string{"marketplace", "telegram", "telegram/1"}
			if alone {
				want = nil
			}
			if !slices.Equal(names, want) {
				t.Errorf("the rates in the database are %q, want %q", names, want)
			}
		})
	}
}
