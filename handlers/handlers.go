// Package handlers is what the shop says and does: one file per screen or
// command, errors.go where every error becomes a sentence, and the notifier,
// which turns stored messages into chat messages.
//
// A screen is a function of its route: it reads what it shows, again at every
// tap, and trusts nothing that came with the button. Money moves in the orders
// package only.
package handlers

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/broadcasts"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/monitor"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Market is what screens ask of the marketplace beyond the catalogue.
type Market interface {
	Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error)
}

// Options configures a Shop. OperatorKey, AdminIDs and AllowedIDs may be empty.
type Options struct {
	DB          *storage.DB
	Catalog     *catalog.Catalog
	Market      Market
	Bundle      *locales.Bundle
	Log         *slog.Logger
	OperatorKey redact.Secret
	AdminIDs    []int64
	AllowedIDs  []int64
	DefaultLang string
	SupportText string
	SMMRatePer  int64
	// TelegramRate is how many messages a second are sent in all, 0 = no limit.
	TelegramRate float64
	// What admins see of the process: may be nil and empty.
	Version string // of the program, and of what it was built with
	Traffic func() (market, telegram CallStats)
}

// CallStats is how the calls to a service went in the last hour.
type CallStats struct {
	Calls, Errors int64
	LastError     string    // in the code's own words, "" for none
	LastErrorAt   time.Time // zero for none
}

// Monitor says what is wrong at the moment.
type Monitor interface {
	Active(ctx context.Context) ([]monitor.Alert, error)
}

// Screens is the screens of one bot.
type Screens struct {
	Options
	bot        *bot.Bot
	orders     *orders.Service
	broadcasts *broadcasts.Service
	monitor    Monitor
	balances   *balances
	began      time.Time

	// Each has room for one: who draws how far a broadcast is, and who tells
	// Telegram the commands.
	drawing    chan struct{}
	announcing chan struct{}
}

// New returns a Shop. Attach gives it the bot, the trade, the broadcasts and the
// alarms, which need its Hooks, its Notify and its Broadcasting first.
func New(o Options) *Screens {
	return &Screens{
		Options: o, balances: newBalances(), began: time.Now(), drawing: make(chan struct{}, 1), announcing: make(chan struct{}, 1),
	}
}

// Hooks returns what the runtime asks the shop.
func (s *Screens) Hooks() bot.Hooks {
	return bot.Hooks{
		Identify:    s.identify,
		Allowed:     s.allowed,
		Error:       s.errorView,
		Panicked:    panicked,
		Outdated:    outdated,
		Group:       s.group,
		Inline:      s.inline,
		Unreachable: s.unreachable,
		DeadLettered: func(_ context.Context, updateID int64) {
			s.Log.Error("an update was given up: it could not be read, or three attempts at it failed", "update", updateID)
		},
	}
}

