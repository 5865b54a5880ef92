package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// openNamed is how many open orders are named before everything is deleted.
const openNamed = 20

// myData sends everything that is kept about the person as a file.
func (s *Screens) myData(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	data, err := s.DB.PersonalData(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	encoded, err := json.MarshalIndent(dataFile(data), "", "  ")
	if err != nil {
		return bot.View{}, fmt.Errorf("encode personal data: %w", err)
	}
	return bot.View{
		Text:     req.L.T("mydata_caption"),
		Document: &bot.Document{Name: "my-data.json", Data: append(encoded, '\n')},
		Keyboard: keyboards.Foot(req.L, ""),
	}, nil
}

// The file of a person's data. It is made for programs as well, so its names are
// English and its times are RFC 3339.
type (
	personFile struct {
		Profile   profileFile    `json:"profile"`
		Keys      []keyFile      `json:"api_keys"`
		Question  *questionFile  `json:"open_question,omitempty"`
		Orders    []orderFile    `json:"orders"`
		Purchases []purchaseFile `json:"purchases"`
		Searches  []searchFile   `json:"searches"`
		Saved     []savedFile    `json:"saved_goods"`
		Alerts    []alertFile    `json:"alerts"`
		Reminders []reminderFile `json:"reminders"`
		Messages  []messageFile  `json:"messages_waiting"`
	}
	profileFile struct {
		TelegramID       int64   `json:"telegram_id"`
		FirstName        string  `json:"first_name"`
		TelegramLanguage string  `json:"telegram_language"`
		ChosenLanguage   string  `json:"chosen_language"`
		Unreachable      bool    `json:"unreachable"`
		FirstSeen        *string `json:"first_seen"`
		LastSeen         *string `json:"last_seen"`
	}
	keyFile struct {
		Key     string  `json:"key"` // its end; "" where it is no longer kept
		State   string  `json:"state"`
		Refused bool    `json:"refused"`
		Given   *string `json:"given"`
	}
	questionFile struct {
		Step  string  `json:"step"`
		Until *string `json:"until"`
	}
	rentalFile struct {
		Project string `json:"project"`
		Country string `json:"country"`
		Phone   string `json:"phone"`
	}
	orderFile struct {
		Number     int64       `json:"number"`
		Kind       string      `json:"kind"`
		Elsewhere  bool        `json:"placed_elsewhere"`
		Service    int64       `json:"service"`
		Name       string      `json:"name"`
		Category   string      `json:"category,omitempty"`
		Quantity   int64       `json:"quantity"`
		Link       string      `json:"link_or_email,omitempty"`
		Rental     *rentalFile `json:"number_rented,omitempty"`
		State      string      `json:"state"`
		Word       string      `json:"marketplace_state"`
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
		Told       *string     `json:"last_told,omitempty"`
		Closed     *string     `json:"closed,omitempty"`
	}
	purchaseFile struct {
		Orders   []int64     `json:"orders"` // their numbers
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
	alertFile struct {
		Service  int64   `json:"service"`
		Name     string  `json:"name"`
		Kind     string  `json:"kind"`
		Price    string  `json:"price,omitempty"`
		Currency string  `json:"currency,omitempty"`
		Waits    bool    `json:"waits"`
		Changed  *string `json:"changed"`
	}
	reminderFile struct {
		Order int64   `json:"order"`
		At    *string `json:"at"`
	}
	messageFile struct {
		Kind  string  `json:"kind"`
		Order int64   `json:"order,omitempty"`
		Since *string `json:"since"`
	}
)

func dataFile(data storage.PersonalData) personFile {
	user := data.User
	file := personFile{
		Profile: profileFile{
			TelegramID: user.ID, FirstName: user.Name, TelegramLanguage: user.TelegramLang, ChosenLanguage: user.Lang,
			Unreachable: user.Unreachable, FirstSeen: when(user.CreatedAt), LastSeen: when(user.SeenAt),
		},
		// Empty lists rather than nulls.
		Keys: []keyFile{}, Orders: []orderFile{}, Purchases: []purchaseFile{}, Searches: []searchFile{},
		Saved: []savedFile{}, Alerts: []alertFile{}, Reminders: []reminderFile{}, Messages: []messageFile{},
	}
	for _, key := range data.Keys {
		entry := keyFile{State: string(key.State), Refused: key.Invalid, Given: when(key.CreatedAt)}
		if key.Secret != "" {
			entry.Key = key.Secret.Tail()
		}
		file.Keys = append(file.Keys, entry)
	}
	if data.Step != "" {
		file.Question = &questionFile{Step: data.Step, Until: when(data.StepUntil)}
	}
	numbers := map[int64]int64{}  // of orders
	became := map[int64][]int64{} // of purchases
	for _, o := range data.Orders {
		numbers[o.ID] = o.ExternalID
		became[o.PurchaseID] = append(became[o.PurchaseID], o.ExternalID)
		entry := orderFile{
			Number: o.ExternalID, Kind: string(o.Kind), Elsewhere: o.External,
			Service: o.Service, Name: o.Name, Category: o.Category, Quantity: o.Quantity, Link: o.Link, Rental: rentalOf(o.Rental),
			State: string(o.State), Word: o.RawStatus, Currency: o.Currency, Remains: o.Remains, StartCount: o.StartCount, Delivered: o.Delivered,
			Until: when(o.ExpiresAt), CancelSent: when(o.CancelSentAt), Created: when(o.CreatedAt), Updated: when(o.UpdatedAt), Received: when(o.DeliveredAt), Told: when(o.NotifiedAt),
			Closed: when(o.ClosedAt),
		}
		if o.Charge.Valid {
			entry.Charge = plainAmount(o.Charge.Decimal)
		}
		file.Orders = append(file.Orders, entry)
	}
	for _, p := range data.Purchases {
		file.Purchases = append(file.Purchases, purchaseFile{
			Orders: became[p.ID], Kind: string(p.Kind), Service: p.Service, Name: p.Name, Category: p.Category, Quantity: p.Quantity, Link: p.Link, Rental: rentalOf(p.Rental),
			Rate: plainAmount(p.Rate), RatePer: p.RatePer, Balance: plainAmount(p.Balance), Currency: p.Currency, State: string(p.State),
			Reason: p.Reason, Refusal: p.Refusal, Verdict: string(p.Verdict), Created: when(p.CreatedAt), Sent: when(p.SentAt), Settled: when(p.SettledAt),
		})
	}
	for _, search := range data.Searches {
		file.Searches = append(file.Searches, searchFile{Words: search.Query, At: when(search.At)})
	}
	for _, f := range data.Saved {
		file.Saved = append(file.Saved, savedFile{Service: f.Service, Name: f.Name})
	}
	for _, a := range data.Watches {
		entry := alertFile{Service: a.Service, Name: a.Name, Kind: string(a.Kind), Currency: a.Currency, Waits: a.Armed, Changed: when(a.ChangedAt)}
		if a.Kind == storage.WatchPrice {
			entry.Price = plainAmount(a.Price)
		}
		file.Alerts = append(file.Alerts, entry)
	}
	for _, reminder := range data.Reminders {
		file.Reminders = append(file.Reminders, reminderFile{Order: numbers[reminder.OrderID], At: when(reminder.At)})
	}
	for _, message := range data.Messages {
		file.Messages = append(file.Messages, messageFile{Kind: message.Kind, Order: numbers[message.OrderID], Since: when(message.CreatedAt)})
	}
	return file
}

func when(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	return &text
}

func rentalOf(r storage.Rental) *rentalFile {
	if r.Project == "" && r.Phone == "" {
		return nil
	}
	return &rentalFile{Project: r.Project, Country: r.Country, Phone: r.Phone}
}

// forget says what is kept about the person.
func (s *Screens) forget(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	kept, err := s.DB.DataSummary(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	lines := []string{l.T("forget_title"), l.T("forget_profile", locales.Args{"Name": l.Name(req.User.FirstName)})}
	for _, entry := range []struct {
		id    string
		count int
	}{
		{"forget_keys", kept.Keys},
		{"forget_orders", kept.Orders},
		{"forget_searches", kept.Searches},
		{"forget_saved", kept.Saved},
		{"forget_alerts", kept.Watches},
		{"forget_reminders", kept.Reminders},
		{"forget_waiting", kept.Waiting},
	} {
		if entry.count > 0 {
			lines = append(lines, l.N(entry.id, int64(entry.count)))
		}
	}
	lines = append(lines, "", l.T("forget_hint"))
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.ForgetKeyboard(l)}, nil
}

func (s *Screens) forgetCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	return bot.RedirectTo(keyboards.Forget.Data(struct{}{})), nil
}

// forgetAsk asks once more, and names what is still under way.
func (s *Screens) forgetAsk(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	question, args, err := s.forgetQuestion(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{Text: question, Keyboard: keyboards.ForgetSureKeyboard(req.L, args)}, nil
}

// forgetQuestion returns the question, and what stands for it in the button that
// answers it.
func (s *Screens) forgetQuestion(ctx context.Context, req *bot.Request) (string, keyboards.ForgetArgs, error) {
	l := req.L
	none := keyboards.ForgetArgs{}
	kept, err := s.DB.DataSummary(ctx, req.User.ID)
	if err != nil {
		return "", none, err
	}
	if kept.InFlight > 0 {
		return "", none, storage.ErrPurchaseInFlight
	}
	lines := []string{l.T("forget_ask")}
	if kept.Open > 0 {
		open, err := s.DB.Orders(ctx, req.User.ID, storage.FilterOpen, openNamed, 0)
		if err != nil {
			return "", none, err
		}
		numbers := make([]string, 0, len(open))
		for _, order := range open {
			numbers = append(numbers, externalID(l, order.ExternalID))
		}
		if kept.Open > len(open) {
			numbers = append(numbers, "…")
		}
		lines = append(lines, "", l.N("forget_open", int64(kept.Open), locales.Args{"Numbers": strings.Join(numbers, ", ")}))
	}
	if kept.OutcomeUnknown > 0 {
		lines = append(lines, "", l.N("forget_unknown", int64(kept.OutcomeUnknown)))
	}
	if kept.Waiting > 0 {
		lines = append(lines, "", l.N("forget_waiting_too", int64(kept.Waiting)))
	}
	question := strings.Join(lines, "\n")
	return question, keyboards.ForgetArgs{Summary: route.HashOf(question)}, nil
}

// forgetSure deletes it, unless something else is under way by now than the
// person was told: then it asks again. Their next message is that of somebody new.
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
	return bot.View{Text: req.L.T("forget_done"), Keyboard: keyboards.Foot(req.L, "")}, nil
}
