// Package keyboards owns the buttons: for each screen one file with its routes
// (the typed callback data of its buttons) and its keyboards (pure functions from
// data to buttons), and list.go for what all lists share.
//
// It contains labels and routes, and neither reads data nor decides anything. A
// button carries ids, never a price, a limit or a right: the screen reads these
// again on every tap. Callback data of released routes must not change, since
// buttons in people's chats contain it (TestCallbackData).
package keyboards

import (
	"unicode/utf16"

	"github.com/go-telegram/bot/models"

	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Rows is an inline keyboard (Bot API: InlineKeyboardMarkup).
type Rows = [][]models.InlineKeyboardButton

// Button is one button of a row (Bot API: InlineKeyboardButton).
type Button = models.InlineKeyboardButton

// NoOp is the route of buttons that only show something, like "2/9".
var NoOp = route.New[struct{}]("n")

// Tap returns a button that carries callback data.
func Tap(label, data string) Button { return Button{Text: label, CallbackData: data} }

// success returns the button in green (Bot API: style): it approves what the person was
// asked.
func success(b Button) Button {
	b.Style = "success"
	return b
}

// danger returns the button in red: it destroys something or gives it back, or asks
// whether to.
func danger(b Button) Button {
	b.Style = "danger"
	return b
}

// Primary returns the button in the app's colour: it is the one main action of a screen.
func Primary(b Button) Button {
	b.Style = "primary"
	return b
}

// Copy returns a button that copies text to the person's clipboard. ok is false
// if Telegram would refuse the text (Bot API: CopyTextButton, 1-256 characters).
func Copy(label, text string) (button Button, ok bool) {
	if text == "" || len(utf16.Encode([]rune(text))) > 256 {
		return Button{}, false
	}
	return Button{Text: label, CopyText: &models.CopyTextButton{Text: text}}, true
}

// Foot returns the last row of a screen: Back with the given data (none if data is
// "", for screens directly below the menu), and Menu.
func Foot(l *locales.Localizer, back string) Rows {
	menu := Tap(l.Label("nav_button_menu"), Menu.Data(struct{}{}))
	if back == "" {
		return Rows{{menu}}
	}
	return Rows{{Tap(l.Label("nav_button_back"), back), menu}}
}
