package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BroadcastArgs is a broadcast.
type BroadcastArgs struct{ ID int64 }

// BroadcastSendArgs is a draft as it was previewed.
type BroadcastSendArgs struct{ ID, Revision int64 }

// Routes of broadcasts. An admin has at most one draft, so routes of the draft need
// no id; its texts are identified by language, "" for the text for everyone.
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

// BroadcastsKeyboard lists the confirmed broadcasts; hasDraft says that the admin
// has begun another one.
func BroadcastsKeyboard(l *locales.Localizer, hasDraft bool, broadcasts []Item) Rows {
	write := l.Label("broadcast_button_write")
	if hasDraft {
		write = l.Label("broadcast_button_go_on")
	}
	rows := append(Rows{{Primary(Tap(write, BroadcastWrite.Data(struct{}{})))}}, column(l, broadcasts)...)
	rows = append(rows, []Button{Tap(l.Label("nav_button_refresh"), Broadcasts.Data(struct{}{}))})
	return append(rows, Foot(l, Admin.Data(struct{}{}))...)
}

// BroadcastWriteKeyboard lists the texts of a draft. Texts in written, by the codes
// of their languages, are ticked.
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
	rows := append(Rows{{text("", l.Label("broadcast_button_all"))}}, inRows(2, buttons)...)
	if len(written) > 0 {
		rows = append(rows, []Button{
			Primary(Tap(l.Label("broadcast_button_preview"), BroadcastPreview.Data(struct{}{}))),
			danger(Tap(l.Label("broadcast_button_discard"), BroadcastDiscard.Data(struct{}{}))),
		})
	}
	return append(rows, Foot(l, Broadcasts.Data(struct{}{}))...)
}

// BroadcastTextKeyboard goes with the question for one text; written says that the
// draft has one.
func BroadcastTextKeyboard(l *locales.Localizer, args LanguageArgs, written bool) Rows {
	var rows Rows
	if written {
		rows = Rows{{danger(Tap(l.Label("broadcast_button_remove"), BroadcastRemove.Data(args)))}}
	}
	return append(rows, Foot(l, BroadcastWrite.Data(struct{}{}))...)
}

// BroadcastConfirmKeyboard goes with the preview. Cancel keeps the draft; only the
// screen of its texts discards it.
func BroadcastConfirmKeyboard(l *locales.Localizer, args BroadcastSendArgs) Rows {
	return Rows{{
		danger(Tap(l.Label("broadcast_button_send"), BroadcastSend.Data(args))),
		Tap(l.Label("broadcast_button_cancel"), BroadcastWrite.Data(struct{}{})),
	}}
}

// BroadcastKeyboard goes with a confirmed broadcast; running says that it can still
// be stopped.
func BroadcastKeyboard(l *locales.Localizer, id int64, running bool) Rows {
	row := []Button{Tap(l.Label("nav_button_refresh"), BroadcastShow.Data(BroadcastArgs{ID: id}))}
	if running {
		row = append(row, broadcastStop(l, id))
	}
	return append(Rows{row}, Foot(l, Broadcasts.Data(struct{}{}))...)
}

// BroadcastProgressKeyboard goes with the message that shows the progress by
// itself. While the broadcast is running no button turns it into another screen.
func BroadcastProgressKeyboard(l *locales.Localizer, id int64, running bool) Rows {
	if running {
		return Rows{{broadcastStop(l, id)}}
	}
	return Foot(l, Broadcasts.Data(struct{}{}))
}

func broadcastStop(l *locales.Localizer, id int64) Button {
	return danger(Tap(l.Label("broadcast_button_stop"), BroadcastStop.Data(BroadcastArgs{ID: id})))
}
