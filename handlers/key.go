package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// key shows the person's key, or asks for one.
func (s *Screens) key(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	a, has, err := s.allowance(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	key, err := s.ownKey(ctx, req.User.ID)
	own := !errors.Is(err, orders.ErrNoKey)
	if !own && !has {
		return askKey(req.L, req.L.T("key_none"), ""), nil
	}
	if err != nil && own {
		return bot.View{}, err
	}
	id := "key_present"
	if key.Invalid {
		id = "key_present_invalid"
	}
	user, err := s.DB.User(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	answers, err := s.DB.EmailAnswers(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	text := req.L.T("allowance_key_none")
	if own {
		text = req.L.T(id, locales.Args{"Tail": req.L.Isolate(key.Secret.Tail())})
	}
	if has {
		text += "\n\n" + allowanceLine(req.L, a)
	}
	if has && own {
		text += "\n" + paysLine(req.L, a)
	}
	switch {
	case user.KeepsEmail && answers.Last != "":
		text += "\n\n" + req.L.T("key_email", locales.Args{"Email": req.L.Isolate(answers.Last)})
	case user.KeepsEmail && a.Pays:
		text += "\n\n" + req.L.T("key_email_allowance")
	case user.KeepsEmail:
		text += "\n\n" + req.L.T("key_email_none")
	}
	keyboard := keyboards.KeyKeyboard(req.L, answers.Given, user.KeepsEmail)
	if has {
		keyboard = keyboards.AllowanceKeyKeyboard(req.L, own, a.Pays, answers.Given, user.KeepsEmail)
	}
	return bot.View{Text: text, Keyboard: keyboard}, nil
}

// keyEmail stores whether the delivery e-mail is asked for.
func (s *Screens) keyEmail(ctx context.Context, req *bot.Request, args keyboards.KeyEmailArgs) (bot.View, error) {
	if err := s.DB.SetKeepsEmail(ctx, req.User.ID, args.Keep); err != nil {
		return bot.View{}, err
	}
	return s.key(ctx, req, struct{}{})
}

func (s *Screens) keyReplace(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return askKey(req.L, req.L.T("key_replace"), ""), nil
}

// keyRemove asks for confirmation, and says what depends on the key.
func (s *Screens) keyRemove(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	open, err := s.DB.OpenOrders(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	text := req.L.T("key_remove")
	if open > 0 {
		text += "\n\n" + req.L.N("key_remove_open", int64(open))
	}
	unresolved, err := s.DB.UnresolvedPurchases(ctx, req.User.ID, false)
	if err != nil {
		return bot.View{}, err
	}
	unresolved = slices.DeleteFunc(unresolved, func(p storage.Purchase) bool { return p.House })
	if len(unresolved) > 0 {
		text += "\n\n" + req.L.N("key_remove_unresolved", int64(len(unresolved)))
	}
	return bot.View{Text: text, Keyboard: keyboards.KeyRemoveKeyboard(req.L)}, nil
}

func (s *Screens) keyRemoveSure(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	if err := s.DB.RemoveKey(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	s.balances.forget(req.User.ID)
	if has, err := s.DB.HasAllowance(ctx, req.User.ID); err != nil || has { // which pays from now on
		view, keyErr := s.key(ctx, req, struct{}{})
		view.Toast = req.L.Label("key_removed_toast")
		return view, errors.Join(err, keyErr)
	}
	view := askKey(req.L, req.L.T("key_removed")+"\n\n"+req.L.T("key_none"), "")
	view.Toast = req.L.Label("key_removed_toast")
	return view, nil
}

// askKey asks for a key. next is the callback data of the screen that opens when the
// key is accepted, "" for the menu.
func askKey(l *locales.Localizer, text, next string) bot.View {
	view := bot.View{
		Text:     text + "\n\n" + l.T("key_ask"),
		Keyboard: keyboards.Foot(l, ""),
		Dialog:   dialog(stepKey, next),
	}
	view.Dialog.WithMessage = true
	return view
}

// keyQuestion is an open question for a key, as its dialog stores it.
type keyQuestion struct {
	message int    // that asks; 0: none, or not known
	next    string // as in askKey
}

// parseKeyQuestion also reads the dialogs of stepKeyOfBefore, which have only next.
func parseKeyQuestion(data string) keyQuestion {
	id, next, _ := strings.Cut(data, " ")
	message, err := strconv.Atoi(id)
	if err != nil {
		return keyQuestion{next: data}
	}
	return keyQuestion{message, next}
}

// askKeyFirst asks for the key that a screen needs, in a new message because the
// tapped one may contain goods, and opens the screen afterwards.
func askKeyFirst(req *bot.Request, text string) bot.View {
	view := askKey(req.L, text, req.RetryData())
	view.AsNewMessage = true
	return view
}

// keyCommand accepts a key after the command; without one it shows the screen.
func (s *Screens) keyCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	if strings.TrimSpace(req.Args) == "" {
		return s.key(ctx, req, struct{}{})
	}
	step, data, err := s.DB.Dialog(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	question := keyQuestion{}
	if step == stepKey {
		question.message = parseKeyQuestion(data).message
	}
	return s.acceptKey(ctx, req, req.Args, question)
}

func (s *Screens) keyTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	text := req.Text
	if text == "" {
		text = req.Caption
	}
	return s.acceptKey(ctx, req, text, parseKeyQuestion(req.Data))
}

// withoutKeys lets a dialog answer a text that holds no API key. A number is none here,
// however long.
func withoutKeys(answer func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request) (bot.View, error) {
		if !containsKey(req.Text) || !strings.ContainsFunc(req.Text, unicode.IsLetter) {
			return answer(ctx, req)
		}
		view := misplacedKey(ctx, req)
		view.KeepDialog = true
		return view, nil
	}
}

// misplacedKey deletes a message that holds an API key, and says where a key belongs.
func misplacedKey(ctx context.Context, req *bot.Request) bot.View {
	id := "search_key_deleted"
	if req.Delete(ctx) != nil {
		id = "search_key"
	}
	return bot.View{Text: req.L.T(id), Keyboard: keyboards.KeyHintKeyboard(req.L)}
}

// acceptKey deletes the message with the key, checks the key with the marketplace,
// and only then stores it. The message that asked then says so.
func (s *Screens) acceptKey(ctx context.Context, req *bot.Request, text string, question keyQuestion) (bot.View, error) {
	secret := redact.Secret(strings.TrimSpace(text))
	if secret == "" {
		return bot.View{}, userErr("key_not_text")
	}
	warning := ""
	if err := req.Delete(ctx); err != nil {
		warning = req.L.T("key_not_deleted") + "\n\n"
	}
	ask := func(text string) bot.View {
		return bot.View{Text: warning + text, Keyboard: keyboards.Foot(req.L, ""), AsNewMessage: true, Dialog: dialog(stepKey, fmt.Sprintf("%d %s", question.message, question.next))}
	}
	if wait := s.wrongKeys.wait(req.User.ID); wait > 0 {
		return ask(req.L.N("key_too_many", int64(math.Ceil(wait.Minutes())))), nil
	}
	if !plausibleKey(secret) {
		return ask(req.L.T("key_refused")), nil
	}
	balance, err := s.checkKey(ctx, req.User.ID, secret)
	var failure *hstock.Error
	switch errors.As(err, &failure); {
	case failure != nil && failure.Kind == hstock.InvalidKey:
		s.wrongKeys.add(req.User.ID)
		return ask(req.L.T("key_refused")), nil
	case failure != nil && failure.Refusal != "": // perhaps the marketplace's words for a wrong key
		s.wrongKeys.add(req.User.ID)
		return ask(req.L.T("error_refused", locales.Args{"Words": marketWords(req.L, failure.Refusal)})), nil
	case failure != nil && failure.Kind == hstock.Unreadable:
		return ask(req.L.T("key_unreadable")), nil
	case err != nil:
		return ask(req.L.T("key_not_checked")), nil //nolint:nilerr // the person is told and asked again
	}
	if _, err := s.DB.SaveKey(ctx, req.User.ID, secret); err != nil {
		return bot.View{}, err
	}
	s.balances.put(req.User.ID, balance)
	if err := s.DB.ResumeOrders(ctx, req.User.ID, time.Now()); err != nil {
		return bot.View{}, err
	}
	s.Orders.WakePoller()
	text = warning + req.L.T("key_saved", locales.Args{
		"Tail": req.L.Isolate(secret.Tail()), "Balance": req.L.Money(balance.Amount, balance.Currency),
	})
	has, err := s.DB.HasAllowance(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if has {
		text += "\n" + req.L.T("allowance_key_saved")
	}
	if s.mayServeOthers(ctx, balance.Currency) {
		text += "\n\n" + req.L.T("key_saved_shared", locales.Args{"Currency": req.L.Isolate(balance.Currency)})
	}
	if question == (keyQuestion{}) {
		return bot.View{Text: text, Keyboard: keyboards.MenuKeyboard(req.L, keyboards.MenuParts{})}, nil
	}
	req.ScreenMessageID = question.message
	if err := req.Show(ctx, bot.View{Text: text}); err != nil {
		return bot.View{}, err
	}
	return bot.View{Redirect: cmp.Or(question.next, keyboards.Menu.Data(struct{}{})), AsNewMessage: true}, nil
}

// mayServeOthers reports whether watches may use the key of a person: there is no
// operator's key of this currency, as far as is known.
func (s *Screens) mayServeOthers(ctx context.Context, currency string) bool {
	if s.OperatorKey == "" {
		return true
	}
	operators, err := s.Market.Currency(hstock.SingleAttempt(ctx), s.OperatorKey)
	return err != nil || operators != currency
}

// checkKey returns the balance of a key's account. The operator's key is not accepted
// from people who are no admins.
func (s *Screens) checkKey(ctx context.Context, userID int64, secret redact.Secret) (hstock.Balance, error) {
	if s.OperatorKey != "" && secret == s.OperatorKey && !s.IsAdmin(userID) {
		return hstock.Balance{}, &hstock.Error{Action: "balance", Kind: hstock.InvalidKey}
	}
	return s.Market.Balance(ctx, secret)
}

// plausibleKey reports whether text may be a key. Other text is not sent anywhere.
func plausibleKey(secret redact.Secret) bool {
	value := secret.Reveal()
	if len(value) < 8 || len(value) > 256 {
		return false
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' })
}
