package keyboards

import (
	"fmt"

	"hstockbot/internal/route"
	"hstockbot/locales"
)

// RoomHourArgs is the hour of daily figures, 0 to 23; more = none.
type RoomHourArgs struct{ Hour uint8 }

// Routes of the screens where admins choose the group of the shop.
var (
	Room           = route.New[struct{}]("Av")
	RoomChoose     = route.New[struct{}]("Avc")
	RoomTest       = route.New[struct{}]("Avt")
	RoomHour       = route.New[struct{}]("Avh")
	RoomHourSet    = route.New[RoomHourArgs]("Avs")
	RoomUnbind     = route.New[struct{}]("Avu")
	RoomUnbindSure = route.New[struct{}]("Avx")
)

// HoursOfDay is the number of hours, and the RoomHourArgs of none.
const HoursOfDay = 24

// offeredHours are the hours that have a button; others are typed.
var offeredHours = []uint8{0, 8, 9, 12, 18, 21}

// RoomKeyboard is the keyboard of the room's screen.
func RoomKeyboard(l *locales.Localizer, bound bool) Rows {
	if !bound {
		return append(Rows{{Primary(Tap(l.Label("room_button_choose"), RoomChoose.Data(struct{}{})))}}, Foot(l, Admin.Data(struct{}{}))...)
	}
	return append(Rows{
		{
			Tap(l.Label("room_button_test"), RoomTest.Data(struct{}{})),
			Tap(l.Label("room_button_hour"), RoomHour.Data(struct{}{})),
		},
		{
			Tap(l.Label("room_button_other"), RoomChoose.Data(struct{}{})),
			danger(Tap(l.Label("room_button_unbind"), RoomUnbind.Data(struct{}{}))),
		},
	}, Foot(l, Admin.Data(struct{}{}))...)
}

// RoomHourKeyboard goes with the question for the hour of daily figures.
func RoomHourKeyboard(l *locales.Localizer) Rows {
	var row []Button
	for _, hour := range offeredHours {
		row = append(row, Tap(fmt.Sprintf("%02d:00", hour), RoomHourSet.Data(RoomHourArgs{Hour: hour})))
	}
	return append(Rows{
		row[:3], row[3:],
		{Tap(l.Label("room_button_hour_off"), RoomHourSet.Data(RoomHourArgs{Hour: HoursOfDay}))},
	}, Foot(l, Room.Data(struct{}{}))...)
}

// RoomUnbindKeyboard asks for confirmation.
func RoomUnbindKeyboard(l *locales.Localizer) Rows {
	return Rows{{
		danger(Tap(l.Label("room_button_unbind"), RoomUnbindSure.Data(struct{}{}))),
		Tap(l.Label("room_button_keep"), Room.Data(struct{}{})),
	}}
}

// RoomNoticeKeyboard goes with a message about a room that is lost.
func RoomNoticeKeyboard(l *locales.Localizer) Rows {
	return Rows{{Tap(l.Label("admin_button_room"), Room.Data(struct{}{}))}}
}
