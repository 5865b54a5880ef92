package handlers

import (
	"context"
	"errors"
	"slices"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/internal/orders"
	"hstockbot/keyboards"
	"hstockbot/storage"
)

// basketProduct puts the smallest quantity of goods into the basket. The product stays on
// the screen. Of an SMM service it asks how many, and then for the link.
func (s *Screens) basketProduct(ctx context.Context, req *bot.Request, args keyboards.ProductArgs) (bot.View, error) {
	if err := s.canBuy(ctx, req.User.ID); err != nil {
		return bot.View{}, err
	}
	item, inventory, err := s.orderableItem(ctx, req, args.Service)
	if err != nil {
		return bot.View{}, err
	}
	limits := orders.LimitsOf(item, inventory)
	if item.EntityType == hstock.EntitySMM {
		view, err := askAmount(req.L, item, inventory, stepBasketAmount, keyboards.Product.Data(args))
		if err == nil {
			view.Keyboard = keyboards.BasketAmountKeyboard(req.L, args, keyboards.QuantityChoices(limits.Min, limits.Max))
		}
		return view, err
	}
	if err := limits.Allows(limits.Min); err != nil {
		return bot.View{}, err
	}
	email, _, err := s.keptEmail(ctx, req.User.ID)
	if err != nil {
		return bot.View{}, err
	}
	if err := s.addOnce(ctx, req, item, orders.Intent{Quantity: limits.Min, Link: email}); err != nil {
		return bot.View{}, err
	}
	return s.productWithToast(ctx, req, args, "basket_added_toast")
}

// basketAmountTyped accepts how many of a service are put into the basket.
func (s *Screens) basketAmountTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Product, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	return acceptAmount(req, func(n int64) (bot.View, error) {
		order := args.WithQuantity(n)
		view, err := s.basketQuantity(ctx, req, order)
		return view, bot.ErrorAt(keyboards.BasketQuantity.Data(order), err)
	})
}

// basketQuantity asks for the link of a service that is put into the basket.
func (s *Screens) basketQuantity(ctx context.Context, req *bot.Request, args keyboards.QuantityArgs) (bot.View, error) {
	view, err := s.quantity(ctx, req, args)
	if err == nil && view.Dialog != nil && view.Dialog.Step == stepLink {
		view.Dialog.Step = stepBasketLink
	}
	return view, err
}

// basketLinkTyped accepts the link, and puts the service into the basket.
func (s *Screens) basketLinkTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	return s.acceptLink(ctx, req, func(args keyboards.QuantityArgs, link string) (bot.View, error) {
		item, inventory, err := s.orderableItem(ctx, req, args.Service)
		if err == nil {
			err = orders.LimitsOf(item, inventory).Allows(args.Quantity)
		}
		if err == nil {
			err = s.addOnce(ctx, req, item, orders.Intent{Quantity: args.Quantity, Link: link})
		}
		return bot.RedirectTo(keyboards.Basket.Data(struct{}{})), err
	})
}

// addOnce puts an item into the basket, unless the same line is there: a tap may be handled
// twice. Whoever wants it twice finds other quantities on the product.
func (s *Screens) addOnce(ctx context.Context, req *bot.Request, item hstock.Item, intent orders.Intent) error {
	b, err := s.DB.Basket(ctx, req.User.ID, 0)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return err
	}
	same := func(line storage.BasketLine) bool {
		return line.Service == item.Service && line.Quantity == intent.Quantity && line.Link == intent.Link
	}
	if b.State == storage.BasketOpen && slices.ContainsFunc(b.Lines, same) {
		return nil
	}
	if intent, err = s.itemIntent(ctx, req, item, intent); err != nil {
		return err
	}
	return basketError(s.Orders.AddToBasket(ctx, req.User.ID, req.UpdateID, []orders.Intent{intent}))
}
