package handlers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	teamID  = -1_000_000_000_500
	groupID = -501
	newTeam = -1_000_000_000_501
)

// inRoom runs a scenario that an admin begins, compares their chat and that of the group
// after it, and fails if the group has seen a secret.
func inRoom(t *testing.T, flow string, makeGroup func(w *world) *telegram.Group, scenario func(w *world, team *telegram.Group)) {
	t.Helper()
	inWorld(t, "en", func(w *world) {
		admin := w.becomeAdmin()
		w.types("/start")
		team := makeGroup(w)
		pass(time.Second)
		scenario(w, team)
		for _, secret := range w.secrets() {
			if strings.Contains(team.History(), secret) {
				w.T.Errorf("the group has seen a secret: %q", secret)
			}
		}
		w.goldenOf(flow+".en", "=== Boss\n"+admin.History()+"=== "+flow+"\n"+team.History())
	})
}

func forum(w *world) *telegram.Group { return w.chat.CreateForum(teamID, "Team <1>") }

// group is a group without topics, in which the bot is.
func group(w *world) *telegram.Group {
	g := w.Telegram.Group(groupID, "Friends")
	g.Appoint(w.chat, true)
	return g
}

// chooses opens the room's screen and chooses a group.
func (w *world) chooses(request int, chat int64) {
	w.T.Helper()
	w.types("/admin")
	w.tap("admin_button_room")
	w.tap("room_button_choose")
	must(w.T, w.chat.ShareChat(request, chat))
	pass(time.Minute)
}

// TestRoomByButton: an admin chooses a forum, and the bot makes its topics. The keyboard
// goes in every case.
func TestRoomByButton(t *testing.T) {
	inRoom(t, "room_button", forum, func(w *world, _ *telegram.Group) {
		gone := func() {
			w.T.Helper()
			if len(w.chat.ReplyKeyboard()) != 0 {
				w.T.Error("the keyboard stays")
			}
		}
		w.types("/admin")
		w.tap("admin_button_room")
		w.tap("room_button_choose")
		w.types("the team")
		w.types(w.l.Label("confirm_button_cancel")) // as a tap on the keyboard does
		gone()
		w.tap("room_button_choose")
		must(w.T, w.chat.ShareChat(2, teamID))
		pass(time.Minute)
		gone()
		w.tap("room_button_test")
		pass(time.Minute)
		w.tap("room_button_hour")
		w.types("24")
		w.types("21:00")
		w.tap("room_button_hour")
		w.tapLabel("12:00")
		w.tap("room_button_hour")
		w.tap("room_button_hour_off")
		w.tap("room_button_unbind")
		w.tap("room_button_keep")
		w.tap("room_button_unbind")
		w.tap("room_button_unbind")
		w.types("/admin")
		w.tap("admin_button_log")
	})
}

// TestRoomIsForAdmins: nobody else can bind a group, also who was an admin when the
// question was asked.
func TestRoomIsForAdmins(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		team := group(w)
		team.Type(w.chat, "/here@shop_bot")
		team.Type(w.chat, "/here")
		pass(time.Minute)
		w.types("/here")
		w.says(w.l.T("text_not_understood"))
		team.Appoint(w.becomeAdmin(), true)
		w.types("/admin")
		w.tap("admin_button_room")
		w.tap("room_button_choose")
		w.cfg.AdminIDs = []int64{adminID + 1} // no longer an admin
		w.restart()
		must(w.T, w.chat.ShareChat(1, groupID))
		pass(time.Minute)
		if _, err := w.app.DB.Room(w.T.Context(), storage.RoomStaff); !errors.Is(err, storage.ErrNotFound) || len(w.chat.ReplyKeyboard()) != 0 {
			w.T.Errorf("the room is bound: %v, keyboard %v", err, w.chat.ReplyKeyboard())
		}
		if strings.Contains(team.Transcript(), "Bot") {
			w.T.Errorf("the group was answered:\n%s", team.Transcript())
		}
	})
}

// TestRoomHere: an admin writes /here in a group. Elsewhere it says what it is for.
func TestRoomHere(t *testing.T) {
	inRoom(t, "room_here", group, func(w *world, team *telegram.Group) {
		w.types("/here")
		team.Type(w.Telegram.Join(bob), "/here@shop_bot")
		team.Type(w.chat, "/here")
		pass(time.Minute)
		w.types("/admin")
		w.tap("admin_button_room")
	})
}

