package handlers

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// problems are what can be wrong with accounts, in the order of their buttons. The ids are
// stored.
var problems = []struct{ id, label string }{
	{"password", "claim_password"},
	{"locked", "claim_locked"},
	{"other", "claim_other"},
	{"missing", "claim_missing"},
}

// problemDropped is the problem of an SMM order, after those of accounts.
var problemDropped = uint8(len(problems))

const (
	// claimNameLength and claimListLength limit a name, and a list of numbers, in the text for
	// support, in characters.
	claimNameLength, claimListLength = 64, 600
	// claimAddressLength limits the address that opens a chat with a text, in bytes. Telegram
	// takes drafts of up to 4096 characters (tdlib: LinkManager), but refuses a message
	// because of one address that it finds too long.
	claimAddressLength = 2048
)

// claims are the numbers of the accounts that have a problem, by its id.
type claims map[string][]int

// parseClaims parses Order.Feedback. Other feedback, and what a newer program may have
// stored, are no claims.
func parseClaims(o storage.Order) claims {
	parsed := claims{}
	for part := range strings.SplitSeq(o.Feedback, ";") {
		if id, list, ok := strings.Cut(part, ":"); ok {
			if numbers, ok := parsePositions(list, int(o.FeedbackOf)); ok {
				parsed[id] = numbers
			}
		}
	}
	return parsed
}

// feedback is the reverse of parseClaims.
func (c claims) feedback() string {
	var parts []string
	for _, problem := range problems {
		if numbers := c[problem.id]; len(numbers) > 0 {
			parts = append(parts, problem.id+":"+formatPositions(numbers, ","))
		}
	}
	return strings.Join(parts, ";")
}

// count returns how many accounts have a problem.
func (c claims) count() (n int) {
	for _, numbers := range c {
		n += len(numbers)
	}
	return n
}

// with returns the claims after these of the accounts from 1 to of have this problem, and
// no others have it.
func (c claims) with(id string, accounts []int, of int) claims {
	chosen := map[int]bool{}
	for _, n := range accounts {
		chosen[n] = true
	}
	next := claims{id: accounts}
	for other, numbers := range c {
		for _, n := range numbers {
			if other != id && !chosen[n] && n <= of {
				next[other] = append(next[other], n)
			}
		}
	}
	return next
}

