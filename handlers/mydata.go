package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// listedOpenOrders limits the open orders that the question before a deletion names.
const listedOpenOrders = 20

// myData sends everything that is stored about the person as a file.
func (s *Screens) myData(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	data, err := s.DB.PersonalData(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	encoded, err := json.MarshalIndent(newPersonFile(data), "", "  ")
	if err != nil {
		return bot.View{}, fmt.Errorf("encode personal data: %w", err)
	}
	return bot.View{
		Text:     req.L.T("mydata_caption"),
		Document: &bot.Document{Name: "my-data.json", Data: append(encoded, '\n')},
		Keyboard: keyboards.Foot(req.L, ""),
	}, nil
}

// The file with a person's data. Programs read it too: names are English, and times
// are RFC 3339 in UTC.
type (
	personFile struct {
		Profile   profileFile    `json:"profile"`
		Keys      []keyFile      `json:"api_keys"`
		Question  *questionFile  `json:"open_question,omitempty"`
		Orders    []orderFile    `json:"orders"`
		Purchases []purchaseFile `json:"purchases"`
		Searches  []searchFile   `json:"searches"`
		Saved     []savedFile    `json:"saved_goods"`
		Numbers   []numberFile   `json:"saved_numbers"`
		Watches   []watchFile    `json:"alerts"`
		Balance   []balanceFile  `json:"balance_alerts"`
		Reminders []reminderFile `json:"reminders"`
		Swaps     []swapFile     `json:"number_swaps"`
		Baskets   []basketFile   `json:"basket_lines"`
		Sets      []setFile      `json:"basket_sets"`
		Messages  []messageFile  `json:"messages_waiting"`
		Allowance *allowanceFile `json:"allowance,omitempty"`
		Ledger    []ledgerFile   `json:"bought_with_allowance,omitempty"`
	}
	profileFile struct {
		TelegramID       int64   `json:"telegram_id"`
		FirstName        string  `json:"first_name"`
		TelegramLanguage string  `json:"telegram_language"`
		ChosenLanguage   string  `json:"chosen_language"`
		EmailKept        bool    `json:"delivery_email_not_asked_for"`
		FeedbackSkipped  bool    `json:"goods_not_asked_about"`
		Unreachable      bool    `json:"unreachable"`
		FirstSeen        *string `json:"first_seen"`
		LastSeen         *string `json:"last_seen"`
	}
	keyFile struct {
		Key     string  `json:"key"` // its last characters; "" if the key is deleted
		State   string  `json:"state"`
		Refused bool    `json:"refused"`
		Given   *string `json:"given"`
	}
	questionFile struct {
		Step  string  `json:"step"`
		Until *string `json:"until"`
	}
	allowanceFile struct {
		Amount    string  `json:"amount"`
		Available string  `json:"available"`
		Currency  string  `json:"currency"`
		Monthly   bool    `json:"each_month"`
		Given     *string `json:"given"`
		Changed   *string `json:"changed"`
	}
	ledgerFile struct {
		Orders   []string `json:"orders"` // external ids
		Shown    string   `json:"price_shown"`
		Held     string   `json:"held"`
		Charged  string   `json:"charged"`
		Refunded string   `json:"refunded"`
		Currency string   `json:"currency"`
		State    string   `json:"state"`
		At       *string  `json:"at"`
	}
	rentalFile struct {
		Project string `json:"project"`
		Country string `json:"country"`
		Phone   string `json:"phone"`
	}
	orderFile struct {
		Number     string      `json:"number"`
		Kind       string      `json:"kind"`
		External   bool        `json:"placed_elsewhere"`
		Service    int64       `json:"service"`
		Name       string      `json:"name"`
		Category   string      `json:"category,omitempty"`
		Quantity   int64       `json:"quantity"`
		Link       string      `json:"link_or_email,omitempty"`
		Rental     *rentalFile `json:"number_rented,omitempty"`
		State      string      `json:"state"`
		RawStatus  string      `json:"marketplace_state"`
		Charge     string      `json:"charge,omitempty"`
		Currency   string      `json:"currency"`
		Remains    *int64      `json:"remains,omitempty"`
		StartCount *int64      `json:"start_count,omitempty"`
		Delivered  int64       `json:"delivered"`
		Until      *string     `json:"rented_until,omitempty"`
		CancelSent *string     `json:"cancel_sent,omitempty"`
		Created    *string     `json:"created"`
		Updated    *string     `json:"updated"`
		Received   *string     `json:"last_delivered,omitempty"`
		Notified   *string     `json:"last_told,omitempty"`
		Closed     *string     `json:"closed,omitempty"`
		Feedback   string      `json:"feedback,omitempty"` // storage.FeedbackWorks and so on
		FeedbackOf int64       `json:"feedback_of,omitempty"`
		FeedbackAt *string     `json:"feedback_given,omitempty"`
		FeedbackIn *string     `json:"feedback_asked_for_at,omitempty"`
	}
	purchaseFile struct {
		Orders   []string    `json:"orders"` // external ids
		Kind     string      `json:"kind"`
		Service  int64       `json:"service"`
		Name     string      `json:"name"`
		Category string      `json:"category,omitempty"`
		Quantity int64       `json:"quantity"`
		Link     string      `json:"link_or_email,omitempty"`
		Rental   *rentalFile `json:"number_wanted,omitempty"`
		Rate     string      `json:"rate"`
		RatePer  int64       `json:"rate_per"`
		Balance  string      `json:"balance_before"`
		Currency string      `json:"currency"`
		State    string      `json:"state"`
		Reason   string      `json:"reason,omitempty"`
		Refusal  string      `json:"marketplace_words,omitempty"`
		Verdict  string      `json:"verdict,omitempty"`
		Created  *string     `json:"created"`
		Sent     *string     `json:"sent,omitempty"`
		Settled  *string     `json:"settled,omitempty"`
	}
	searchFile struct {
		Words string  `json:"words"`
		At    *string `json:"at"`
	}
	savedFile struct {
		Service int64  `json:"service"`
		Name    string `json:"name"`
	}
	numberFile struct {
		Project string `json:"project"`
		Country string `json:"country"`
		Name    string `json:"name"`
	}
	watchFile struct {
		Service  int64   `json:"service"`
		Name     string  `json:"name"`
		Kind     string  `json:"kind"`
		Price    string  `json:"price,omitempty"`
		Currency string  `json:"currency,omitempty"`
		Armed    bool    `json:"waits"`
		Changed  *string `json:"changed"`
	}
	balanceFile struct {
		Kind     string  `json:"kind"`
		Amount   string  `json:"amount"`
		Currency string  `json:"currency"`
		Since    *string `json:"since"`
	}
	reminderFile struct {
		Order string  `json:"order"`
		At    *string `json:"at"`
	}
	swapFile struct {
		Order  string  `json:"order"`
		State  string  `json:"state"`
		Reason string  `json:"reason,omitempty"`
		Asked  *string `json:"asked"`
	}
	basketFile struct {
		Service  int64    `json:"service"`
		Name     string   `json:"name"`
		Quantity int64    `json:"quantity"`
		Link     string   `json:"link,omitempty"`
		Rate     string   `json:"rate,omitempty"`
		Currency string   `json:"currency,omitempty"`
		Orders   []string `json:"orders"` // external ids
	}
	setFile struct {
		Name  string  `json:"name"`
		Lines string  `json:"lines"`
		Saved *string `json:"saved"`
	}
	messageFile struct {
		Kind  string  `json:"kind"`
		Order string  `json:"order,omitempty"`
		Since *string `json:"since"`
	}
)

func newPersonFile(data storage.PersonalData) personFile {
	user := data.User
	file := personFile{
		Profile: profileFile{
			TelegramID: user.ID, FirstName: user.Name, TelegramLanguage: user.TelegramLang, ChosenLanguage: user.Lang, EmailKept: user.KeepsEmail, FeedbackSkipped: user.SkipsFeedback,
			Unreachable: user.Unreachable, FirstSeen: timestamp(user.CreatedAt), LastSeen: timestamp(user.SeenAt),
		},
		// Empty lists are [] and not null in JSON.
		Keys: []keyFile{}, Orders: []orderFile{}, Purchases: []purchaseFile{}, Searches: []searchFile{},
		Saved: []savedFile{}, Numbers: []numberFile{}, Watches: []watchFile{}, Balance: []balanceFile{}, Reminders: []reminderFile{}, Swaps: []swapFile{}, Baskets: []basketFile{}, Sets: []setFile{}, Messages: []messageFile{},
	}
	for _, key := range data.Keys {
		entry := keyFile{State: string(key.State), Refused: key.Invalid, Given: timestamp(key.CreatedAt)}
		if key.Secret != "" {
			entry.Key = key.Secret.Tail()
		}
		file.Keys = append(file.Keys, entry)
	}
	if data.Step != "" {
		file.Question = &questionFile{Step: data.Step, Until: timestamp(data.StepUntil)}
	}
	externalIDs := map[int64]string{} // by order
	placed := map[int64][]string{}    // external ids by purchase
	for _, o := range data.Orders {
		externalIDs[o.ID] = o.ExternalID
		placed[o.PurchaseID] = append(placed[o.PurchaseID], o.ExternalID)
		entry := orderFile{
			Number: o.ExternalID, Kind: string(o.Kind), External: o.External,
			Service: o.Service, Name: o.Name, Category: o.Category, Quantity: o.Quantity, Link: o.Link, Rental: newRentalFile(o.Rental),
			State: string(o.State), RawStatus: o.RawStatus, Currency: o.Currency, Remains: o.Remains, StartCount: o.StartCount, Delivered: o.Delivered,
			Until: timestamp(o.ExpiresAt), CancelSent: timestamp(o.CancelSentAt), Created: timestamp(o.CreatedAt), Updated: timestamp(o.UpdatedAt), Received: timestamp(o.DeliveredAt), Notified: timestamp(o.NotifiedAt),
			Closed: timestamp(o.ClosedAt), Feedback: o.Feedback, FeedbackOf: o.FeedbackOf, FeedbackAt: timestamp(o.FeedbackAt), FeedbackIn: timestamp(o.FeedbackDue),
		}
		if o.Charge.Valid {
			entry.Charge = plainAmount(o.Shown(o.Charge.Decimal))
		}
		file.Orders = append(file.Orders, entry)
	}
	for _, p := range data.Purchases {
		file.Purchases = append(file.Purchases, purchaseFile{
			Orders: placed[p.ID], Kind: string(p.Kind), Service: p.Service, Name: p.Name, Category: p.Category, Quantity: p.Quantity, Link: p.Link, Rental: newRentalFile(p.Rental),
			Rate: plainAmount(p.ShownRate()), RatePer: p.RatePer, Balance: plainAmount(p.Balance), Currency: p.Currency, State: string(p.State),
			Reason: p.Reason, Refusal: p.Refusal, Verdict: string(p.Verdict), Created: timestamp(p.CreatedAt), Sent: timestamp(p.SentAt), Settled: timestamp(p.SettledAt),
		})
	}
	for _, search := range data.Searches {
		file.Searches = append(file.Searches, searchFile{Words: search.Query, At: timestamp(search.At)})
	}
	for _, f := range data.Saved {
		file.Saved = append(file.Saved, savedFile{Service: f.Service, Name: f.Name})
	}
	for _, n := range data.Numbers {
		file.Numbers = append(file.Numbers, numberFile(n))
	}
	for _, w := range data.Watches {
		entry := watchFile{Service: w.Service, Name: w.Name, Kind: string(w.Kind), Currency: w.Currency, Armed: w.Armed, Changed: timestamp(w.ChangedAt)}
		if w.Kind == storage.WatchPrice {
			entry.Price = plainAmount(w.Price)
		}
		file.Watches = append(file.Watches, entry)
	}
	for _, w := range data.BalanceWatches {
		file.Balance = append(file.Balance, balanceFile{Kind: string(w.Kind), Amount: plainAmount(w.Amount), Currency: w.Currency, Since: timestamp(w.StartedAt)})
	}
	for _, reminder := range data.Reminders {
		file.Reminders = append(file.Reminders, reminderFile{Order: externalIDs[reminder.OrderID], At: timestamp(reminder.At)})
	}
	for _, swap := range data.Swaps {
		file.Swaps = append(file.Swaps, swapFile{Order: externalIDs[swap.OrderID], State: string(swap.State), Reason: swap.Reason, Asked: timestamp(swap.CreatedAt)})
	}
	for _, line := range data.Baskets {
		entry := basketFile{Service: line.Service, Name: line.Name, Quantity: line.Quantity, Link: line.Link, Currency: line.Currency, Orders: placed[line.PurchaseID]}
		if !line.Rate.IsZero() {
			entry.Rate = plainAmount(storage.ShownRate(line.Rate, line.Markup))
		}
		file.Baskets = append(file.Baskets, entry)
	}
	for _, set := range data.Sets {
		file.Sets = append(file.Sets, setFile{Name: set.Name, Lines: set.Lines, Saved: timestamp(set.CreatedAt)})
	}
	for _, message := range data.Messages {
		file.Messages = append(file.Messages, messageFile{Kind: message.Kind, Order: externalIDs[message.OrderID], Since: timestamp(message.CreatedAt)})
	}
	for _, a := range data.Allowances {
		file.Allowance = &allowanceFile{
			Amount: plainAmount(a.Amount), Available: plainAmount(a.Available()), Currency: a.Currency, Monthly: a.Monthly, Given: timestamp(a.CreatedAt), Changed: timestamp(a.ChangedAt),
		}
	}
	for _, e := range data.Ledger {
		file.Ledger = append(file.Ledger, ledgerFile{
			Orders: placed[e.PurchaseID], Shown: plainAmount(e.Hold), Held: plainAmount(e.Held), Charged: plainAmount(e.Charged), Refunded: plainAmount(e.Refunded),
			Currency: e.Currency, State: string(e.State), At: timestamp(e.At),
		})
	}
	return file
}

func timestamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &text
}

