package handlers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hstockbot/bot"
	"hstockbot/internal/outbox"
	"hstockbot/internal/room"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	stepRoom     = "room"
	stepRoomHour = "roomhour"
	// hereCommand makes the group in which an admin writes it the room.
	hereCommand = "here"
)

// What an Ask asks for (Bot API: request_id).
const (
	requestGroup   int32 = 1
	requestForum   int32 = 2
	requestChannel int32 = 3
)

// room shows the group of the shop.
func (s *Screens) room(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	r, err := s.DB.Room(ctx, storage.RoomStaff)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, err
	}
	return s.roomView(ctx, req, r), nil
}

// roomView shows a room; the zero Room is none.
func (s *Screens) roomView(ctx context.Context, req *bot.Request, r storage.Room) bot.View {
	l := req.L
	lines := []string{l.T("room_title"), ""}
	if r.ID == 0 {
		command := "/" + hereCommand
		if name := req.BotUsername(ctx); name != "" {
			command += "@" + name // a group with several bots, or privacy mode, may need it
		}
		return bot.View{Text: strings.Join(append(lines, l.T("room_about", locales.Args{"Command": command})), "\n"), Keyboard: keyboards.RoomKeyboard(l, false)}
	}
	lines = append(lines, l.T("room_group", locales.Args{"Title": l.Name(locales.Shorten(r.Title, nameLength)), "Since": clock(l, r.BoundAt)}))
	var topics []string
	for _, topic := range room.Topics {
		if r.Topic(topic) != 0 {
			topics = append(topics, topicLabel(l, topic))
		}
	}
	if len(topics) > 0 {
		lines = append(lines, l.T("room_topics", locales.Args{"List": strings.Join(topics, " · ")}))
	}
	if r.DailyHour == storage.NoDailyHour {
		lines = append(lines, l.T("room_hour_none"))
	} else {
		lines = append(lines, l.T("room_hour", locales.Args{"Hour": fmt.Sprintf("%02d:00", r.DailyHour), "Zone": s.DB.Zone()}))
	}
	if r.Fault != "" {
		lines = append(lines, "", l.T("room_fault_"+r.Fault))
	}
	return bot.View{Text: strings.Join(lines, "\n"), Keyboard: keyboards.RoomKeyboard(l, true)}
}

// askForGroup is the keyboard that asks which group.
func askForGroup(l *locales.Localizer) []bot.AskButton {
	forum, rights := true, &bot.AdminRights{ManageTopics: true}
	return []bot.AskButton{
		{Label: l.Label("room_ask_forum"), Chat: &bot.ChatRequest{ID: requestForum, Forum: &forum, BotMember: true, BotRights: rights, UserRights: rights, Title: true}},
		{Label: l.Label("room_ask_group"), Chat: &bot.ChatRequest{ID: requestGroup, BotMember: true, Title: true}},
		{Label: l.Label("confirm_button_cancel")},
	}
}

// roomChoose asks which group.
func (s *Screens) roomChoose(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{Text: req.L.T("room_ask"), Ask: askForGroup(req.L), Dialog: dialog(stepRoom, "")}, nil
}

// roomChosen makes the chosen group the room. The keyboard goes with the answer, whatever
// becomes of it.
func (s *Screens) roomChosen(ctx context.Context, req *bot.Request) (bot.View, error) {
	chosen := req.SharedChat
	switch {
	case strings.TrimSpace(req.Text) == req.L.Label("confirm_button_cancel"):
		return bot.RedirectTo(keyboards.Room.Data(struct{}{})), req.RemoveReplyKeyboard(ctx)
	case chosen == nil, chosen.RequestID != requestGroup && chosen.RequestID != requestForum:
		return bot.View{Text: req.L.T("room_ask_again"), Ask: askForGroup(req.L), KeepDialog: true}, nil
	}
	if err := req.RemoveReplyKeyboard(ctx); err != nil {
		return bot.View{}, err
	}
	_, noRight, err := s.Rooms.Bind(ctx, req.User.ID, chosen.ID, chosen.Title)
	text, ok := bindText(req.L, noRight, err)
	if !ok {
		return bot.View{}, bot.ErrorAt(keyboards.RoomChoose.Data(struct{}{}), err)
	}
	view, err := s.room(ctx, req, struct{}{})
	view.Text = text + "\n\n" + view.Text
	return view, err
}

