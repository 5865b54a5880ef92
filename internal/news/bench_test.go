package news

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/redact"
	"hstockbot/storage"
)

// list is a marketplace with these services.
type list []hstock.Item

func (l list) Services(context.Context, redact.Secret, hstock.Filter) (hstock.Page, error) {
	return hstock.Page{Items: l, Total: len(l), Page: 1, Limit: len(l), TotalPages: 1}, nil
}

func (l list) Balance(context.Context, redact.Secret) (hstock.Balance, error) {
	return hstock.Balance{Currency: "USD"}, nil
}

// BenchmarkRound measures a round of 10,000 services without the marketplace's answer, of
// which some have changed.
func BenchmarkRound(b *testing.B) {
	for _, changed := range []int{0, 10, 1000} {
		b.Run(fmt.Sprintf("%d changes", changed), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "bot.db")
			keys, err := storage.KeysBeside(path)
			if err != nil {
				b.Fatal(err)
			}
			db, err := storage.Open(b.Context(), storage.Options{URL: "sqlite:" + path, Keys: keys})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close(context.WithoutCancel(b.Context())) }()
			services := make(list, 10_000)
			for i := range services {
				services[i] = hstock.Item{
					Service: int64(i + 1), Name: fmt.Sprint("Service ", i+1), Category: fmt.Sprint("Category ", i%50), Rate: decimal.NewFromInt(10), Currency: "USD", Min: 1, Stock: 5,
				}
			}
			s := New(Options{DB: db, Market: services, Log: slog.New(slog.DiscardHandler), OperatorKey: "key"})
			if err := s.round(b.Context()); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for i := range changed {
					services[i].Stock = 5 - services[i].Stock
				}
				if err := s.round(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