// TestRoomWithoutRights: in a forum where it may not make topics, the bot uses the chat as
// it is. Where it is not, or may not write, nothing is bound.
func TestRoomWithoutRights(t *testing.T) {
	inRoom(t, "room_rights", forum, func(w *world, team *telegram.Group) {
		w.types("/admin")
		w.tap("admin_button_room")
		w.tap("room_button_choose")
		w.Telegram.Fault(telegram.Fault{Method: "createForumTopic", Code: 403, Description: "Forbidden: bot is not a member of the supergroup chat"})
		must(w.T, w.chat.ShareChat(1, teamID))
		pass(time.Minute)
		team.Mute(w.chat)
		w.tap("room_button_choose")
		must(w.T, w.chat.ShareChat(1, teamID))
		pass(time.Minute)
		team.Promote(w.chat)
		w.tap("room_button_choose")
		must(w.T, w.chat.ShareChat(1, teamID))
		pass(time.Minute)
	})
}

// inBoundRoom is inRoom with a bound forum or group, and Anna with a key.
func inBoundRoom(t *testing.T, flow string, makeGroup func(w *world) *telegram.Group, scenario func(w *world, team *telegram.Group)) {
	t.Helper()
	inRoom(t, flow, makeGroup, func(w *world, team *telegram.Group) {
		w.chooses(1, team.ChatID())
		w.as(anna, func() { w.withKey(annaKey) })
		scenario(w, team)
	})
}

func promoted(w *world) *telegram.Group {
	team := forum(w)
	team.Promote(w.chat, "can_manage_topics")
	return team
}

// TestRoomOrders: the line of each purchase is edited on through its life, says nothing
// that is secret, and survives a restart.
func TestRoomOrders(t *testing.T) {
	inBoundRoom(t, "room_orders", promoted, func(w *world, team *telegram.Group) {
		w.as(anna, func() {
			must(w.T, w.Market.Hold(market.OutlookByHand, true))
			w.buy("3", "2")
			pass(time.Minute)
			w.restart()
			pass(time.Minute)
			must(w.T, w.Market.Deliver(market.FirstOrder, 1))
			pass(10 * time.Minute)
			must(w.T, w.Market.Finish(market.FirstOrder))
			pass(30 * time.Minute)
			w.rent("2")
			pass(10 * time.Second)
			must(w.T, w.Market.SendCode(w.firstPhone().Number, "313131"))
			pass(time.Minute)
			w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
			w.buyWithEmail("anna@example.com")
			pass(10 * time.Minute)
			w.tap("unresolved_button_dismiss")
			pass(time.Minute)
			must(w.T, w.Market.Hold(market.InstagramFollowers, true))
			w.smmCard("1", w.l.Number(1000), annaLink)
			w.confirms()
			pass(time.Minute)
			orders := w.Market.Orders()
			must(w.T, w.Market.Finish(orders[len(orders)-1].Number))
		})
		pass(40 * time.Minute)
		w.restart()
		pass(time.Minute)
		text := team.History()
		for _, secret := range []string{"Anna", "1001", "anna", "@", "313131", w.Market.Orders()[0].Accounts[0], w.firstPhone().Phone} {
			if strings.Contains(text, secret) {
				w.T.Errorf("the group sees %q", secret)
			}
		}
	})
}

// unknownOutcome makes a purchase of Anna's whose outcome is unknown, which is an alert.
func (w *world) unknownOutcome() {
	w.T.Helper()
	w.as(anna, func() {
		w.Market.Fault(market.Fault{Action: "add", Kind: market.HTML502})
		w.buy("2", "1")
		pass(2 * time.Minute)
	})
}

// silent reports whether a message of a group made no sound.
func silent(t *testing.T, team *telegram.Group, text string) bool {
	t.Helper()
	for _, m := range team.Messages() {
		if strings.Contains(m.Text, text) {
			return m.Silent
		}
	}
	t.Fatalf("the group does not have %q:\n%s", text, team.Transcript())
	return false
}

// TestRoomAlert: an alert sounds in the room and is not sent to admins, but to support as
// before.
func TestRoomAlert(t *testing.T) {
	inBoundRoom(t, "room_alert", group, func(w *world, team *telegram.Group) {
		w.as(telegram.Person{ID: supportID, FirstName: "Sam", LanguageCode: "en"}, func() {
			w.types("/start")
			w.unknownOutcome()
			w.says("🔴 The outcome of a purchase has been unknown")
		})
		if silent(w.T, team, "🔴") || !silent(w.T, team, "❔") {
			w.T.Error("an alert makes no sound, or a line makes one")
		}
	})
}

