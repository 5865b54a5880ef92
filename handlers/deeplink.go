package handlers

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/hstock"
	"hstockbot/keyboards"
)

// Parameters of /start: those that the button above inline results carries, and that of
// posts in the channel.
const (
	startKey  = "key"
	startMenu = "shop"
	startNews = "news"
)

// sourceName matches the names of links that are counted. It leaves room for c_ in the
// 64 characters of a parameter.
var sourceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// start greets with the menu, or opens what a deep link names: p_<service> a
// product, o_<external id> one of the person's orders, startKey the API key, startNews what
// is new. a_<code> gives an allowance. c_<name> is a link of the operator's, whose new
// people are counted.
func (s *Screens) start(ctx context.Context, req *bot.Request) (bot.View, error) {
	s.Announcer.refreshStaff(ctx, req.User.ID)
	isNew, err := s.receiveIfNew(ctx, req)
	if err != nil {
		return bot.View{}, err
	}
	switch req.Args {
	case startKey:
		return s.key(ctx, req, struct{}{})
	case startNews:
		return bot.RedirectTo(keyboards.News.Data(keyboards.NewsArgs{})), nil
	}
	switch kind, id, _ := strings.Cut(strings.TrimSpace(req.Args), "_"); kind {
	case "p":
		if service, err := strconv.ParseInt(id, 10, 64); err == nil && service > 0 {
			return bot.RedirectTo(keyboards.Product.Data(keyboards.ProductArgs{Service: service})), nil
		}
	case "c":
		if isNew && sourceName.MatchString(id) {
			if err := s.DB.CountSource(ctx, id); err != nil {
				s.Log.Warn("source not counted", "update", req.UpdateID, "error", err)
			}
		}
	case "a":
		return s.allowanceByLink(ctx, req, id)
	case "o":
		if id = hstock.ParseOrderID(id); id != "" {
			order, err := s.DB.OrderByExternalID(ctx, req.User.ID, id)
			if err != nil {
				return bot.View{}, err
			}
			return s.order(ctx, req, keyboards.OrderViewArgs{Order: order.ID})
		}
	}
	return s.greeting(ctx, req.L, req.User)
}

// receiveIfNew reports whether the request has created the person. The reply keyboard that
// a previous program may have left in their chat is then removed.
func (s *Screens) receiveIfNew(ctx context.Context, req *bot.Request) (isNew bool, err error) {
	user, err := s.DB.User(ctx, req.User.ID)
	if err != nil || user.CreatedAt.Before(req.Received.Truncate(time.Millisecond)) {
		return false, err
	}
	s.removeReplyKeyboard(ctx, req)
	return true, nil
}

func (s *Screens) removeReplyKeyboard(ctx context.Context, req *bot.Request) {
	if err := req.RemoveReplyKeyboard(ctx); err != nil {
		s.Log.Warn("reply keyboard not removed", "update", req.UpdateID, "error", err)
	}
}
