package handlers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// balance shows the account of the person's own key, and what they spent by
// the bot's records. To admins the operator's account is shown first.
func (s *Screens) balance(ctx context.Context, req *bot.Request, args keyboards.BalanceArgs) (bot.View, error) {
	l := req.L
	text, operated := "", s.IsAdmin(req.User.ID) && s.OperatorKey != ""
	if operated {
		lines, err := s.operatorAccount(ctx, l)
		if err != nil {
			return bot.View{}, err
		}
		text = lines + "\n\n"
	}
	own, err := s.ownBalance(ctx, req.User.ID, args.Refresh)
	if errors.Is(err, orders.ErrNoKey) && text != "" {
		return bot.View{Text: text + l.T("balance_no_key"), Keyboard: keyboards.BalanceKeyboard(l, operated)}, nil
	}
	if err != nil {
		return bot.View{}, err
	}
	spent, err := s.spent(ctx, l, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	view := bot.View{
		Text:     text + balanceLine(l, own) + "\n\n" + spent,
		Keyboard: keyboards.BalanceKeyboard(l, operated),
	}
	if args.Refresh {
		view.Toast = l.Label("balance_refreshed")
	}
	return view, nil
}

// balanceLine is a balance, and what its currency is called where it is not US
// dollars.
func balanceLine(l *locales.Localizer, balance hstock.Balance) string {
	line := l.T("balance_text", locales.Args{"Balance": l.Money(balance.Amount, balance.Currency)})
	if name := currencyName(l, balance.Currency); name != "" {
		line += "\n" + l.T("balance_currency", locales.Args{"Name": name})
	}
	return line
}

func (s *Screens) balanceCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	args := keyboards.BalanceArgs{Refresh: true}
	return bot.RedirectTo(keyboards.Balance.Data(args)), nil
}

// sums lists money per currency, "$3.00 + 2.00 EUR".
func sums(l *locales.Localizer, perCurrency map[string]decimal.Decimal) string {
	if len(perCurrency) == 0 {
		return l.Money(decimal.Zero, "USD")
	}
	currencies := make([]string, 0, len(perCurrency))
	for currency := range perCurrency {
		currencies = append(currencies, currency)
	}
	slices.Sort(currencies)
	text := ""
	for i, currency := range currencies {
		if i > 0 {
			text += " + "
		}
		text += l.Money(perCurrency[currency], currency)
	}
	return text
}

// ownBalance returns the balance of the person's own key; unless fresh is
// asked for, one read within balanceLife will do.
func (s *Screens) ownBalance(ctx context.Context, userID int64, fresh bool) (hstock.Balance, error) {
	key, err := s.ownKey(ctx, userID)
	if err != nil {
		return hstock.Balance{}, err
	}
	if balance, ok := s.balances.get(userID); ok && !fresh {
		return balance, nil
	}
	balance, err := s.Market.Balance(ctx, key.Secret)
	if err != nil {
		return hstock.Balance{}, err
	}
	if key.Invalid { // it was refused once, and is not any more
		if err := s.DB.AcceptKey(ctx, key.ID, time.Now()); err != nil {
			return hstock.Balance{}, err
		}
		s.Orders.WakeWatcher()
	}
	s.balances.put(userID, balance)
	return balance, nil
}

// currency is the one that prices are shown in: that of the account which the
// shop is looked at with. Rows carry none.
func (s *Screens) currency(ctx context.Context, userID int64) string {
	if balance, ok := s.balances.last(userID); ok {
		return balance.Currency
	}
	if balance, err := s.ownBalance(ctx, userID, false); err == nil {
		return balance.Currency
	}
	if s.OperatorKey != "" {
		if balance, ok := s.balances.last(operator); ok {
			return balance.Currency
		}
		if balance, err := s.Market.Balance(ctx, s.OperatorKey); err == nil {
			s.balances.put(operator, balance)
			return balance.Currency
		}
	}
	return "USD"
}

const (
	// balanceLife is for choosing quantities; what is bought reads it afresh.
	balanceLife = 30 * time.Second
	// operator is the place of the operator's account among people's.
	operator = 0
	// balancesKept bounds the memory; a person's figures can be read again.
	balancesKept = 10_000
)

// balances remembers the last balance read for each person.
type balances struct {
	mu   sync.Mutex
	read map[int64]reading
}

type reading struct {
	balance hstock.Balance
	at      time.Time
}

func newBalances() *balances { return &balances{read: map[int64]reading{}} }

// get returns a balance that is fresh enough to choose by.
func (b *balances) get(userID int64) (hstock.Balance, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.read[userID]
	return r.balance, ok && time.Since(r.at) < balanceLife
}

// last returns the balance last read, however old.
func (b *balances) last(userID int64) (hstock.Balance, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.read[userID]
	return r.balance, ok
}

func (b *balances) put(userID int64, balance hstock.Balance) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.read) >= balancesKept {
		for id, r := range b.read {
			if time.Since(r.at) >= balanceLife {
				delete(b.read, id)
			}
		}
	}
	if len(b.read) < balancesKept {
		b.read[userID] = reading{balance: balance, at: time.Now()}
	}
}

func (b *balances) forget(userID int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.read, userID)
}
