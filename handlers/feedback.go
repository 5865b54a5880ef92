package handlers

import (
	"context"
	"time"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// feedbackWait is how long the question about goods may wait in the outbox, for a person
// who has blocked the bot.
const feedbackWait = 12 * time.Hour

// feedbackState returns what the person can say about an order.
func feedbackState(o storage.Order) keyboards.FeedbackState {
	return keyboards.FeedbackState{
		Goods:    o.Kind == storage.KindProduct && o.Delivered > 0 && o.State != storage.OrderRefunded,
		Works:    o.Feedback == storage.FeedbackWorks && !deliveredSince(o),
		Refill:   o.Refill && !o.Open() && (o.State == storage.OrderDelivered || o.State == storage.OrderPartial),
		Dropping: problemDropped,
	}
}

// deliveredSince reports whether accounts came after the person's answer.
func deliveredSince(o storage.Order) bool { return o.DeliveredAt.After(o.FeedbackAt) }

// feedbackLine says what the person said about an order, "" for nothing.
func feedbackLine(l *locales.Localizer, o storage.Order) string {
	switch reported := parseClaims(o).count(); {
	case o.Feedback == storage.FeedbackWorks && deliveredSince(o):
		return l.N("order_works_part", o.FeedbackOf)
	case o.Feedback == storage.FeedbackWorks:
		return l.T("order_works")
	case o.Feedback == storage.FeedbackDropped:
		return l.T("order_dropped")
	case reported > 0:
		return l.T("order_reported", locales.Args{"Count": l.Number(int64(reported)), "Of": l.Number(o.FeedbackOf)})
	default:
		return ""
	}
}

// feedbackWorks stores that all accounts of an order work. Under the goods the button goes,
// since their message can't be drawn again without them.
func (s *Screens) feedbackWorks(ctx context.Context, req *bot.Request, args keyboards.FeedbackArgs) (bot.View, error) {
	order, err := s.claimable(ctx, req, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	user, err := s.DB.User(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	order.Feedback, order.FeedbackOf, order.FeedbackAt = storage.FeedbackWorks, order.Delivered, time.Now()
	if _, err := s.DB.SetFeedback(ctx, req.User.ID, order.ID, order.Feedback, order.FeedbackOf, order.FeedbackAt); err != nil {
		return bot.View{}, err
	}
	view := bot.View{DropButton: true}
	switch args.Place {
	case keyboards.FeedbackOnOrder:
		view = orderView(req.L, order, keyboards.OrderViewArgs{Order: order.ID, Filter: args.Filter, Page: args.Page}, 0)
	case keyboards.FeedbackInQuestion:
		view = feedbackView(req.L, order, user.SkipsFeedback)
	}
	view.Toast = req.L.Label("feedback_thanks")
	return view, nil
}

// feedbackOff decides whether the person is ever asked again.
func (s *Screens) feedbackOff(ctx context.Context, req *bot.Request, args keyboards.FeedbackOffArgs) (bot.View, error) {
	order, err := s.DB.Order(ctx, req.User.ID, args.Order)
	if err != nil {
		return bot.View{}, err
	}
	if err := s.DB.SetSkipsFeedback(ctx, req.User.ID, args.Off); err != nil {
		return bot.View{}, err
	}
	view := feedbackView(req.L, order, args.Off)
	view.Toast = req.L.Label("feedback_on")
	if args.Off {
		view.Toast = req.L.Label("feedback_off")
	}
	return view, nil
}

// feedbackView asks whether the accounts of an order work. off says that the person is not
// asked again.
func feedbackView(l *locales.Localizer, o storage.Order, off bool) bot.View {
	id := "feedback_ask"
	if o.House() {
		id = "feedback_ask_allowance"
	}
	text := l.T(id, locales.Args{"Number": externalID(l, o.ExternalID), "Name": title(l, orderName(l, o))})
	if said := feedbackLine(l, o); said != "" {
		text = l.T("order_title", locales.Args{"Number": externalID(l, o.ExternalID)}) + "\n" + orderItemLine(l, o) + "\n\n" + said
	}
	return bot.View{Text: text, Keyboard: keyboards.FeedbackKeyboard(l, o.ID, feedbackState(o), off)}
}
