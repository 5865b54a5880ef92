package handlers

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/news"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

// Steps of the channel's dialogs.
const (
	stepChannel     = "channel"
	stepChannelDrop = "channeldrop"
)

// Values of storage.AuditEntry.Action, beside those of package room.
const (
	actionChannelBind     = "channel"
	actionChannelRestocks = "channelrestocks"
	actionChannelDrop     = "channeldrop"
	actionChannelNew      = "channelnew"
	actionChannelAll      = "channelall"
)

// dropChoices are the percentages that have a button.
var dropChoices = []uint8{5, 10, 20, 30, 50, 70}

// channel shows the channel, and what is posted there.
func (s *Screens) channel(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	l := req.L
	selection, err := news.ReadSelection(ctx, s.DB)
	if err != nil {
		return bot.View{}, err
	}
	room, err := s.DB.Room(ctx, storage.RoomChannel)
	bound := err == nil
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, err
	}
	lines := []string{l.T("channel_title"), ""}
	if bound {
		lines = append(lines, l.T("channel_bound", locales.Args{"Title": title(l, room.Title)}))
		if room.Fault != "" {
			lines = append(lines, channelFaultText(l, room.Fault))
		}
	} else {
		lines = append(lines, l.T("channel_none"))
	}
	if s.OperatorKey == "" {
		lines = append(lines, "", l.T("channel_no_key"))
	}
	lines = append(lines, "", l.T("channel_posts"))
	return bot.View{
		Text:     strings.Join(lines, "\n"),
		Keyboard: keyboards.ChannelKeyboard(l, bound, selection.Restocks, selection.Drop, newGoodsLabel(l, selection)),
	}, nil
}

func newGoodsLabel(l *locales.Localizer, selection news.Selection) string {
	switch {
	case selection.AllNew:
		return l.Label("channel_button_new_all")
	case len(selection.Categories) == 0:
		return l.Label("channel_button_new_none")
	default:
		return l.LabelN("channel_button_new", int64(len(selection.Categories)))
	}
}

// channelChoose asks for the channel.
func (s *Screens) channelChoose(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return askChannel(req.L, "channel_ask"), nil
}

// askChannel asks for the channel with a button below the text field.
func askChannel(l *locales.Localizer, text string) bot.View {
	rights := &bot.AdminRights{Post: true}
	return bot.View{
		Text: l.T(text),
		Ask: []bot.AskButton{
			{Label: l.Label("channel_button_choose"), Chat: &bot.ChatRequest{ID: requestChannel, Channel: true, UserRights: rights, BotRights: rights, Title: true}},
			{Label: l.Label("confirm_button_cancel")},
		},
		Dialog: dialog(stepChannel, ""),
	}
}

// channelChosen binds the channel that was chosen. The answer is what the person's app
// says, so the bot's place there is asked for. The keyboard goes whatever becomes of it.
func (s *Screens) channelChosen(ctx context.Context, req *bot.Request) (bot.View, error) {
	chosen := req.SharedChat
	switch {
	case strings.TrimSpace(req.Text) == req.L.Label("confirm_button_cancel"):
		return bot.RedirectTo(keyboards.Channel.Data(struct{}{})), req.RemoveReplyKeyboard(ctx)
	case chosen == nil, chosen.RequestID != requestChannel, chosen.ID >= 0:
		return askChannel(req.L, "channel_ask_again"), nil
	}
	if err := req.RemoveReplyKeyboard(ctx); err != nil {
		return bot.View{}, err
	}
	fault, err := s.Notifier.ChannelFault(ctx, chosen.ID)
	if err == nil && fault != "" {
		return askChannel(req.L, "channel_refused"), nil
	}
	if err == nil {
		now := time.Now()
		_, err = s.DB.BindRoom(ctx, storage.Room{
			Kind: storage.RoomChannel, ChatID: chosen.ID, Title: chosen.Title, BoundBy: req.User.ID, BoundAt: now, DailyHour: storage.NoDailyHour,
		}, storage.AuditEntry{AdminID: req.User.ID, Action: actionChannelBind, At: now})
	}
	if errors.Is(err, storage.ErrRoomTaken) {
		return askChannel(req.L, "channel_taken"), nil
	}
	if err != nil {
		return bot.View{}, bot.ErrorAt(keyboards.ChannelChoose.Data(struct{}{}), err)
	}
	return s.channel(ctx, req, struct{}{})
}

// channelUnbind asks whether to end the posts.
func (s *Screens) channelUnbind(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	room, err := s.DB.Room(ctx, storage.RoomChannel)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("channel_unbind_ask", locales.Args{"Title": title(req.L, room.Title)}),
		Keyboard: keyboards.ChannelUnbindKeyboard(req.L),
	}, nil
}

// channelUnbindSure ends the posts.
func (s *Screens) channelUnbindSure(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	err := s.Rooms.Unbind(ctx, storage.RoomChannel, req.User.ID)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, err
	}
	view, err := s.channel(ctx, req, struct{}{})
	view.Toast = req.L.Label("channel_unbound_toast")
	return view, err
}

// selectNews changes what is posted, with an audit entry.
func (s *Screens) selectNews(ctx context.Context, req *bot.Request, action, detail string, change func(*news.Selection)) error {
	_, err := news.ChangeSelection(ctx, s.DB, change, storage.AuditEntry{AdminID: req.User.ID, Action: action, Detail: detail, At: time.Now()})
	return err
}

