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
)

// KeyKeyboard replaces or removes the stored key.
func KeyKeyboard(l *locales.Localizer) Rows {
	none := struct{}{}
	return append(Rows{{
		Tap(l.Label("key_button_replace"), KeyReplace.Data(none)),
		Tap(l.Label("key_button_remove"), KeyRemove.Data(none)),
	}}, Foot(l, "")...)
}

// KeyRemoveKeyboard asks for confirmation.
func KeyRemoveKeyboard(l *locales.Localizer) Rows {
	return append(Rows{{Tap(l.Label("key_button_remove"), KeyRemoveSure.Data(struct{}{}))}},
		Foot(l, Key.Data(struct{}{}))...)
}
