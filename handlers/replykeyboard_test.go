package handlers_test

import (
	"strings"
	"testing"
)

// TestReplyKeyboardOfAPreviousProgram: a previous program may have left a keyboard of
// labels below the text field. It is removed when the person writes for the first time,
// and its labels work if they are those of the menu, also in a dialog.
func TestReplyKeyboardOfAPreviousProgram(t *testing.T) {
	inEnglish(t, "reply_keyboard", func(w *world) {
		w.types(w.l.Label("menu_button_catalog"))
		w.types("/start")
		w.types("/search")
		w.types(strings.ToUpper(w.l.Label("menu_button_orders")))
		w.types("gmail") // the dialog has ended
	})
}

func TestReplyKeyboardIsRemovedAtADeepLink(t *testing.T) {
	inEnglish(t, "reply_keyboard_link", func(w *world) {
		w.open("2")
		w.open("3")
	})
}

func TestLabelsOfTheMenuWorkAsText(t *testing.T) {
	for _, lang := range languages(t) {
		inWorld(t, lang, func(w *world) {
			w.withKey(annaKey)
			w.types("/menu")
			for _, row := range w.chat.Last().Keyboard {
				for _, button := range row {
					w.types("/menu")
					w.tapLabel(button.Text)
					tapped := w.chat.Last()
					w.types(button.Text)
					if typed := w.chat.Last(); typed.Text != tapped.Text || typed.ID == tapped.ID {
						w.T.Errorf("%s: %q typed shows %q, tapped %q", lang, button.Text, typed.Text, tapped.Text)
					}
				}
			}
		})
	}
}
