package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BroadcastArgs names a message to everybody.
type BroadcastArgs struct{ ID int64 }

// BroadcastSendArgs names a draft as it was when it was previewed.
type BroadcastSendArgs struct{ ID, Revision int64 }

// Routes of messages to everybody. An admin writes one at a time, so those of the
// draft need no id; its texts are named by language, and the one for all by none.
var (
	Broadcasts       = route.New[struct{}]("Ab")
	BroadcastWrite   = route.New[struct{}]("Abw")
	BroadcastText    = route.New[LanguageArgs]("Abt")
	BroadcastRemove  = route.New[LanguageArgs]("Abr")
	BroadcastPreview = route.New[struct{}]("Abp")
	BroadcastSend    = route.New[BroadcastSendArgs]("Abs")
	BroadcastDiscard = route.New[struct{}]("Abx")
	BroadcastShow    = route.New[BroadcastArgs]("Abo")
	BroadcastStop    = route.New[BroadcastArgs]("Abk")
)

// BroadcastEntry is a broadcast as a button of the list shows it.
type BroadcastEntry struct {
	ID    int64
	Label string
}

// BroadcastsKeyboard lists broadcasts; writing says that a draft is there.
func BroadcastsKeyboard(l *locales.Localizer, writing bool, entries []BroadcastEntry) Rows {
	write := l.Label("broadcast_button_write")
	if writing {
		write = l.Label("broadcast_button_go_on")
	}
	rows := Rows{{Tap(write, BroadcastWrite.Data(struct{}{}))}}
	for _, entry := range entries {
		rows = append(rows, []Button{Tap(fit(l, entry.Label, "", OneColumn), BroadcastShow.Data(BroadcastArgs{ID: entry.ID}))})
	}
	rows = append(rows, []Button{Tap(l.Label("nav_button_refresh"), Broadcasts.Data(struct{}{}))})
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// BroadcastWriteKeyboard offers the texts of a draft; those that are written, by
// the codes of their languages, are ticked.
func BroadcastWriteKeyboard(l *locales.Localizer, languages []locales.Language, written map[string]string) Rows {
	text := func(code, name string) Button {
		if _, ok := written[code]; ok {
			name = "✓ " + name
		}
		return Tap(name, BroadcastText.Data(LanguageArgs{Lang: route.HashOf(code)}))
	}
	buttons := make([]Button, 0, len(languages))
	for _, language := range languages {
		buttons = append(buttons, text(language.Code, language.Name))
	}
	rows := append(Rows{{text("", l.Label("broadcast_button_all"))}}, pairs(buttons)...)
	if len(written) > 0 {
		rows = append(rows, []Button{
			Tap(l.Label("broadcast_button_preview"), BroadcastPreview.Data(struct{}{})),
			Tap(l.Label("broadcast_button_discard"), BroadcastDiscard.Data(struct{}{})),
		})
	}
	return append(rows, Foot(l, Broadcasts.Data(struct{}{}))...)
}

// BroadcastTextKeyboard stands below the question for one text; written says that
// there is one.
func BroadcastTextKeyboard(l *locales.Localizer, args LanguageArgs, written bool) Rows {
	var rows Rows
	if written {
		rows = Rows{{Tap(l.Label("broadcast_button_remove"), BroadcastRemove.Data(args))}}
	}
	return append(rows, Foot(l, BroadcastWrite.Data(struct{}{}))...)
}

// BroadcastConfirmKeyboard stands below the preview.
func BroadcastConfirmKeyboard(l *locales.Localizer, args BroadcastSendArgs) Rows {
	return append(Rows{{
		Tap(l.Label("broadcast_button_send"), BroadcastSend.Data(args)),
		Tap(l.Label("broadcast_button_cancel"), BroadcastDiscard.Data(struct{}{})),
	}}, Foot(l, BroadcastWrite.Data(struct{}{}))...)
}

// BroadcastKeyboard stands below one that was confirmed; going says that it is not
// over.
func BroadcastKeyboard(l *locales.Localizer, id int64, going bool) Rows {
	refresh := []Button{Tap(l.Label("nav_button_refresh"), BroadcastShow.Data(BroadcastArgs{ID: id}))}
	if going {
		refresh = append(refresh, Tap(l.Label("broadcast_button_stop"), BroadcastStop.Data(BroadcastArgs{ID: id})))
	}
	return append(Rows{refresh}, Foot(l, Broadcasts.Data(struct{}{}))...)
}

// BroadcastProgressKeyboard stands below the message that is drawn anew by itself.
// As long as it is, no button makes another screen of it.
func BroadcastProgressKeyboard(l *locales.Localizer, id int64, going bool) Rows {
	if going {
		return Rows{{Tap(l.Label("broadcast_button_stop"), BroadcastStop.Data(BroadcastArgs{ID: id}))}}
	}
	return Foot(l, Broadcasts.Data(struct{}{}))
}