// bindText says what became of the choice of a group; false for other errors.
func bindText(l *locales.Localizer, noRight bool, err error) (text string, ok bool) {
	switch {
	case errors.Is(err, room.ErrPrivate):
		return l.T("room_private"), true
	case errors.Is(err, storage.ErrRoomTaken):
		return l.T("room_taken"), true
	case errors.Is(err, outbox.ErrUnreachable):
		return l.T("room_not_there"), true
	case errors.Is(err, outbox.ErrNoRights):
		return l.T("room_no_right"), true
	case err != nil:
		return "", false
	case noRight:
		return l.T("room_bound") + " " + l.T("room_no_topics"), true
	default:
		return l.T("room_bound"), true
	}
}

// here makes the group in which an admin has written /here the room. For anybody else the
// command does not exist.
func (s *Screens) here(ctx context.Context, req *bot.Request) (bot.View, bool) {
	if !s.IsAdmin(req.User.ID) {
		return bot.View{}, false
	}
	r, noRight, err := s.Rooms.Bind(ctx, req.User.ID, req.Chat, req.ChatTitle)
	text, ok := bindText(req.L, noRight, err)
	if !ok {
		text = s.errorView(ctx, req, err).Text // its buttons are for a private chat
	}
	if err == nil && r.AlertsTopic == 0 && !noRight {
		return bot.View{}, false // what was posted says it
	}
	return bot.View{Text: text}, true
}

// hereInPrivate says that a private chat can't be the room.
func (s *Screens) hereInPrivate(ctx context.Context, req *bot.Request) (bot.View, error) {
	view, err := s.room(ctx, req, struct{}{})
	view.Text = req.L.T("room_private") + "\n\n" + view.Text
	return view, err
}

// roomTest posts in the room what arrives where.
func (s *Screens) roomTest(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	r, err := s.Rooms.Test(ctx)
	if err != nil {
		return bot.View{}, err
	}
	view := s.roomView(ctx, req, r)
	if r.Fault == "" {
		view.Toast = req.L.Label("room_test_toast")
	}
	return view, nil
}

// roomHour asks for the hour of daily figures.
func (s *Screens) roomHour(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	if _, err := s.DB.Room(ctx, storage.RoomStaff); err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("room_hour_ask", locales.Args{"Zone": s.DB.Zone()}),
		Keyboard: keyboards.RoomHourKeyboard(req.L),
		Dialog:   dialog(stepRoomHour, ""),
	}, nil
}

func (s *Screens) roomHourTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	hour, ok := parseHour(req.Text)
	if !ok {
		return askAgain(req.L.T("room_hour_bad"), keyboards.RoomHourKeyboard(req.L)), nil
	}
	return s.roomHourSet(ctx, req, keyboards.RoomHourArgs{Hour: hour})
}

// parseHour reads an hour of the day, like 9 or 21:00.
func parseHour(text string) (hour uint8, ok bool) {
	n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(text), ":00"), 10, 8)
	return uint8(n), err == nil && n < keyboards.HoursOfDay
}

// roomHourSet sets the hour of daily figures.
func (s *Screens) roomHourSet(ctx context.Context, req *bot.Request, args keyboards.RoomHourArgs) (bot.View, error) {
	hour := int64(args.Hour)
	if hour >= keyboards.HoursOfDay {
		hour = storage.NoDailyHour
	}
	if err := s.Rooms.SetHour(ctx, req.User.ID, hour); err != nil {
		return bot.View{}, err
	}
	return s.room(ctx, req, struct{}{})
}

// roomUnbind asks whether to forget the room.
func (s *Screens) roomUnbind(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	r, err := s.DB.Room(ctx, storage.RoomStaff)
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("room_unbind_ask", locales.Args{"Title": req.L.Name(locales.Shorten(r.Title, nameLength))}),
		Keyboard: keyboards.RoomUnbindKeyboard(req.L),
	}, nil
}

func (s *Screens) roomUnbindSure(ctx context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	if err := s.Rooms.Unbind(ctx, storage.RoomStaff, req.User.ID); err != nil && !errors.Is(err, storage.ErrNotFound) {
		return bot.View{}, err // a repeated tap finds none
	}
	return s.room(ctx, req, struct{}{})
}

// chatChanged implements bot.Hooks.ChatChanged.
func (s *Screens) chatChanged(ctx context.Context, c bot.ChatChange) error {
	if c.MovedTo != 0 {
		return s.Rooms.Moved(ctx, c.Chat, c.MovedTo)
	}
	return s.Rooms.Changed(ctx, c.Chat, c.Place.Member, c.Place.Post)
}
