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
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/bot"
	"hstockbot/internal/broadcasts"
	"hstockbot/internal/catalog"
	"hstockbot/internal/hstock"
	"hstockbot/internal/monitor"
	"hstockbot/internal/ops"
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

// Options is what the screens are made of. All fields are required but Version
// and CallStats.
type Options struct {
	People
	Catalog    *catalog.Catalog
	Market     Market
	Orders     *orders.Service
	Broadcasts *broadcasts.Service
	Monitor    *monitor.Service
	Notifier   *Notifier
	Announcer  *Announcer
	Log        *slog.Logger

	SupportText string
	SMMRatePer  int64 // pieces
	// Wake has stored messages sent now.
	Wake func()
	// What admins see of the process.
	Version   string                                 // of the program, and of the Go that built it
	CallStats func() (market, telegram ops.Snapshot) // of the last hour
}

// Screens is everything that people and admins see.
type Screens struct {
	Options
	balances *balances
	began    time.Time
}

// New returns the screens.
func New(o Options) *Screens {
	return &Screens{Options: o, balances: newBalances(), began: time.Now()}
}

// Register lists every route, command and dialog step. Routes that only draw are
// screens, those that do something are actions (bot.Action says what "Try again"
// may repeat).
func (s *Screens) Register(b *bot.Bot) {
	b.SetHooks(bot.Hooks{
		Identify:    s.identify,
		Localize:    s.localize,
		Allowed:     func(u bot.User) bool { return s.Allows(u.ID) },
		Urgent:      s.IsAdmin,
		Keep:        hasKey,
		Error:       s.errorView,
		Panicked:    panicked,
		Outdated:    outdated,
		Group:       s.group,
		Inline:      s.inline,
		Unreachable: s.Notifier.SetUnreachable,
		DeadLettered: func(_ context.Context, updateID int64) {
			s.Log.Error("update dead-lettered", "update", updateID)
		},
	})

	b.Command("start", s.start)
	b.Command("menu", s.menuCommand)
	b.Command("help", s.helpCommand)
	b.Command("language", s.languageCommand)
	b.Command("cancel", s.cancelCommand)
	b.Text(s.text)
	bot.MessageScreen(b, keyboards.Nothing, s.nothing)
	bot.Screen(b, keyboards.Menu, s.menu)
	bot.Screen(b, keyboards.Help, s.help)
	bot.Screen(b, keyboards.Language, s.language)
	bot.Action(b, keyboards.SetLanguage, s.setLanguage, nil)

	// The API key and the account.
	b.Command("key", s.keyCommand)
	b.Command("balance", s.balanceCommand)
	b.Step(stepKey, s.keyTyped)
	bot.Screen(b, keyboards.Key, s.key)
	bot.Screen(b, keyboards.KeyReplace, s.keyReplace)
	bot.Screen(b, keyboards.KeyRemove, s.keyRemove)
	bot.Action(b, keyboards.KeyRemoveSure, s.keyRemoveSure, nil)
	bot.Screen(b, keyboards.Balance, s.balance)
	bot.MessageScreen(b, keyboards.Spending, s.spending)

	// The catalogue and the search.
	b.Command("catalog", s.catalogCommand)
	b.Command("search", s.searchCommand)
	b.Step(stepSearch, s.searchTyped)
	bot.Screen(b, keyboards.Catalog, s.catalog)
	bot.Screen(b, keyboards.Category, s.category)
	bot.Screen(b, keyboards.Shelf, s.shelf)
	bot.Screen(b, keyboards.Recommended, s.recommended)
	bot.Screen(b, keyboards.Sellers, s.shops)
	bot.Screen(b, keyboards.SellerGoods, s.shopGoods)
	bot.Screen(b, keyboards.Search, s.search)
	bot.Screen(b, keyboards.Found, s.found)

	// A product, what is saved, and what is watched.
	b.Step(stepAmount, s.amountTyped)
	b.Step(stepPrice, s.priceTyped)
	bot.Screen(b, keyboards.Product, s.product)
	bot.Screen(b, keyboards.ProductRefresh, s.productRefresh)
	bot.Screen(b, keyboards.OtherAmount, s.otherAmount)
	bot.Screen(b, keyboards.Quantity, s.quantity)
	bot.Screen(b, keyboards.Saved, s.saved)
	bot.Action(b, keyboards.SavedRemove, s.savedRemove, keyboards.SavedRemove.Data)
	bot.Action(b, keyboards.Save, s.save, keyboards.Save.Data)
	bot.Action(b, keyboards.Unsave, s.unsave, keyboards.Unsave.Data)
	bot.Action(b, keyboards.WatchRestock, s.tellBack, keyboards.WatchRestock.Data)
	bot.Action(b, keyboards.WatchRestockOff, s.tellBackOff, keyboards.WatchRestockOff.Data)
	bot.Screen(b, keyboards.WatchPrice, s.tellPrice)
	bot.Action(b, keyboards.WatchPriceOff, s.tellPriceOff, keyboards.WatchPriceOff.Data)

	// A pasted link.
	b.Step(stepLinked, s.linkedAmountTyped)
	bot.Screen(b, keyboards.Linked, s.linked)
	bot.Screen(b, keyboards.LinkedService, s.linkedService)
	bot.Screen(b, keyboards.LinkedAmount, s.linkedAmount)
	bot.Screen(b, keyboards.LinkedOrder, s.linkedOrder)

	// Rented phones.
	b.Command("sms", s.smsCommand)
	b.Step(stepCountry, s.countryTyped)
	b.Step(stepProject, s.projectTyped)
	bot.Screen(b, keyboards.SMSCountries, s.smsCountries)
	bot.Screen(b, keyboards.SMSFindCountry, s.smsFindCountry)
	bot.Screen(b, keyboards.SMSProjects, s.smsProjects)
	bot.Screen(b, keyboards.SMSFindProject, s.smsFindProject)
	bot.Screen(b, keyboards.SMSProject, s.smsProject)
	bot.Screen(b, keyboards.SMSQuantity, s.smsQuantity)
	bot.Screen(b, keyboards.PhoneShow, s.numberShow)
	bot.Screen(b, keyboards.PhoneCheck, s.numberCheck)
	bot.MessageScreen(b, keyboards.PhoneAgain, s.numberAgain)
	bot.MessageScreen(b, keyboards.PhoneAnother, s.numberAnother)
	bot.MessageScreen(b, keyboards.PhoneCode, s.numberCode)

	// The confirm card. Only Confirm buys; "Try again" draws the card anew.
	b.Step(stepLink, s.linkTyped)
	b.Step(stepEmail, s.emailTyped)
	bot.Screen(b, keyboards.SkipEmail, s.skipEmail)
	bot.Screen(b, keyboards.Again, s.again)
	bot.MessageScreen(b, keyboards.OrderIt, s.orderIt)
	bot.Action(b, keyboards.Confirm, s.confirm, keyboards.Again.Data)
	bot.Action(b, keyboards.Discard, s.abandon, nil)

	// Orders.
	b.Command("orders", s.ordersCommand)
	bot.Screen(b, keyboards.Orders, s.orderList)
	bot.Screen(b, keyboards.Order, s.order)
	bot.Screen(b, keyboards.OrderRefresh, s.orderRefresh)
	bot.Screen(b, keyboards.CardRefresh, s.cardRefresh)
	bot.MessageScreen(b, keyboards.OrderAccounts, s.orderAccounts)
	bot.MessageScreen(b, keyboards.OrderWrong, s.orderWrong)
	bot.Screen(b, keyboards.OrderCancel, s.orderCancel)
	bot.Action(b, keyboards.OrderCancelSure, s.orderCancelSure, keyboards.OrderCancel.Data)
	bot.Action(b, keyboards.OrderRemind, s.orderRemind, keyboards.OrderRemind.Data)
	bot.Screen(b, keyboards.CancelAll, s.cancelAll)
	bot.Action(b, keyboards.CancelAllSure, s.cancelAllSure, func(keyboards.CancelAllArgs) string { return keyboards.CancelAll.Data(struct{}{}) })
	bot.Screen(b, keyboards.ExternalFind, s.elsewhereFind)
	bot.Action(b, keyboards.ExternalImport, s.elsewhereTake, keyboards.ExternalFind.Data)

	// Purchases whose outcome is unknown.
	b.Step(stepNumber, s.numberTyped)
	bot.Screen(b, keyboards.UnresolvedBalance, s.unknownBalance)
	bot.MessageScreen(b, keyboards.UnresolvedAdopt, s.unknownNumber)
	bot.Action(b, keyboards.UnresolvedAdoptSure, s.unknownAdopt, nil)
	bot.Action(b, keyboards.UnresolvedDismiss, s.unknownDismiss, nil)

	// One's own data.
	b.Command("forget", s.forgetCommand)
	bot.MessageScreen(b, keyboards.OrdersExport, s.ordersExport)
	bot.MessageScreen(b, keyboards.MyData, s.myData)
	bot.Screen(b, keyboards.Forget, s.forget)
	bot.Screen(b, keyboards.ForgetAsk, s.forgetAsk)
	bot.Action(b, keyboards.ForgetSure, s.forgetSure, nil)

	s.registerAdmin(b)
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

// identify records a person who writes and returns their language.
func (s *Screens) identify(ctx context.Context, u bot.User, private bool) (*locales.Localizer, error) {
	user, released, err := s.DB.TouchUser(ctx, u.ID, u.FirstName, u.LanguageCode, private)
	if err != nil {
		return nil, err
	}
	if user.Blocked && !s.IsAdmin(u.ID) {
		return nil, bot.ErrIgnored
	}
	if released {
		s.Wake()
	}
	return s.Localizer(user), nil
}

// localize returns the language of a person and records nothing.
func (s *Screens) localize(ctx context.Context, u bot.User) (*locales.Localizer, error) {
	user, err := s.DB.User(ctx, u.ID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return s.Localizer(storage.User{TelegramLang: u.LanguageCode}), nil
	case err != nil:
		return nil, err
	case user.Blocked && !s.IsAdmin(u.ID):
		return nil, bot.ErrIgnored
	}
	return s.Localizer(user), nil
}

// canBuy says why a person can't buy now, before they are asked anything:
// looking is free, buying needs a key of one's own and no maintenance.
func (s *Screens) canBuy(ctx context.Context, userID int64) error {
	if err := s.Orders.CanBuy(ctx); err != nil {
		return err
	}
	_, err := s.ownKey(ctx, userID)
	return err
}

// price formats a unit price in the currency of the person's account.
func (s *Screens) price(ctx context.Context, l *locales.Localizer, userID int64, rate decimal.Decimal) string {
	return l.Money(rate, s.currency(ctx, userID))
}

func (s *Screens) nothing(context.Context, *bot.Request, struct{}) (bot.View, error) {
	return bot.View{KeepDialog: true}, nil
}
