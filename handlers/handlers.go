package handlers

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/broadcasts"
	"hstockbot/internal/callrate"
	"hstockbot/internal/catalog"
	"hstockbot/internal/funds"
	"hstockbot/internal/hstock"
	"hstockbot/internal/monitor"
	"hstockbot/internal/ops"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/internal/room"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Market is the part of the marketplace's client that screens call directly.
type Market interface {
	Balance(ctx context.Context, key redact.Secret) (hstock.Balance, error)
	Currency(ctx context.Context, key redact.Secret) (string, error)
}

// Options configures the screens. All fields except Version and CallStats are
// required.
type Options struct {
	People
	Catalog    *catalog.Catalog
	Market     Market
	Orders     *orders.Service
	Funds      *funds.Service
	Broadcasts *broadcasts.Service
	Monitor    *monitor.Service
	Rooms      *room.Service
	Notifier   *Notifier
	Announcer  *Announcer
	Log        *slog.Logger

	SupportText string
	SMMRatePer  int64  // how many pieces the rate of an SMM service is for
	Wake        func() // makes the outbox send stored messages now

	// Version (of the program and of Go), CallStats (of the last hour), and how often the
	// marketplace is called are shown to admins.
	Version   string
	CallStats func() (market, telegram ops.Snapshot)
	CallRate  *callrate.Limiter
}

// Screens contains the handlers of all routes, commands and dialog steps.
type Screens struct {
	Options
	balances  *balanceCache
	wrongKeys *wrongKeys
	startedAt time.Time
}

// New returns the screens.
func New(o Options) *Screens {
	return &Screens{Options: o, balances: newBalanceCache(), wrongKeys: &wrongKeys{times: map[int64][]time.Time{}}, startedAt: time.Now()}
}