// claimProblem asks what is wrong with an order's accounts.
func (s *Screens) claimProblem(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.claimable(ctx, req, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	labels := make([]string, 0, len(problems))
	for _, problem := range problems {
		labels = append(labels, req.L.Label(problem.label))
	}
	return bot.View{
		Text:         req.L.T("claim_what", locales.Args{"Number": externalID(req.L, order.ExternalID)}),
		Keyboard:     keyboards.ClaimProblemKeyboard(req.L, order.ID, labels, accountsOf(order) == 1),
		AsNewMessage: true,
	}, nil
}

// claimAccounts asks with which accounts something is wrong: by buttons, or by numbers if
// there are many.
func (s *Screens) claimAccounts(ctx context.Context, req *bot.Request, args keyboards.ClaimArgs) (bot.View, error) {
	order, err := s.claimable(ctx, req, args.Order)
	if err == nil && int(args.Problem) >= len(problems) {
		err = storage.ErrNotFound
	}
	if err != nil {
		return bot.View{}, err
	}
	l, of := req.L, accountsOf(order)
	texts := locales.Args{"Problem": l.Label(problems[args.Problem].label), "Of": l.Number(int64(of))}
	if of > keyboards.ClaimButtons {
		return bot.View{
			Text: l.T("claim_numbers", texts), Keyboard: keyboards.ClaimTypedKeyboard(l, order.ID),
			Dialog: dialog(stepClaim, fmt.Sprint(order.ID, " ", args.Problem)),
		}, nil
	}
	return bot.View{Text: l.T("claim_which", texts), Keyboard: keyboards.ClaimAccountsKeyboard(l, args, of)}, nil
}

// claimTyped takes the numbers of the accounts.
func (s *Screens) claimTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	var args keyboards.ClaimArgs
	if _, err := fmt.Sscan(req.Data, &args.Order, &args.Problem); err != nil {
		return bot.View{}, storage.ErrNotFound
	}
	order, err := s.claimable(ctx, req, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	accounts, ok := parsePositions(req.Text, accountsOf(order))
	if !ok {
		return askAgain(req.L.T("claim_numbers_invalid", locales.Args{"Of": req.L.Number(int64(accountsOf(order)))}), keyboards.ClaimTypedKeyboard(req.L, order.ID)), nil
	}
	return s.storeClaim(ctx, req, order, args.Problem, accounts)
}

// claim stores what is wrong, and writes the text for support.
func (s *Screens) claim(ctx context.Context, req *bot.Request, args keyboards.ClaimArgs) (bot.View, error) {
	if args.Problem == problemDropped {
		return inNewMessage(s.claimDropped(ctx, req, args.Order))
	}
	order, err := s.claimable(ctx, req, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	var accounts []int
	for i := range min(accountsOf(order), keyboards.ClaimButtons) {
		if args.Chosen&(1<<i) != 0 {
			accounts = append(accounts, i+1)
		}
	}
	if len(accounts) == 0 {
		return bot.View{Toast: req.L.Label("claim_none"), KeepDialog: true}, nil
	}
	return s.storeClaim(ctx, req, order, args.Problem, accounts)
}

func (s *Screens) storeClaim(ctx context.Context, req *bot.Request, order storage.Order, problem uint8, accounts []int) (bot.View, error) {
	if int(problem) >= len(problems) {
		return bot.View{}, storage.ErrNotFound
	}
	of := accountsOf(order)
	order.Feedback, order.FeedbackOf, order.FeedbackAt = parseClaims(order).with(problems[problem].id, accounts, of).feedback(), int64(of), time.Now()
	return s.saveClaim(ctx, req, order)
}

// claimDropped stores that the count of an SMM order has dropped.
func (s *Screens) claimDropped(ctx context.Context, req *bot.Request, id int64) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, id)
	if err == nil && !feedbackState(order).Refill {
		err = storage.ErrNotFound
	}
	if err != nil {
		return bot.View{}, err
	}
	order.Feedback, order.FeedbackOf, order.FeedbackAt = storage.FeedbackDropped, 0, time.Now()
	return s.saveClaim(ctx, req, order)
}

func (s *Screens) saveClaim(ctx context.Context, req *bot.Request, o storage.Order) (bot.View, error) {
	if _, err := s.DB.SetFeedback(ctx, req.User.ID, o.ID, o.Feedback, o.FeedbackOf, o.FeedbackAt); err != nil {
		return bot.View{}, err
	}
	return s.claimView(req.L, o), nil
}

// orderProblem writes the text for support about an order of which nothing is said.
func (s *Screens) orderProblem(ctx context.Context, req *bot.Request, args keyboards.OrderRef) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if feedbackState(order).Goods { // a button of a message from before
		return s.claimProblem(ctx, req, args)
	}
	order.Feedback = storage.FeedbackNone
	return inNewMessage(s.claimView(req.L, order), nil)
}

// claimable returns an order of the person with accounts that can be claimed.
func (s *Screens) claimable(ctx context.Context, req *bot.Request, id int64) (storage.Order, error) {
	order, err := s.DB.Order(ctx, req.User.ID, id)
	switch {
	case err != nil:
		return storage.Order{}, err
	case order.State == storage.OrderRefunded:
		return storage.Order{}, userErr("claim_refunded", locales.Args{"Number": externalID(req.L, order.ExternalID)})
	case !feedbackState(order).Goods:
		return storage.Order{}, userErr("order_no_accounts")
	}
	return order, nil
}

// accountsOf returns how many accounts of an order have numbers.
func accountsOf(o storage.Order) int {
	if o.Present == 0 { // the marketplace has taken them back
		return int(o.Delivered)
	}
	return int(o.Present)
}

