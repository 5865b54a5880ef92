package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// ForgetArgs stands, by a Hash, for what the person was told they would lose: if
// that has changed since, nothing is deleted by that tap.
type ForgetArgs struct{ Summary route.Hash }

// Routes of what is kept about a person: OrdersExport and MyData send it as a
// file. Forget says what it is, ForgetAsk asks once more, ForgetSure deletes it.
var (
	OrdersExport = route.New[struct{}]("xe")
	MyData       = route.New[struct{}]("yd")
	Forget       = route.New[struct{}]("yf")
	ForgetAsk    = route.New[struct{}]("ya")
	ForgetSure   = route.New[ForgetArgs]("ys")
)

// ForgetKeyboard offers what is kept as a file, and to delete it.
func ForgetKeyboard(l *locales.Localizer) Rows {
	none := struct{}{}
	return append(Rows{
		{Tap(l.Label("mydata_button"), MyData.Data(none))},
		{Tap(l.Label("forget_button"), ForgetAsk.Data(none))},
	}, Foot(l, Help.Data(none))...)
}

// ForgetSureKeyboard asks once more.
func ForgetSureKeyboard(l *locales.Localizer, args ForgetArgs) Rows {
	return append(Rows{{Tap(l.Label("forget_button"), ForgetSure.Data(args))}}, Foot(l, Forget.Data(struct{}{}))...)
}
