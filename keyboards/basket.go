package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// BasketArgs is a basket of the person who taps.
type BasketArgs struct{ Basket int64 }

// BasketRevisionArgs is a basket in the revision that a card shows: nothing else is bought
// by that tap.
type BasketRevisionArgs struct {
	Basket   int64
	Revision int64
}

// BasketLineArgs is a line of a basket, on a page of them; Line 0 is the whole basket.
type BasketLineArgs struct {
	Basket int64
	Line   int64
	Page   uint16
}

// BasketSetArgs is a saved set, and a pasted link that it is applied to.
type BasketSetArgs struct {
	Set  int64
	Link int64
}

// Routes of the basket. BasketAdd takes the draft of a confirm card into the basket,
// BasketProduct goods, or an SMM service for which BasketQuantity then asks for the link.
var (
	Basket          = route.New[struct{}]("vk")
	BasketAdd       = route.New[PurchaseArgs]("va")
	BasketProduct   = route.New[ProductArgs]("vg")
	BasketQuantity  = route.New[QuantityArgs]("vq")
	BasketConfirm   = route.New[BasketRevisionArgs]("vc")
	BasketStop      = route.New[BasketArgs]("vs")
	BasketChange    = route.New[PageArgs]("ve")
	BasketRemove    = route.New[BasketLineArgs]("vm")
	BasketEmpty     = route.New[BasketArgs]("vx")
	BasketSave      = route.New[struct{}]("vn")
	BasketSet       = route.New[BasketSetArgs]("vu")
	BasketSetRemove = route.New[BasketSetArgs]("vd")
)

// BasketState is what the buttons of the card of a basket depend on.
type BasketState struct {
	Blocked bool // nothing can be bought: a refresh stands in Confirm's place
	Warned  bool // the card warns
	Sets    bool // there are lines that can be saved as a set
}

// BasketAmountKeyboard offers quantities of a service that is put into the basket.
func BasketAmountKeyboard(l *locales.Localizer, args ProductArgs, quantities []int64) Rows {
	rows := quantityRows(l, 4, quantities, func(n int64) string { return BasketQuantity.Data(args.WithQuantity(n)) })
	return append(rows, Foot(l, Product.Data(args))...)
}

// BasketKeyboard goes with the card of a basket that can be bought.
func BasketKeyboard(l *locales.Localizer, args BasketRevisionArgs, state BasketState) Rows {
	label := "confirm_button_confirm"
	if state.Warned {
		label = "confirm_button_anyway"
	}
	first := success(Tap(l.Label(label), BasketConfirm.Data(args)))
	if state.Blocked {
		first = Tap(l.Label("nav_button_refresh"), Basket.Data(struct{}{}))
	}
	rows := Rows{{first, Tap(l.Label("basket_button_change"), BasketChange.Data(PageArgs{}))}}
	if state.Sets {
		rows = append(rows, []Button{Tap(l.Label("basket_button_save"), BasketSave.Data(struct{}{}))})
	}
	return append(rows, Foot(l, "")...)
}

// BasketRunningKeyboard goes with the card of a basket that is being bought.
func BasketRunningKeyboard(l *locales.Localizer, args BasketArgs, stopping bool) Rows {
	if stopping {
		return Foot(l, "")
	}
	return append(Rows{{danger(Tap(l.Label("basket_button_stop"), BasketStop.Data(args)))}}, Foot(l, "")...)
}

// BasketEndedKeyboard goes with the result; with rest to the basket of what was not bought.
func BasketEndedKeyboard(l *locales.Localizer, rest bool) Rows {
	row := []Button{Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))}
	if rest {
		row = append(row, Tap(l.Label("menu_button_basket"), Basket.Data(struct{}{})))
	}
	return append(Rows{row}, Foot(l, "")...)
}

// BasketChangeKeyboard removes a line by a tap, or all.
func BasketChangeKeyboard(l *locales.Localizer, basket int64, page uint16, lines []Item, total int) Rows {
	rows := append(column(l, lines), Pages(page, total, func(page uint16) string { return BasketChange.Data(PageArgs{Page: page}) })...)
	rows = append(rows, []Button{danger(Tap(l.Label("basket_button_empty"), BasketEmpty.Data(BasketArgs{Basket: basket})))})
	return append(rows, Foot(l, Basket.Data(struct{}{}))...)
}

// BasketEmptyKeyboard asks for confirmation.
func BasketEmptyKeyboard(l *locales.Localizer, args BasketArgs) Rows {
	return append(Rows{{danger(Tap(l.Label("basket_button_empty"), BasketRemove.Data(BasketLineArgs{Basket: args.Basket})))}}, Foot(l, BasketChange.Data(PageArgs{}))...)
}

// BasketSetsKeyboard removes a saved set by a tap.
func BasketSetsKeyboard(l *locales.Localizer, sets []Item) Rows {
	return append(column(l, sets), Foot(l, Basket.Data(struct{}{}))...)
}
