package web

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRooms chooses the group for the bot and writes there, and starts the demo again with
// its data.
func TestRooms(t *testing.T) {
	data := t.TempDir()
	demo := launch(t, Options{Data: data})
	page := demo.browse()
	awaitIn := func(room int64, want messageView) {
		t.Helper()
		page.await(func() bool {
			for _, m := range page.others[room] {
				if m.From == want.From && m.Topic == want.Topic && m.Service == want.Service && m.Text == want.Text && !m.Own {
					return true
				}
			}
			return false
		})
	}
	demo.mustPost("/type", fmt.Sprintf(`{"person":%d,"text":"/rooms"}`, olga))
	page.await(func() bool { return len(page.others[olga]) == 2 })
	if status, _ := demo.post("/share", fmt.Sprintf(`{"person":%d,"request":1,"kind":"chat","ids":[%d]}`, olga, team)); status != 422 {
		t.Errorf("a group was chosen as a channel: %d", status)
	}
	demo.mustPost("/share", fmt.Sprintf(`{"person":%d,"request":0,"kind":"chat","ids":[%d]}`, olga, team))
	awaitIn(team, messageView{Text: "New in stock"})
	demo.mustPost("/room/type", fmt.Sprintf(`{"person":%d,"room":%d,"text":"/here"}`, anna, team))
	awaitIn(team, messageView{From: "Anna", Text: "/here"})
	awaitIn(team, messageView{Service: "new topic Orders"})
	awaitIn(team, messageView{Topic: "Orders", Text: "Order #7: 2 × Gmail"})
	if err := demo.stop(); err != nil {
		t.Fatal(err)
	}

	before := page.others[team]
	demo = launch(t, Options{Data: data})
	page = demo.browse()
	if diff := cmp.Diff(before, page.others[team]); diff != "" || len(before) != 4 {
		t.Errorf("the group after a restart (-before +after):\n%s", diff)
	}
	demo.mustPost("/room/type", fmt.Sprintf(`{"person":%d,"room":%d,"text":"/here"}`, anna, team))
	page.await(func() bool { return len(page.others[team]) == 7 }) // the bot is still an administrator
}