// Attach registers every screen, command and dialog. This is the list of routes.
func (s *Screens) Attach(b *bot.Bot, trade *orders.Service, messages *broadcasts.Service, wrong Monitor) {
	s.bot, s.orders, s.broadcasts, s.monitor = b, trade, messages, wrong

	b.Command("start", s.start)
	b.Command("menu", s.menuCommand)
	b.Command("catalog", s.catalogCommand)
	b.Command("search", s.searchCommand)
	b.Command("sms", s.smsCommand)
	b.Command("orders", s.ordersCommand)
	b.Command("balance", s.balanceCommand)
	b.Command("key", s.keyCommand)
	b.Command("language", s.languageCommand)
	b.Command("help", s.helpCommand)
	b.Command("forget", s.forgetCommand)
	b.Command("cancel", s.cancelCommand)
	b.Text(s.text)

	bot.Handle(b, keyboards.Nothing, s.nothing)
	bot.Handle(b, keyboards.Menu, s.menu)
	bot.Handle(b, keyboards.Key, s.key)
	bot.Handle(b, keyboards.KeyReplace, s.keyReplace)
	bot.Handle(b, keyboards.KeyRemove, s.keyRemove)
	bot.Handle(b, keyboards.KeyRemoveSure, s.keyRemoveSure)
	bot.Handle(b, keyboards.Language, s.language)
	bot.Handle(b, keyboards.SetLanguage, s.setLanguage)
	bot.Handle(b, keyboards.Help, s.help)
	bot.Handle(b, keyboards.Balance, s.balance)
	bot.Handle(b, keyboards.Catalog, s.catalog)
	bot.Handle(b, keyboards.Category, s.category)
	bot.Handle(b, keyboards.Shelf, s.shelf)
	bot.Handle(b, keyboards.Search, s.search)
	bot.Handle(b, keyboards.Found, s.found)
	bot.Handle(b, keyboards.Product, s.product)
	bot.Handle(b, keyboards.ProductRefresh, s.productRefresh)
	bot.Handle(b, keyboards.OtherAmount, s.otherAmount)
	bot.Handle(b, keyboards.Quantity, s.quantity)
	bot.Handle(b, keyboards.SkipEmail, s.skipEmail)
	bot.Handle(b, keyboards.Confirm, s.confirm)
	bot.Handle(b, keyboards.Discard, s.abandon)
	bot.Handle(b, keyboards.Again, s.again)
	bot.Handle(b, keyboards.OrderIt, s.orderIt)
	bot.Handle(b, keyboards.Orders, s.orderList)
	bot.Handle(b, keyboards.Order, s.order)
	bot.Handle(b, keyboards.OrderRefresh, s.orderRefresh)
	bot.Handle(b, keyboards.CardRefresh, s.cardRefresh)
	bot.Handle(b, keyboards.OrderAccounts, s.orderAccounts)
	bot.Handle(b, keyboards.OrderWrong, s.orderWrong)
	bot.Handle(b, keyboards.OrderCancel, s.orderCancel)
	bot.Handle(b, keyboards.OrderCancelSure, s.orderCancelSure)
	bot.Handle(b, keyboards.SMSCountries, s.smsCountries)
	bot.Handle(b, keyboards.SMSFindCountry, s.smsFindCountry)
	bot.Handle(b, keyboards.SMSProjects, s.smsProjects)
	bot.Handle(b, keyboards.SMSFindProject, s.smsFindProject)
	bot.Handle(b, keyboards.SMSProject, s.smsProject)
	bot.Handle(b, keyboards.SMSQuantity, s.smsQuantity)
	bot.Handle(b, keyboards.PhoneShow, s.numberShow)
	bot.Handle(b, keyboards.PhoneCheck, s.numberCheck)
	bot.Handle(b, keyboards.PhoneAgain, s.numberAgain)
	bot.Handle(b, keyboards.PhoneAnother, s.numberAnother)
	bot.Handle(b, keyboards.PhoneCode, s.numberCode)
	bot.Handle(b, keyboards.UnresolvedBalance, s.unknownBalance)
	bot.Handle(b, keyboards.UnresolvedAdopt, s.unknownNumber)
	bot.Handle(b, keyboards.UnresolvedAdoptSure, s.unknownAdopt)
	bot.Handle(b, keyboards.UnresolvedDismiss, s.unknownDismiss)

	bot.Handle(b, keyboards.Recommended, s.recommended)
	bot.Handle(b, keyboards.Sellers, s.shops)
	bot.Handle(b, keyboards.SellerGoods, s.shopGoods)
	bot.Handle(b, keyboards.Saved, s.saved)
	bot.Handle(b, keyboards.SavedRemove, s.savedRemove)
	bot.Handle(b, keyboards.Save, s.save)
	bot.Handle(b, keyboards.Unsave, s.unsave)
	bot.Handle(b, keyboards.WatchRestock, s.tellBack)
	bot.Handle(b, keyboards.WatchRestockOff, s.tellBackOff)
	bot.Handle(b, keyboards.WatchPrice, s.tellPrice)
	bot.Handle(b, keyboards.WatchPriceOff, s.tellPriceOff)
	bot.Handle(b, keyboards.Spending, s.spending)
	bot.Handle(b, keyboards.Linked, s.linked)
	bot.Handle(b, keyboards.LinkedService, s.linkedService)
	bot.Handle(b, keyboards.LinkedAmount, s.linkedAmount)
	bot.Handle(b, keyboards.LinkedOrder, s.linkedOrder)

	bot.Handle(b, keyboards.OrderRemind, s.orderRemind)
	bot.Handle(b, keyboards.CancelAll, s.cancelAll)
	bot.Handle(b, keyboards.CancelAllSure, s.cancelAllSure)
	bot.Handle(b, keyboards.ExternalFind, s.elsewhereFind)
	bot.Handle(b, keyboards.ExternalImport, s.elsewhereTake)
	bot.Handle(b, keyboards.OrdersExport, s.ordersExport)
	bot.Handle(b, keyboards.MyData, s.myData)
	bot.Handle(b, keyboards.Forget, s.forget)
	bot.Handle(b, keyboards.ForgetAsk, s.forgetAsk)
	bot.Handle(b, keyboards.ForgetSure, s.forgetSure)

	s.attachAdmin()

	b.Step(stepKey, s.keyTyped)
	b.Step(stepAmount, s.amountTyped)
	b.Step(stepLink, s.linkTyped)
	b.Step(stepEmail, s.emailTyped)
	b.Step(stepNumber, s.numberTyped)
	b.Step(stepCountry, s.countryTyped)
	b.Step(stepProject, s.projectTyped)
	b.Step(stepSearch, s.searchTyped)
	b.Step(stepPrice, s.priceTyped)
	b.Step(stepLinked, s.linkedAmountTyped)
}