// claimView shows the text for support, with what the marketplace advises. That needs an
// account of one's own there, and an order that no longer waits.
func (s *Screens) claimView(l *locales.Localizer, o storage.Order) bot.View {
	text := claimText(s.Bundle.Localizer(s.DefaultLang), o)
	ready := l.T("claim_ready", locales.Args{"Number": externalID(l, o.ExternalID), "Support": s.SupportText, "Text": text})
	waits := o.Open() && o.Delivered == 0 && !orders.Incomplete(o)
	if !o.House() && !waits {
		ready += "\n" + l.T("claim_hint")
	}
	return bot.View{
		Text:     ready,
		Keyboard: keyboards.ClaimKeyboard(l, o.ID, text, chatAddress(s.SupportText, text), s.SupportText),
	}
}

// claimText says what is wrong with an order, for support. It is in the operator's
// language, because support reads it: who sells in many languages reads one. It contains
// nothing of what was delivered, no e-mail address, and no phone number.
func claimText(l *locales.Localizer, o storage.Order) string {
	utc := func(t time.Time) locales.Args { return locales.Args{"Time": t.UTC().Format("2006-01-02 15:04")} }
	name := locales.Shorten(strings.Join(strings.Fields(orderName(l, o)), " "), claimNameLength)
	lines := []string{l.Label("claim_order", locales.Args{"Number": "#" + o.ExternalID, "Name": name})}
	if !o.External { // the marketplace does not say when it was placed
		lines = append(lines, l.Label("claim_placed", utc(o.CreatedAt)))
	}
	switch {
	case o.Kind == storage.KindSMM:
		if o.Link != "" {
			lines = append(lines, l.Label("claim_link", locales.Args{"Link": o.Link}))
		}
		lines = append(lines, l.Label("claim_counts", locales.Args{"Quantity": plainCount(&o.Quantity), "Start": plainCount(o.StartCount), "Remains": plainCount(o.Remains)}))
		if !o.Open() {
			lines = append(lines, l.Label("claim_completed", utc(o.ClosedAt)))
		}
	case !o.DeliveredAt.IsZero():
		lines = append(lines, l.Label("claim_delivered", utc(o.DeliveredAt)))
	}
	if !feedbackState(o).Goods {
		lines = append(lines, l.Label("order_state", locales.Args{"State": stateWord(l, o)}))
	}
	if o.Feedback == storage.FeedbackDropped {
		lines = append(lines, l.Label("claim_dropped"))
	}
	reported := parseClaims(o)
	for _, problem := range problems {
		numbers := reported[problem.id]
		switch {
		case len(numbers) == 0:
		case o.FeedbackOf == 1:
			lines = append(lines, l.Label(problem.label))
		default:
			lines = append(lines, l.Label("claim_problem", locales.Args{
				"Problem": l.Label(problem.label), "Count": strconv.Itoa(len(numbers)), "Of": strconv.FormatInt(o.FeedbackOf, 10),
				"Numbers": locales.Shorten(formatPositions(numbers, ", "), claimListLength),
			}))
		}
	}
	if !o.FeedbackAt.IsZero() && o.Feedback != storage.FeedbackNone {
		lines = append(lines, l.Label("claim_reported", utc(o.FeedbackAt)))
	}
	return strings.Join(lines, "\n")
}

// plainCount formats a count that may not be known.
func plainCount(n *int64) string {
	if n == nil {
		return "–"
	}
	return strconv.FormatInt(*n, 10)
}

// username matches the name of a chat of Telegram's.
var username = regexp.MustCompile(`^@([A-Za-z][A-Za-z0-9_]{3,31})$`)

// chatAddress returns the address that opens the chat of an @name with a text in it, "" for
// another address of support. A text that makes it too long is left out.
func chatAddress(support, text string) string {
	name := username.FindStringSubmatch(support)
	if name == nil {
		return ""
	}
	address := "https://t.me/" + name[1]
	if text == "" {
		return address
	}
	// Telegram reads a plus as one, not as a space.
	if full := address + "?text=" + strings.ReplaceAll(url.QueryEscape(text), "+", "%20"); len(full) <= claimAddressLength {
		return full
	}
	return address
}
