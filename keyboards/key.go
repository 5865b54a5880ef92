package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Routes of the API key screen.
var (
	Key           = route.New[struct{}]("k")
	KeyReplace    = route.New[struct{}]("kr")
	KeyRemove     = route.New[struct{}]("kx")
	KeyRemoveSure = route.New[struct{}]("ky")
	KeyEmail      = route.New[KeyEmailArgs]("ke")
)

// KeyEmailArgs says whether the last delivery e-mail is used without asking.
type KeyEmailArgs struct{ Keep bool }

// KeyKeyboard replaces or removes the stored key. Whoever has answered the question for a
// delivery e-mail chooses whether it is asked again.
func KeyKeyboard(l *locales.Localizer, answered, keeps bool) Rows {
	none := struct{}{}
	rows := Rows{{
		Tap(l.Label("key_button_replace"), KeyReplace.Data(none)),
		danger(Tap(l.Label("key_button_remove"), KeyRemove.Data(none))),
	}}
	return append(rows, emailRow(l, answered, keeps, Foot(l, ""))...)
}

// emailRow puts the choice about the delivery e-mail above rows.
func emailRow(l *locales.Localizer, answered, keeps bool, rows Rows) Rows {
	switch {
	case keeps:
		return append(Rows{{Tap(l.Label("key_button_email_ask"), KeyEmail.Data(KeyEmailArgs{}))}}, rows...)
	case answered:
		return append(Rows{{Tap(l.Label("key_button_email_keep"), KeyEmail.Data(KeyEmailArgs{Keep: true}))}}, rows...)
	default:
		return rows
	}
}

// KeyRemoveKeyboard asks for confirmation.
func KeyRemoveKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{danger(Tap(l.Label("key_button_remove"), KeyRemoveSure.Data(struct{}{})))}},
		Foot(l, Key.Data(struct{}{}))...)
}