// Steps of dialogs: what the next text of a person is taken for.
const (
	stepKey     = "key"
	stepAmount  = "amount"
	stepLink    = "link"
	stepEmail   = "email"
	stepNumber  = "number"
	stepCountry = "country"
	stepProject = "project"
	stepSearch  = "search"
	stepPrice   = "price"
	stepLinked  = "linked"

	stepBroadcast = "broadcast"

	dialogLife = 30 * time.Minute
)

// dialog returns what the next text means; data is of the step's own making.
func dialog(step, data string) *bot.Dialog {
	return &bot.Dialog{Step: step, Data: data, TTL: dialogLife}
}

// identify records a person who writes and returns their language: the one they
// chose, else the one of their Telegram.
func (s *Screens) identify(ctx context.Context, u bot.User, private bool) (*locales.Localizer, error) {
	user, released, err := s.DB.TouchUser(ctx, u.ID, u.FirstName, u.LanguageCode, private)
	if err != nil {
		return nil, err
	}
	if user.Blocked && !s.admin(u.ID) {
		return nil, bot.ErrIgnored
	}
	if released {
		s.orders.Wake()
	}
	return s.localizer(user), nil
}

func (s *Screens) localizer(u storage.User) *locales.Localizer {
	if u.Lang != "" {
		return s.Bundle.Localizer(u.Lang)
	}
	return s.Bundle.Localizer(s.Bundle.Match(u.TelegramLang, s.DefaultLang))
}

// unreachable holds what waits for a person who has blocked the bot.
func (s *Screens) unreachable(ctx context.Context, userID int64) {
	if err := s.DB.SetUnreachable(ctx, userID); err != nil {
		s.Log.Error("noting an unreachable person failed", "error", err)
	}
}

func (s *Screens) allowed(u bot.User) bool {
	return len(s.AllowedIDs) == 0 || slices.Contains(s.AllowedIDs, u.ID) || s.admin(u.ID)
}

// served are the ids of all who are served, none for everybody.
func (s *Screens) served() []int64 {
	if len(s.AllowedIDs) == 0 {
		return nil
	}
	return slices.Concat(s.AllowedIDs, s.AdminIDs)
}

func (s *Screens) admin(userID int64) bool { return slices.Contains(s.AdminIDs, userID) }

// ownKey returns the person's API key, or orders.ErrNoKey.
func (s *Screens) ownKey(ctx context.Context, userID int64) (storage.Key, error) {
	key, err := s.DB.ActiveKey(ctx, userID)
	if errors.Is(err, storage.ErrNotFound) {
		return storage.Key{}, orders.ErrNoKey
	}
	return key, err
}

// canBuy says why a person can't buy now, before they are asked anything:
// looking is free, buying needs a key of one's own and no maintenance.
func (s *Screens) canBuy(ctx context.Context, userID int64) error {
	if err := s.orders.CanBuy(ctx); err != nil {
		return err
	}
	_, err := s.ownKey(ctx, userID)
	return err
}

// browseKey returns the key to look round with: the person's own, else the
// operator's. It never buys.
func (s *Screens) browseKey(ctx context.Context, userID int64) (redact.Secret, error) {
	key, err := s.ownKey(ctx, userID)
	if errors.Is(err, orders.ErrNoKey) && s.OperatorKey != "" {
		return s.OperatorKey, nil
	}
	return key.Secret, err
}

// price formats a unit price in the currency of the person's account.
func (s *Screens) price(ctx context.Context, l *locales.Localizer, userID int64, rate decimal.Decimal) string {
	return l.Money(rate, s.currency(ctx, userID))
}

func (s *Screens) nothing(context.Context, *bot.Request, struct{}) (bot.View, error) {
	return bot.View{KeepDialog: true}, nil
}