// Register registers every route, command and dialog step. Routes that only show
// something are screens; those that change something are actions, whose last
// argument says what "Try again" may repeat (see bot.Action).
func (s *Screens) Register(b *bot.Bot) {
	b.SetHooks(bot.Hooks{
		Identify:     s.identify,
		Localize:     s.localize,
		Allowed:      func(u bot.User) bool { return s.Allows(u.ID) },
		Urgent:       s.IsStaff,
		Keep:         mayHoldKey,
		Error:        s.errorView,
		Panicked:     panicked,
		Outdated:     outdated,
		Group:        s.group,
		Inline:       s.inline,
		Unreachable:  s.Notifier.SetUnreachable,
		DeadLettered: s.deadLettered,
		ChatChanged:  s.chatChanged,
	})

	b.Command("start", s.start)
	b.Command("menu", opens(keyboards.Menu.Data(struct{}{})))
	b.Command("help", opens(keyboards.Help.Data(struct{}{})))
	b.Command("language", opens(keyboards.Language.Data(struct{}{})))
	b.Command("cancel", s.cancelCommand)
	b.Text(s.text)
	b.Label(func(req *bot.Request) string { return keyboards.MenuData(req.L, req.Text) }, s.labelTyped)
	bot.MessageScreen(b, keyboards.NoOp, s.noOp)
	bot.Screen(b, keyboards.Menu, s.menu)
	bot.Screen(b, keyboards.Help, s.help)
	bot.Screen(b, keyboards.Language, s.language)
	bot.Action(b, keyboards.SetLanguage, s.setLanguage, nil)

	// The API key and the account.
	b.Command("key", s.keyCommand)
	b.Command("balance", opens(keyboards.Balance.Data(keyboards.BalanceArgs{Refresh: true})))
	b.Step(stepKey, s.keyTyped)
	b.Step(stepKeyOfBefore, s.keyTyped)
	bot.Screen(b, keyboards.Key, s.key)
	bot.Screen(b, keyboards.KeyReplace, s.keyReplace)
	bot.Screen(b, keyboards.KeyRemove, s.keyRemove)
	bot.Action(b, keyboards.KeyRemoveSure, s.keyRemoveSure, nil)
	bot.Action(b, keyboards.KeyPays, s.keyPays, keyboards.KeyPays.Data)
	bot.Action(b, keyboards.KeyEmail, s.keyEmail, keyboards.KeyEmail.Data)
	bot.Screen(b, keyboards.Balance, s.balance)
	bot.MessageScreen(b, keyboards.Spending, s.spending)

	// The catalogue and search.
	b.Command("catalog", opens(keyboards.Catalog.Data(keyboards.PageArgs{})))
	b.Command("search", s.searchCommand)
	b.Step(stepSearch, s.searchTyped)
	bot.Screen(b, keyboards.Catalog, s.catalog)
	bot.Screen(b, keyboards.Category, s.category)
	bot.Screen(b, keyboards.Shelf, s.shelf)
	bot.Screen(b, keyboards.SortedShelf, s.sortedShelf)
	bot.Screen(b, keyboards.Recommended, s.recommended)
	bot.Screen(b, keyboards.News, s.news)
	bot.Screen(b, keyboards.Sellers, s.sellers)
	bot.Screen(b, keyboards.SellerGoods, s.sellerGoods)
	bot.Screen(b, keyboards.Search, s.search)
	bot.Screen(b, keyboards.Found, s.found)

	// Products, saved products and watches.
	b.Step(stepAmount, withoutKeys(s.amountTyped))
	b.Step(stepPrice, withoutKeys(s.priceTyped))
	bot.Screen(b, keyboards.Product, s.product)
	bot.Screen(b, keyboards.ProductRefresh, s.productRefresh)
	bot.Screen(b, keyboards.OtherAmount, s.otherAmount)
	bot.Screen(b, keyboards.Quantity, s.quantity)
	bot.Screen(b, keyboards.Saved, s.saved)
	bot.Action(b, keyboards.SavedRemove, s.savedRemove, keyboards.SavedRemove.Data)
	bot.Action(b, keyboards.Save, s.save, keyboards.Save.Data)
	bot.Action(b, keyboards.Unsave, s.unsave, keyboards.Unsave.Data)
	bot.Action(b, keyboards.WatchRestock, s.watchRestock, keyboards.WatchRestock.Data)
	bot.Action(b, keyboards.WatchRestockOff, s.watchRestockOff, keyboards.WatchRestockOff.Data)
	bot.Screen(b, keyboards.WatchPrice, s.watchPrice)
	bot.Action(b, keyboards.WatchPriceOff, s.watchPriceOff, keyboards.WatchPriceOff.Data)
	bot.Screen(b, keyboards.Watches, s.watches)

	// Pasted links.
	b.Step(stepLinked, withoutKeys(s.linkedAmountTyped))
	bot.Screen(b, keyboards.Linked, s.linked)
	bot.Screen(b, keyboards.LinkedService, s.linkedService)
	bot.Screen(b, keyboards.LinkedAmount, s.linkedAmount)
	bot.Screen(b, keyboards.LinkedQuantity, s.linkedQuantity)

	// Rented phones.
	b.Command("sms", opens(keyboards.SMSApps.Data(keyboards.SMSAppsArgs{})))
	b.Step(stepApp, withoutKeys(s.appTyped))
	b.Step(stepCountry, withoutKeys(s.countryTyped))
	b.Step(stepProject, withoutKeys(s.projectTyped))
	bot.Screen(b, keyboards.SMSApps, s.smsApps)
	bot.Screen(b, keyboards.SMSFindApp, s.smsFindApp)
	bot.Screen(b, keyboards.SMSApp, s.smsApp)
	bot.Screen(b, keyboards.SMSOffer, s.smsOffer)
	bot.Screen(b, keyboards.SMSOfferQuantity, s.smsOfferQuantity)
	bot.Action(b, keyboards.SMSSave, s.smsSave, keyboards.SMSSave.Data)
	bot.Action(b, keyboards.SMSUnsave, s.smsUnsave, keyboards.SMSUnsave.Data)
	bot.Screen(b, keyboards.SMSCountries, s.smsCountries)
	bot.Screen(b, keyboards.SMSFindCountry, s.smsFindCountry)
	bot.Screen(b, keyboards.SMSProjects, s.smsProjects)
	bot.Screen(b, keyboards.SMSFindProject, s.smsFindProject)
	bot.Screen(b, keyboards.SMSProject, s.smsProject)
	bot.Screen(b, keyboards.SMSQuantity, s.smsQuantity)
	bot.Screen(b, keyboards.PhoneShow, s.phoneShow)
	bot.Screen(b, keyboards.PhoneCheck, s.phoneCheck)
	bot.MessageScreen(b, keyboards.PhoneAgain, s.phoneAgain)
	bot.MessageScreen(b, keyboards.PhoneAnother, s.phoneAnother)
	bot.MessageScreen(b, keyboards.PhoneCode, s.phoneCode)
	bot.Screen(b, keyboards.PhoneSwap, s.phoneSwap)
	bot.Action(b, keyboards.SwapSure, s.swapSure, nil)
	bot.Action(b, keyboards.SwapOff, s.swapOff, keyboards.SwapOff.Data)

	// The confirm card. Only Confirm buys; its "Try again" draws the card again.
	b.Step(stepLink, withoutKeys(s.linkTyped))
	b.Step(stepEmail, withoutKeys(s.emailTyped))
	bot.Screen(b, keyboards.SkipEmail, s.skipEmail)
	bot.Screen(b, keyboards.LastEmail, s.lastEmail)
	bot.Screen(b, keyboards.NewCard, s.newCard)
	bot.MessageScreen(b, keyboards.OrderAgain, s.orderAgain)
	bot.MessageScreen(b, keyboards.OpenPurchase, s.openPurchase)
	bot.Action(b, keyboards.Confirm, s.confirm, keyboards.NewCard.Data)
	bot.Action(b, keyboards.Discard, s.discard, nil)
	bot.Action(b, keyboards.TopUpWait, s.topUpWait, keyboards.NewCard.Data)
	bot.Action(b, keyboards.TopUpStop, s.topUpStop, keyboards.TopUpStop.Data)
	bot.Screen(b, keyboards.BalanceWarn, s.balanceWarn)
	bot.Action(b, keyboards.BalanceWarnOff, s.balanceWarnOff, keyboards.BalanceWarnOff.Data)
	b.Step(stepBalanceWarn, s.balanceWarnTyped)

	// The basket.
	b.Step(stepSet, withoutKeys(s.setNamed))
	b.Step(stepBasketAmount, withoutKeys(s.basketAmountTyped))
	b.Step(stepBasketLink, withoutKeys(s.basketLinkTyped))
	bot.Screen(b, keyboards.Basket, s.basket)
	bot.Action(b, keyboards.BasketAdd, s.basketAdd, nil)
	bot.Action(b, keyboards.BasketProduct, s.basketProduct, keyboards.BasketProduct.Data)
	bot.Screen(b, keyboards.BasketQuantity, s.basketQuantity)
	bot.Action(b, keyboards.BasketConfirm, s.basketConfirm, func(keyboards.BasketRevisionArgs) string { return keyboards.Basket.Data(struct{}{}) })
	bot.Action(b, keyboards.BasketStop, s.basketStop, keyboards.BasketStop.Data)
	bot.Screen(b, keyboards.BasketChange, s.basketChange)
	bot.Screen(b, keyboards.BasketEmpty, s.basketEmpty)
	bot.Action(b, keyboards.BasketRemove, s.basketRemove, keyboards.BasketRemove.Data)
	bot.Screen(b, keyboards.BasketSave, s.basketSave)
	bot.Action(b, keyboards.BasketSet, s.basketSet, nil)
	bot.Action(b, keyboards.BasketSetRemove, s.basketSetRemove, keyboards.BasketSetRemove.Data)

	// Orders.
	b.Command("orders", s.ordersCommand)
	bot.Screen(b, keyboards.Orders, s.orders)
	bot.Screen(b, keyboards.Order, s.order)
	bot.Screen(b, keyboards.OrderRefresh, s.orderRefresh)
	bot.Screen(b, keyboards.CardRefresh, s.cardRefresh)
	bot.MessageScreen(b, keyboards.OrderAccounts, s.orderAccounts)
	bot.MessageScreen(b, keyboards.AccountCode, s.accountCode)
	bot.Screen(b, keyboards.AccountCodeRefresh, s.accountCodeRefresh)
	bot.MessageScreen(b, keyboards.OrderProblem, s.orderProblem)
	b.Step(stepClaim, withoutKeys(s.claimTyped))
	bot.MessageScreen(b, keyboards.ClaimProblem, s.claimProblem)
	bot.Screen(b, keyboards.ClaimAccounts, s.claimAccounts)
	bot.Action(b, keyboards.Claim, s.claim, keyboards.Claim.Data)
	bot.Action(b, keyboards.FeedbackWorks, s.feedbackWorks, keyboards.FeedbackWorks.Data)
	bot.Action(b, keyboards.FeedbackOff, s.feedbackOff, keyboards.FeedbackOff.Data)
	bot.Screen(b, keyboards.OrderCancel, s.orderCancel)
	bot.Action(b, keyboards.OrderCancelSure, s.orderCancelSure, keyboards.OrderCancel.Data)
	bot.Action(b, keyboards.OrderRemind, s.orderRemind, keyboards.OrderRemind.Data)
	bot.Screen(b, keyboards.CancelAll, s.cancelAll)
	bot.Action(b, keyboards.CancelAllSure, s.cancelAllSure, func(keyboards.CancelAllArgs) string { return keyboards.CancelAll.Data(struct{}{}) })
	bot.Screen(b, keyboards.ExternalFind, s.externalFind)
	bot.Action(b, keyboards.ExternalImport, s.externalImport, keyboards.ExternalFind.Data)

	// Purchases whose outcome is unknown.
	b.Step(stepExternalID, s.externalIDTyped)
	bot.Screen(b, keyboards.UnresolvedBalance, s.unresolvedBalance)
	bot.MessageScreen(b, keyboards.UnresolvedAdopt, s.unresolvedAdopt)
	bot.Action(b, keyboards.UnresolvedAdoptSure, s.unresolvedAdoptSure, nil)
	bot.Action(b, keyboards.UnresolvedDismiss, s.unresolvedDismiss, nil)

	// Personal data.
	b.Command("forget", opens(keyboards.Forget.Data(struct{}{})))
	bot.MessageScreen(b, keyboards.OrdersExport, s.ordersExport)
	bot.MessageScreen(b, keyboards.MyData, s.myData)
	bot.Screen(b, keyboards.Forget, s.forget)
	bot.Screen(b, keyboards.ForgetAsk, s.forgetAsk)
	bot.Action(b, keyboards.ForgetSure, s.forgetSure, nil)

	s.registerAdmin(b)
}

