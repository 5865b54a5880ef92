package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// ForgetArgs contains a Hash of the summary that the person was shown: if the
// summary has changed since, that tap deletes nothing.
type ForgetArgs struct{ Summary route.Hash }

// Routes of a person's own data. OrdersExport and MyData send files. Forget shows a
// summary, ForgetAsk asks for confirmation, ForgetSure deletes the data.
var (
	OrdersExport = route.New[struct{}]("xe")
	MyData       = route.New[struct{}]("yd")
	Forget       = route.New[struct{}]("yf")
	ForgetAsk    = route.New[struct{}]("ya")
	ForgetSure   = route.New[ForgetArgs]("ys")
)

// ForgetKeyboard exports or deletes the data.
func ForgetKeyboard(l *locales.Localizer) Rows {
	none := struct{}{}
	return append(Rows{
		{Tap(l.Label("mydata_button"), MyData.Data(none))},
		{danger(Tap(l.Label("forget_button"), ForgetAsk.Data(none)))},
	}, Foot(l, Help.Data(none))...)
}

// ForgetSureKeyboard asks for confirmation.
func ForgetSureKeyboard(l *locales.Localizer, args ForgetArgs) Rows {
	return append(Rows{{danger(Tap(l.Label("forget_button"), ForgetSure.Data(args)))}}, Foot(l, Forget.Data(struct{}{}))...)
}