// TestRoomLost: when the bot is thrown out, the admins are told once, and get the very
// report that waited, and later ones. When it is back, the room is used again.
func TestRoomLost(t *testing.T) {
	for flow, lose := range map[string]func(w *world, team *telegram.Group){
		"room_kicked": func(w *world, team *telegram.Group) { team.Remove(w.chat); pass(time.Minute) },
		"room_muted":  func(w *world, team *telegram.Group) { team.Mute(w.chat); pass(time.Minute) },
		"room_403": func(w *world, team *telegram.Group) {
			w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: team.ChatID(), Code: 403, Description: "Forbidden: bot was kicked from the group chat", Times: telegram.Always})
		},
		"room_refused": func(w *world, team *telegram.Group) {
			w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: team.ChatID(), Code: 400, Description: "Bad Request: upgraded to a supergroup of another kind", Times: telegram.Always})
		},
	} {
		t.Run(flow, func(t *testing.T) {
			inBoundRoom(t, flow, group, func(w *world, team *telegram.Group) {
				must(w.T, w.Market.Hold(market.OutlookByHand, true))
				lose(w, team)
				w.unknownOutcome()
				w.as(anna, func() { w.tap("unresolved_button_dismiss") })
				pass(2 * time.Minute)
				w.types("/admin")
				w.tap("admin_button_room")
				w.tap("room_button_test")
				w.Telegram.ClearFaults()
				team.Add(w.chat)
				pass(time.Second)
				w.tap("room_button_test")
				pass(time.Minute)
				w.as(anna, func() { w.buy("3", "1"); pass(time.Minute) })
				if n := count(w.chat, "🔴"); n != 1 {
					w.T.Errorf("the report was sent %d times:\n%s", n, w.chat.Transcript())
				}
				if n := count(w.chat, "so alerts come to"); n != 1 { // the screen shows none any more
					w.T.Errorf("the fault is told %d times", n)
				}
			})
		})
	}
}

// TestRoomTopicDeleted: a topic that was deleted is made again. Without the right to, the
// admins are told once, and the chat is used as it is. A line whose message is gone is
// left.
func TestRoomTopicDeleted(t *testing.T) {
	inBoundRoom(t, "room_topic", promoted, func(w *world, team *telegram.Group) {
		room, err := w.app.DB.Room(w.T.Context(), storage.RoomStaff)
		must(w.T, err)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.as(anna, func() { w.buy("3", "1"); pass(time.Minute) })
		team.DeleteTopic(int(room.OrdersTopic))
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(20 * time.Minute)
		w.as(anna, func() { w.buy("3", "1"); pass(time.Minute) })
		team.DeleteTopic(int(room.AlertsTopic))
		team.Promote(w.chat)
		pass(time.Second)
		w.unknownOutcome()
		w.as(anna, func() { w.tap("unresolved_button_dismiss") })
		pass(3 * time.Minute)
		w.types("/admin")
		w.tap("admin_button_room")
		w.tap("room_button_test")
		pass(time.Minute)
	})
}

// TestRoomMoves: a group that becomes a supergroup stays the room. Lines that may change
// are posted there anew, and nothing is lost, whether the bot learns of it by an update or
// by a refusal.
func TestRoomMoves(t *testing.T) {
	for flow, hear := range map[string]bool{"room_moves": true, "room_moved": false} {
		t.Run(flow, func(t *testing.T) {
			inBoundRoom(t, flow, group, func(w *world, team *telegram.Group) {
				must(w.T, w.Market.Hold(market.OutlookByHand, true))
				w.as(anna, func() { w.buy("3", "1"); pass(time.Minute) })
				if !hear {
					w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: groupID, RetryAfter: 7200}) // what follows waits
					w.unknownOutcome()
					w.stop()
					w.Telegram.ClearFaults()
					w.Telegram.Fault(telegram.Fault{Method: "getUpdates", Code: 500, Times: telegram.Always})
				}
				super := team.Upgrade(w.chat, newTeam)
				if !hear {
					w.start()
				}
				pass(15 * time.Second)
				must(w.T, w.Market.Finish(market.FirstOrder))
				pass(20 * time.Minute)
				room, err := w.app.DB.Room(w.T.Context(), storage.RoomStaff)
				if err != nil || room.ChatID != newTeam || room.Fault != "" {
					w.T.Errorf("the room is %+v, %v", room, err)
				}
				w.goldenOf(flow+"_super.en", super.History())
			})
		})
	}
}