// Steps of dialogs, as they are stored.
const (
	stepKey        = "keyasked"
	stepAmount     = "amount"
	stepLink       = "link"
	stepEmail      = "email"
	stepExternalID = "number"
	stepApp        = "app"
	stepCountry    = "country"
	stepProject    = "project"
	stepSearch     = "search"
	stepPrice      = "price"
	stepLinked     = "linked"
	stepClaim      = "claim"
	stepSet        = "set"

	stepBasketAmount = "basketamount"
	stepBasketLink   = "basketlink"

	stepBroadcast = "broadcast"

	// stepKeyOfBefore is stepKey of a program that did not store which message asks.
	stepKeyOfBefore = "key"

	dialogTTL = 30 * time.Minute
)

// dialog returns the dialog of a step. The step gets data back with the answer.
func dialog(step, data string) *bot.Dialog {
	return &bot.Dialog{Step: step, Data: data, TTL: dialogTTL}
}

// parse decodes callback data that a dialog has kept.
func parse[A any](r route.Route[A], data string) (A, error) {
	name, rest := route.Split(data)
	if name != r.Name() {
		var none A
		return none, route.ErrMalformed
	}
	return r.Parse(rest)
}

// opens returns a command that opens a screen.
func opens(data string) func(context.Context, *bot.Request) (bot.View, error) {
	return func(context.Context, *bot.Request) (bot.View, error) { return bot.RedirectTo(data), nil }
}

// askAgain says why an answer is not accepted. The question stays open.
func askAgain(text string, keyboard keyboards.Rows) bot.View {
	return bot.View{Text: text, Keyboard: keyboard, KeepDialog: true}
}

// inNewMessage shows a view below the tapped message, which stays as it is.
func inNewMessage(view bot.View, err error) (bot.View, error) {
	view.AsNewMessage = true
	return view, err
}

// identify implements bot.Hooks.Identify: it records the person and returns their
// language. Messages that were held while they had blocked the bot are sent now.
func (s *Screens) identify(ctx context.Context, u bot.User, private bool) (*locales.Localizer, error) {
	user, released, err := s.DB.TouchUser(ctx, u.ID, firstName(u), u.LanguageCode, private)
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

// localize implements bot.Hooks.Localize: it returns the person's language and records
// nothing.
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

// noOp answers buttons that only show something, like a page number.
func (s *Screens) noOp(context.Context, *bot.Request, struct{}) (bot.View, error) {
	return bot.View{KeepDialog: true}, nil
}
