package handlers

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/internal/redact"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// key shows the person's key, or asks for one.
func (s *Screens) key(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	key, err := s.ownKey(ctx, req.User.ID)
	if errors.Is(err, orders.ErrNoKey) {
		return askKey(req.L, req.L.T("key_none"), ""), nil
	}
	if err != nil {
		return bot.View{}, err
	}
	id := "key_present"
	if key.Invalid {
		id = "key_present_invalid"
	}
	return bot.View{
		Text:     req.L.T(id, locales.Args{"Tail": req.L.Isolate(key.Secret.Tail())}),
		Keyboard: keyboards.KeyKeyboard(req.L),
	}, nil
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
	view := askKey(req.L, req.L.T("key_removed")+"\n\n"+req.L.T("key_none"), "")
	view.Toast = req.L.Label("key_removed_toast")
	return view, nil
}

// askKey asks for a key. next is the callback data of the screen that opens when the
// key is accepted, "" for the menu.
func askKey(l *locales.Localizer, text, next string) bot.View {
	return bot.View{
		Text:     text + "\n\n" + l.T("key_ask"),
		Keyboard: keyboards.Foot(l, ""),
		Dialog:   dialog(stepKey, next),
	}
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
	return s.acceptKey(ctx, req, req.Args, "")
}

func (s *Screens) keyTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	return s.acceptKey(ctx, req, req.Text, req.Data)
}

// acceptKey deletes the message with the key, checks the key with the marketplace,
// and only then stores it.
func (s *Screens) acceptKey(ctx context.Context, req *bot.Request, text, next string) (bot.View, error) {
	secret := redact.Secret(strings.TrimSpace(text))
	if secret == "" {
		return bot.View{}, userErr("key_not_text")
	}
	warning := ""
	if err := req.Delete(ctx); err != nil {
		warning = req.L.T("key_not_deleted") + "\n\n"
	}
	ask := func(text string) bot.View {
		return bot.View{Text: warning + text, Keyboard: keyboards.Foot(req.L, ""), AsNewMessage: true, Dialog: dialog(stepKey, next)}
	}
	if !plausibleKey(secret) || (s.OperatorKey != "" && secret == s.OperatorKey && !s.IsAdmin(req.User.ID)) {
		return ask(req.L.T("key_refused")), nil
	}
	balance, err := s.Market.Balance(ctx, secret)
	if kind, failed := hstock.KindOf(err); failed && kind == hstock.InvalidKey {
		return ask(req.L.T("key_refused")), nil
	}
	if err != nil {
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
	if s.OperatorKey == "" { // then watches use the keys of the people who set them
		text += "\n\n" + req.L.T("key_saved_shared")
	}
	if next == "" {
		return bot.View{Text: text, Keyboard: keyboards.MenuKeyboard(req.L)}, nil
	}
	if err := req.Show(ctx, bot.View{Text: text}); err != nil {
		return bot.View{}, err
	}
	return bot.View{Redirect: next, AsNewMessage: true}, nil
}

// plausibleKey reports whether text may be a key. Other text is not sent anywhere.
func plausibleKey(secret redact.Secret) bool {
	value := secret.Reveal()
	if len(value) < 8 || len(value) > 256 {
		return false
	}
	return !strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) || r == ' ' })
}