func newRentalFile(r storage.Rental) *rentalFile {
	if r.Project == "" && r.Phone == "" {
		return nil
	}
	return &rentalFile{Project: r.Project, Country: r.Country, Phone: r.Phone}
}

// forget summarizes what is stored about the person.
func (s *Screens) forget(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	kept, _, err := s.kept(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	text := req.L.T("forget_title") + "\n" + kept + "\n\n" + req.L.T("forget_hint")
	return bot.View{Text: text, Keyboard: keyboards.ForgetKeyboard(req.L)}, nil
}

// kept lists what is stored about the person.
func (s *Screens) kept(ctx context.Context, req *bot.Request) (string, storage.DataSummary, error) {
	l := req.L
	summary, err := s.DB.DataSummary(ctx, req.User.ID)
	if err != nil {
		return "", summary, err
	}
	a, has, err := s.allowance(ctx, req.User.ID)
	if err != nil {
		return "", summary, err
	}
	lines := []string{l.T("forget_profile", locales.Args{"Name": l.Name(firstName(req.User))})}
	if has {
		lines = append(lines, l.T("forget_allowance", locales.Args{"Sum": l.Money(a.Available(), a.Currency)}))
	}
	for _, entry := range []struct {
		id    string
		count int
	}{
		{"forget_keys", summary.Keys},
		{"forget_orders", summary.Orders},
		{"forget_searches", summary.Searches},
		{"forget_saved", summary.Saved},
		{"forget_basket", summary.BasketLines},
		{"forget_sets", summary.BasketSets},
		{"forget_alerts", summary.Watches},
		{"forget_reminders", summary.Reminders},
		{"forget_waiting", summary.Waiting},
	} {
		if entry.count > 0 {
			lines = append(lines, l.N(entry.id, int64(entry.count)))
		}
	}
	return strings.Join(lines, "\n"), summary, nil
}

// forgetAsk asks for confirmation, and names what is kept and what is still open.
func (s *Screens) forgetAsk(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	question, args, err := s.forgetQuestion(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{Text: question, Keyboard: keyboards.ForgetSureKeyboard(req.L, args)}, nil
}

// forgetQuestion returns the question, and the arguments of the button that confirms
// it: a hash of the question.
func (s *Screens) forgetQuestion(ctx context.Context, req *bot.Request) (string, keyboards.ForgetArgs, error) {
	l := req.L
	kept, summary, err := s.kept(ctx, req)
	if err != nil {
		return "", keyboards.ForgetArgs{}, err
	}
	if summary.InFlight > 0 {
		return "", keyboards.ForgetArgs{}, storage.ErrPurchaseInFlight
	}
	lines := []string{l.T("forget_ask"), kept, "", l.T("forget_gone")}
	if summary.Open > 0 {
		open, err := s.DB.Orders(ctx, req.User.ID, storage.FilterOpen, summary.Open, 0)
		if err != nil {
			return "", keyboards.ForgetArgs{}, err
		}
		ids := make([]string, 0, len(open))
		for _, order := range open[:min(len(open), listedOpenOrders)] {
			ids = append(ids, externalID(l, order.ExternalID))
		}
		if len(open) > listedOpenOrders {
			ids = append(ids, "…")
		}
		lines = append(lines, "", l.N("forget_open", int64(summary.Open), locales.Args{"Numbers": strings.Join(ids, ", ")}))
		if slices.ContainsFunc(open, func(o storage.Order) bool { return !o.House() }) {
			lines = append(lines, l.T("forget_open_own"))
		}
		if slices.ContainsFunc(open, storage.Order.House) {
			lines = append(lines, l.T("forget_open_allowance"))
		}
	}
	if summary.OutcomeUnknown > 0 {
		lines = append(lines, "", l.N("forget_unresolved", int64(summary.OutcomeUnknown)))
	}
	if summary.Waiting > 0 {
		lines = append(lines, "", l.N("forget_waiting_too", int64(summary.Waiting)))
	}
	question := strings.Join(lines, "\n")
	return question, keyboards.ForgetArgs{Summary: route.HashOf(question)}, nil
}

// forgetSure deletes everything that is stored about the person. If the question would
// be another one by now, it asks again. After it the person is a new person.
func (s *Screens) forgetSure(ctx context.Context, req *bot.Request, args keyboards.ForgetArgs) (bot.View, error) {
	question, now, err := s.forgetQuestion(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	if args != now {
		return bot.View{Text: question, Keyboard: keyboards.ForgetSureKeyboard(req.L, now), Toast: req.L.Label("confirm_redrawn")}, nil
	}
	if err := s.DB.Forget(ctx, req.User.ID, time.Now()); err != nil {
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	s.Orders.ForgetFigures()
	return bot.View{Text: req.L.T("forget_done"), Keyboard: keyboards.Foot(req.L, "")}, nil
}
