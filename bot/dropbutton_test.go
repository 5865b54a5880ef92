package bot

import (
	"context"
	"testing"

	"github.com/go-telegram/bot/models"
	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/sandbox/telegram"
)

// TestDropButton: the tapped button goes, also from a file, and everything else stays.
func TestDropButton(t *testing.T) {
	for name, view := range map[string]View{
		"text": {Text: "login:secret"},
		"file": {Text: "goods", Document: &Document{Name: "order.txt", Data: []byte("login:secret")}},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, telegram.Options{}, func(t *testing.T, w *world) {
				Action(w.bot, tapRoute, func(context.Context, *Request, numberArgs) (View, error) {
					return View{DropButton: true, Toast: "Thanks"}, nil
				}, nil)
				w.start()
				ann := w.join(1)
				other := tapButton(2)
				other.Style = "primary"
				view.Keyboard = [][]models.InlineKeyboardButton{
					{{Text: "copy", CopyText: &models.CopyTextButton{Text: "login:secret"}}, tapButton(1)}, {tapButton(1)}, {other},
				}
				id, err := w.bot.Send(t.Context(), 1, 0, view)
				if err != nil {
					t.Fatal(err)
				}
				before := ann.Last()
				for range 2 { // the second tap finds the button gone
					ann.TapData(id, tapButton(1).CallbackData)
					w.idle()
				}
				want := [][]telegram.Button{{before.Keyboard[0][0]}, {before.Keyboard[2][0]}}
				after := ann.Last()
				if diff := cmp.Diff(want, after.Keyboard); diff != "" || after.Text != before.Text || after.ID != id {
					t.Errorf("%s\n%+v", diff, after)
				}
				if n := len(w.calls("editMessageReplyMarkup")); n != 1 || len(ann.Toasts()) != 2 {
					t.Errorf("%d edits, toasts %v", n, ann.Toasts())
				}
			})
		})
	}
}