// TestRoomDaily: the figures of the day before are posted at the hour, with a picture, once
// a day, also across restarts, and late only if they are less than 12 hours late.
func TestRoomDaily(t *testing.T) {
	inBoundRoom(t, "room_daily", group, func(w *world, team *telegram.Group) {
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.as(anna, func() { w.buy("3", "1"); pass(time.Minute) })
		must(w.T, w.Market.Finish(market.FirstOrder))
		pass(20 * time.Minute)
		posted := func(want int) {
			w.T.Helper()
			n := 0
			for _, m := range team.Messages() {
				if strings.Contains(m.Text, "📊") {
					n++
				}
			}
			if n != want {
				w.T.Fatalf("%d daily figures, want %d:\n%s", n, want, team.Transcript())
			}
		}
		off := func(hours int) {
			w.stop()
			pass(time.Duration(hours) * time.Hour)
			w.start()
			pass(time.Minute)
		}
		off(8)
		posted(0)
		off(1) // of the day before the first order
		posted(1)
		off(24)
		posted(2)
		w.restart()
		pass(time.Minute)
		posted(2)
		off(35) // due 35 hours ago, and again 11 hours ago
		posted(3)
		off(26) // due 13 hours ago
		posted(3)
		off(12)
		posted(4)
		w.Exec(`UPDATE rooms SET daily_day = '2030-01-01'`) // the clock was ahead
		pass(time.Minute)
		posted(4)
		off(24)
		posted(5)
	})
}

// TestRoomPostsOnce: what was posted and could not be recorded is not posted again once the
// database is back.
func TestRoomPostsOnce(t *testing.T) {
	for change, text := range map[string]string{
		"UPDATE ON room_lines": "outcome unknown", "DELETE ON room_messages": "🔴", "UPDATE ON rooms": "📊",
	} {
		t.Run(change, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.becomeAdmin()
				w.types("/start")
				team := group(w)
				pass(time.Second)
				w.chooses(1, groupID)
				w.as(anna, func() { w.withKey(annaKey) })
				accept := w.Refuse(change + " FOR EACH ROW")
				w.unknownOutcome()
				if text == "📊" {
					pass(10 * time.Hour)
				}
				pass(5 * time.Minute)
				accept()
				pass(5 * time.Minute)
				if n := strings.Count(team.Transcript(), text); n != 1 {
					w.T.Errorf("posted %d times:\n%s", n, team.Transcript())
				}
				var waiting []int64
				w.Select(&waiting, `SELECT COUNT(*) FROM room_messages`)
				if waiting[0] != 0 {
					w.T.Errorf("%d alerts wait", waiting[0])
				}
			})
		})
	}
}

// TestRoomLosesAnswers: where answers are lost, an alert and a line are posted a second time
// and no more. The alert goes to the admins then, and later posts don't wait.
func TestRoomLosesAnswers(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		admin := w.becomeAdmin()
		w.types("/start")
		team := group(w)
		pass(time.Second)
		w.chooses(1, groupID)
		w.as(anna, func() { w.withKey(annaKey) })
		w.Telegram.Fault(telegram.Fault{Method: "sendMessage", Chat: groupID, LoseAnswer: true, Times: telegram.Always})
		w.unknownOutcome()
		pass(time.Hour)
		text := team.Transcript()
		if alerts, lines := strings.Count(text, "🔴"), strings.Count(text, "❔"); alerts != 2 || lines != 2 || count(admin, "🔴") != 1 {
			w.T.Errorf("the alert was posted %d times, the line %d times, the admin has\n%s", alerts, lines, admin.Transcript())
		}
		w.Telegram.ClearFaults()
		w.as(anna, func() { w.tap("unresolved_button_dismiss"); w.buy("3", "1") })
		pass(5 * time.Minute)
		if text := team.Transcript(); strings.Count(text, "🟢") != 1 || strings.Count(text, "Outlook") != 1 || strings.Count(text, "🔴") != 2 {
			w.T.Errorf("later posts:\n%s", text)
		}
	})
}