func (s *Screens) channelRestocks(ctx context.Context, req *bot.Request, args keyboards.SwitchArgs) (bot.View, error) {
	detail := ""
	if args.On {
		detail = "on"
	}
	if err := s.selectNews(ctx, req, actionChannelRestocks, detail, func(selection *news.Selection) { selection.Restocks = args.On }); err != nil {
		return bot.View{}, err
	}
	return s.channel(ctx, req, struct{}{})
}

// channelDrops asks for the percentage of price drops.
func (s *Screens) channelDrops(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{
		Text: req.L.T("channel_drop_ask", dropLimits), Keyboard: keyboards.ChannelDropsKeyboard(req.L, dropChoices), Dialog: dialog(stepChannelDrop, ""),
	}, nil
}

var dropLimits = locales.Args{"Least": int64(news.MinDrop), "Most": int64(news.MaxDrop)}

func (s *Screens) channelDrop(ctx context.Context, req *bot.Request, args keyboards.ChannelDropArgs) (bot.View, error) {
	return s.setDrop(ctx, req, int64(args.Percent))
}

func (s *Screens) channelDropTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	percent, ok := parseAmount(strings.TrimSuffix(strings.TrimSpace(req.Text), "%"))
	if !ok {
		percent = 0
	}
	return s.setDrop(ctx, req, percent)
}

// setDrop sets the percentage of price drops. One out of the limits is asked for again.
func (s *Screens) setDrop(ctx context.Context, req *bot.Request, percent int64) (bot.View, error) {
	if percent < news.MinDrop || percent > news.MaxDrop {
		return askAgain(req.L.T("channel_drop_bad", dropLimits), keyboards.ChannelDropsKeyboard(req.L, dropChoices)), nil
	}
	if err := s.selectNews(ctx, req, actionChannelDrop, strconv.FormatInt(percent, 10), func(selection *news.Selection) { selection.Drop = percent }); err != nil {
		return bot.View{}, err
	}
	return s.channel(ctx, req, struct{}{})
}

// channelCategories lists the categories, of which admins choose those whose new goods are
// posted. They are those of the goods, which are not always named like the shelves.
func (s *Screens) channelCategories(ctx context.Context, req *bot.Request, args keyboards.PageArgs) (bot.View, error) {
	selection, err := news.ReadSelection(ctx, s.DB)
	if err != nil {
		return bot.View{}, err
	}
	categories, err := s.DB.CatalogueCategories(ctx)
	if err != nil {
		return bot.View{}, err
	}
	if len(categories) == 0 {
		return bot.View{Text: req.L.T("channel_new_empty"), Keyboard: keyboards.Foot(req.L, keyboards.Channel.Data(struct{}{}))}, nil
	}
	args.Page = keyboards.PageArg(keyboards.ClampPage(int(args.Page), len(categories)))
	entries := make([]keyboards.Item, 0, keyboards.PageSize)
	for _, category := range keyboards.Page(categories, int(args.Page)) {
		entry := keyboards.Item{Icon: "▫️", Name: category}
		selected := selection.NewGoods(category)
		if selected {
			entry.Icon = "✅"
		}
		entry.Data = keyboards.ChannelCategory.Data(keyboards.ChannelCategoryArgs{Category: route.HashOf(category), On: !selected, Page: args.Page})
		entries = append(entries, entry)
	}
	return bot.View{
		Text: req.L.T("channel_new_text"), Keyboard: keyboards.ChannelCategoriesKeyboard(req.L, args.Page, entries, len(categories)),
	}, nil
}

// channelCategory switches the new goods of one category on or off.
func (s *Screens) channelCategory(ctx context.Context, req *bot.Request, args keyboards.ChannelCategoryArgs) (bot.View, error) {
	categories, err := s.DB.CatalogueCategories(ctx)
	if err != nil {
		return bot.View{}, err
	}
	index, err := uniqueIndex(categories, func(category string) bool { return route.HashOf(category) == args.Category })
	if err != nil {
		return bot.View{}, err
	}
	category := categories[index]
	sign := "−"
	if args.On {
		sign = "+"
	}
	err = s.selectNews(ctx, req, actionChannelNew, sign+" "+category, func(selection *news.Selection) {
		if selection.AllNew {
			selection.AllNew, selection.Categories = false, slices.Clone(categories)
		}
		selection.Categories = slices.DeleteFunc(selection.Categories, func(other string) bool { return other == category })
		if args.On {
			selection.Categories = append(selection.Categories, category)
		}
	})
	if err != nil {
		return bot.View{}, err
	}
	return s.channelCategories(ctx, req, keyboards.PageArgs{Page: args.Page})
}

// channelAllCategories switches the new goods of all categories on or off, also of those
// that the marketplace adds later.
func (s *Screens) channelAllCategories(ctx context.Context, req *bot.Request, args keyboards.ChannelCategoriesArgs) (bot.View, error) {
	action := actionChannelNew
	if args.On {
		action = actionChannelAll
	}
	err := s.selectNews(ctx, req, action, "", func(selection *news.Selection) { selection.AllNew, selection.Categories = args.On, nil })
	if err != nil {
		return bot.View{}, err
	}
	return s.channelCategories(ctx, req, keyboards.PageArgs{Page: args.Page})
}
