package handlers

import (
	"context"
	"strconv"
	"strings"

	"hstockbot/bot"
	"hstockbot/keyboards"
	"hstockbot/locales"
)

// Parameters of /start that the button above inline results carries.
const (
	startKey  = "key"
	startMenu = "shop"
)

// start greets with the menu, or opens what a deep link names: p_<service> a
// product, o_<external id> one of the person's orders, startKey the API key.
func (s *Screens) start(ctx context.Context, req *bot.Request) (bot.View, error) {
	s.Announcer.refreshAdmin(ctx, req.User.ID)
	if req.Args == startKey {
		return s.key(ctx, req, struct{}{})
	}
	switch kind, id := parseDeepLink(req.Args); kind {
	case "p":
		args := keyboards.ProductArgs{Service: id}
		return bot.RedirectTo(keyboards.Product.Data(args)), nil
	case "o":
		order, err := s.DB.OrderByExternalID(ctx, req.User.ID, id)
		if err != nil {
			return bot.View{}, err
		}
		return s.order(ctx, req, keyboards.OrderViewArgs{Order: order.ID})
	}
	return greeting(req), nil
}

// parseDeepLink splits "p_123". kind is "" if the parameter is no such link.
func parseDeepLink(parameter string) (kind string, id int64) {
	kind, digits, _ := strings.Cut(strings.TrimSpace(parameter), "_")
	id, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || id <= 0 {
		return "", 0
	}
	return kind, id
}

func greeting(req *bot.Request) bot.View {
	view := menuView(req.L)
	view.Text = req.L.T("start_text", locales.Args{"Name": req.User.FirstName})
	return view
}