// TestRoomTopicMadeOnce: a topic that was deleted is made once, also where Telegram's answer
// is lost or the database fails. The admins are told in each case.
func TestRoomTopicMadeOnce(t *testing.T) {
	for id, fail := range map[string]func(w *world) (end func()){
		"room_topic_unsure": func(w *world) func() {
			w.Telegram.Fault(telegram.Fault{Method: "createForumTopic", LoseAnswer: true, Times: telegram.Always})
			return w.Telegram.ClearFaults
		},
		"room_topic_remade": func(w *world) func() { return w.Refuse("UPDATE ON rooms FOR EACH ROW") },
	} {
		t.Run(id, func(t *testing.T) {
			inWorld(t, "en", func(w *world) {
				w.becomeAdmin()
				w.types("/start")
				team := promoted(w)
				pass(time.Second)
				w.chooses(2, teamID)
				w.as(anna, func() { w.withKey(annaKey) })
				room, err := w.app.DB.Room(w.T.Context(), storage.RoomStaff)
				must(w.T, err)
				team.DeleteTopic(int(room.AlertsTopic))
				end := fail(w)
				w.unknownOutcome()
				pass(10 * time.Minute)
				end()
				pass(5 * time.Minute)
				if made := w.Telegram.Count("createForumTopic"); made != 4 {
					w.T.Errorf("%d topics were made, want 3 and 1 again:\n%s", made, team.Transcript())
				}
				w.says(w.l.T(id, locales.Args{"Topic": "Alerts"}))
				if n := strings.Count(team.Transcript(), "🔴"); n != 1 {
					w.T.Errorf("the alert was posted %d times:\n%s", n, team.Transcript())
				}
			})
		})
	}
}

// TestRoomTestsEachPlaceOnce: where two of the topics are missing, one message says what
// arrives in the group itself.
func TestRoomTestsEachPlaceOnce(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		team := promoted(w)
		pass(time.Second)
		w.chooses(2, teamID)
		w.Exec(`UPDATE rooms SET alerts_topic = 0, daily_topic = 0`)
		w.tap("room_button_test")
		pass(time.Minute)
		if text := team.Transcript(); strings.Count(text, "👥") != 3+2 || !strings.Contains(text, "Alerts · Daily") {
			w.T.Errorf("the group has\n%s", text)
		}
	})
}

// TestRoomSkipsDamaged: alerts that can't be read don't keep those behind them.
func TestRoomSkipsDamaged(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		team := group(w)
		pass(time.Second)
		w.chooses(1, groupID)
		w.as(anna, func() { w.withKey(annaKey) })
		for i := range 45 {
			w.Exec(fmt.Sprintf(`INSERT INTO room_messages (id, kind, priority, body_sealed, created_at) VALUES (%d, 'report', 1, 'damaged', 5)`, i+1))
		}
		w.unknownOutcome()
		if n := strings.Count(team.Transcript(), "🔴"); n != 1 {
			w.T.Errorf("the alert was posted %d times:\n%s", n, team.Transcript())
		}
	})
}

// TestRoomLostUnnoticed: the loss is told once an admin can be written to, unless the room
// works again by then.
func TestRoomLostUnnoticed(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		team := group(w)
		pass(time.Second)
		w.chooses(1, groupID)
		w.chat.Block()
		pass(time.Minute)
		team.Remove(w.chat)
		pass(time.Minute)
		team.Add(w.chat)
		pass(time.Minute)
		if text := team.Transcript(); strings.Contains(text, "no longer in the group") {
			w.T.Errorf("the group is told:\n%s", text)
		}
		team.Remove(w.chat)
		pass(time.Minute)
		w.chat.Unblock()
		w.types("/start")
		pass(time.Minute)
		if n := count(w.chat, w.l.T("room_fault_gone")); n != 1 {
			w.T.Errorf("the loss is told %d times:\n%s", n, w.chat.Transcript())
		}
	})
}

// TestRoomGathersChanges: where Telegram slows the bot down, a line shows the newest state
// and none in between.
func TestRoomGathersChanges(t *testing.T) {
	inWorld(t, "en", func(w *world) {
		w.becomeAdmin()
		w.types("/start")
		team := group(w)
		pass(time.Second)
		w.chooses(1, groupID)
		must(w.T, w.Market.Hold(market.OutlookByHand, true))
		w.as(anna, func() {
			w.withKey(annaKey)
			w.buy("3", "5")
		})
		pass(time.Minute)
		w.Telegram.Fault(telegram.Fault{Method: "editMessageText", Chat: groupID, RetryAfter: 1800, Times: 1})
		for range 5 {
			must(w.T, w.Market.Deliver(market.FirstOrder, 1))
			pass(5 * time.Minute)
		}
		pass(time.Hour)
		edits := 0
		for _, call := range w.Telegram.Calls() {
			if call.Method == "editMessageText" && call.Fields["chat_id"] == "-501" && call.OK {
				edits++
			}
		}
		if text := team.Last().Text; edits != 1 || !strings.Contains(text, "✅ delivered") {
			w.T.Errorf("%d edits, the line is %q", edits, text)
		}
	})
}
