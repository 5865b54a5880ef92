package keyboards

import (
	"hstockbot/internal/route"
	"hstockbot/locales"
)

// Where a person says that goods work.
const (
	FeedbackUnderGoods uint8 = iota
	FeedbackOnOrder          // the order's own screen
	FeedbackInQuestion       // the message that asks
)

// FeedbackArgs is an order whose goods work, and where the person says so. Filter and Page
// are as in OrderViewArgs.
type FeedbackArgs struct {
	Order  int64
	Place  uint8
	Filter uint8
	Page   uint16
}

// ClaimButtons limits the accounts that have a button each. The numbers of more are typed.
const ClaimButtons = 20

// ClaimArgs is a problem of an order's accounts. Problem is its place in the list of
// problems. The lowest bit of Chosen is the first account.
type ClaimArgs struct {
	Order   int64
	Problem uint8
	Chosen  uint32
}

// FeedbackOffArgs says whether the person is never asked again. Order is the one that they
// were asked about.
type FeedbackOffArgs struct {
	Order int64
	Off   bool
}

// Routes of what people say about goods. ClaimProblem asks what is wrong, ClaimAccounts
// with which accounts; Claim stores it and writes the text for support.
var (
	FeedbackWorks = route.New[FeedbackArgs]("vw")
	FeedbackOff   = route.New[FeedbackOffArgs]("vo")
	ClaimProblem  = route.New[OrderRef]("vb")
	ClaimAccounts = route.New[ClaimArgs]("vp")
	Claim         = route.New[ClaimArgs]("vr")
)

// FeedbackState says what a person can say about an order.
type FeedbackState struct {
	Goods    bool  // it has delivered accounts that were not paid back
	Works    bool  // the person has said that all of them work
	Refill   bool  // it has ended, and its count is refilled when it drops
	Dropping uint8 // ClaimArgs.Problem of a count that has dropped
}

// feedbackRow returns the buttons of what can be said about an order.
func feedbackRow(l *locales.Localizer, args FeedbackArgs, state FeedbackState) []Button {
	ref := OrderRef{Order: args.Order}
	claim := Tap(l.Label("feedback_button_claim"), ClaimProblem.Data(ref))
	switch {
	case state.Goods && state.Works:
		return []Button{claim}
	case state.Goods:
		return []Button{Tap(l.Label("feedback_button_works"), FeedbackWorks.Data(args)), claim}
	case state.Refill:
		return []Button{Tap(l.Label("feedback_button_dropped"), Claim.Data(ClaimArgs{Order: args.Order, Problem: state.Dropping})), problemButton(l, ref)}
	default:
		return []Button{problemButton(l, ref)}
	}
}

// FeedbackKeyboard goes with the message that asks whether goods work. off says that it
// was the last one.
func FeedbackKeyboard(l *locales.Localizer, order int64, state FeedbackState, off bool) Rows {
	label := "feedback_button_off"
	if off {
		label = "feedback_button_on"
	}
	return Rows{
		feedbackRow(l, FeedbackArgs{Order: order, Place: FeedbackInQuestion}, state),
		{Tap(l.Label(label), FeedbackOff.Data(FeedbackOffArgs{Order: order, Off: !off})), Tap(l.Label("menu_button_orders"), Orders.Data(OrdersArgs{AsNewMessage: true}))},
	}
}

// ClaimProblemKeyboard offers the problems by their labels. one says that the order has
// only one account, so that there is nothing to choose.
func ClaimProblemKeyboard(l *locales.Localizer, order int64, problems []string, one bool) Rows {
	buttons := make([]Button, 0, len(problems))
	for i, problem := range problems {
		data := ClaimAccounts.Data(ClaimArgs{Order: order, Problem: uint8(i)})
		if one {
			data = Claim.Data(ClaimArgs{Order: order, Problem: uint8(i), Chosen: 1})
		}
		buttons = append(buttons, Tap(problem, data))
	}
	return append(inRows(2, buttons), claimFoot(l, order)...)
}

// ClaimAccountsKeyboard has a button for each of the accounts; a tap chooses one or leaves
// it out.
func ClaimAccountsKeyboard(l *locales.Localizer, args ClaimArgs, accounts int) Rows {
	all := args
	all.Chosen = 1<<accounts - 1
	buttons := make([]Button, 0, accounts)
	for i := range accounts {
		label, other := l.Number(int64(i+1)), args
		if args.Chosen&(1<<i) != 0 {
			label = "✓ " + label
		}
		other.Chosen ^= 1 << i
		buttons = append(buttons, Tap(label, ClaimAccounts.Data(other)))
	}
	return append(append(inRows(5, buttons),
		[]Button{Tap(l.Label("claim_button_all"), Claim.Data(all)), Tap(l.Label("claim_button_done"), Claim.Data(args))}), claimFoot(l, args.Order)...)
}

// ClaimTypedKeyboard goes with the question for numbers that are typed.
func ClaimTypedKeyboard(l *locales.Localizer, order int64) Rows { return claimFoot(l, order) }

// ClaimKeyboard goes with the text for support: it copies the text if that is short
// enough, and opens the chat with support at an address, "" for none.
func ClaimKeyboard(l *locales.Localizer, order int64, text, address, name string) Rows {
	var rows Rows
	if button, ok := Copy(l.Label("delivered_button_copy"), text); ok {
		rows = append(rows, []Button{button})
	}
	rows = append(rows, WriteToSupportKeyboard(l, address, name)...)
	return append(rows, claimFoot(l, order)...)
}

// WriteToSupportKeyboard opens the chat with support at an address, "" for none.
func WriteToSupportKeyboard(l *locales.Localizer, address, name string) Rows {
	if address == "" {
		return nil
	}
	return Rows{{{Text: l.Label("claim_button_write", locales.Args{"Name": name}), URL: address}}}
}

func claimFoot(l *locales.Localizer, order int64) Rows {
	return Foot(l, Order.Data(OrderViewArgs{Order: order}))
}
