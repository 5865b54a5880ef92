package bot

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A stored update has only the fields that are used, and decodes to the same update.
func TestStoredUpdate(t *testing.T) {
	for _, test := range []struct{ name, raw, want string }{
		{
			"text", `{"update_id":1,"message":{"message_id":2,"from":{"id":3,"is_bot":false,"first_name":"Ann","last_name":"Lee","username":"ann","language_code":"de"},"chat":{"id":3,"first_name":"Ann","type":"private"},"date":4,"text":"hi","entities":[{"type":"bold","offset":0,"length":2}]}}`,
			`{"update_id":1,"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann","username":"ann","language_code":"de"},"text":"hi"}}`,
		},
		{
			"photo", `{"update_id":1,"message":{"message_id":2,"from":{"id":3,"first_name":"Ann"},"chat":{"id":3,"type":"private"},"date":4,"photo":[{"file_id":"x"}],"caption":"my passport"}}`,
			`{"update_id":1,"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"caption":"my passport","photo":true}}`,
		},
		{
			"edited", `{"update_id":1,"edited_message":{"message_id":2,"from":{"id":3,"first_name":"Ann"},"chat":{"id":3,"type":"private"},"date":4,"edit_date":5,"text":"x"}}`,
			`{"update_id":1,"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"text":"x"},"edited":true}`,
		},
		{
			"tap", `{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"from":{"id":5,"is_bot":true},"chat":{"id":3,"type":"private"},"date":4,"text":"login:password","reply_markup":{"inline_keyboard":[[{"text":"a","callback_data":"a"}]]}},"chat_instance":"1","data":"m"}}`,
			`{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"text":true},"data":"m"}}`,
		},
		{
			"label", `{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"chat":{"id":3,"type":"private"},"date":4,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"Copy","copy_text":{"text":"password"}},{"text":"Menu","callback_data":"m"}]]}},"data":"m"}}`,
			`{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"text":true},"data":"m","label":"Menu"}}`,
		},
		{
			"odd keyboard", `{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"chat":{"id":3,"type":"private"},"date":4,"text":"x","reply_markup":{"inline_keyboard":"new"}},"data":"m"}}`,
			`{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"text":true},"data":"m"}}`,
		},
		{
			"member", `{"update_id":1,"my_chat_member":{"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"date":4,"old_chat_member":{"status":"member","user":{"id":5}},"new_chat_member":{"status":"kicked","user":{"id":5},"until_date":0}}}`,
			`{"update_id":1,"my_chat_member":{"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"new_chat_member":{"status":"kicked"}}}`,
		},
		{
			"chosen chat", `{"update_id":1,"message":{"message_id":2,"from":{"id":3,"first_name":"Ann"},"chat":{"id":3,"type":"private"},"date":4,"chat_shared":{"request_id":1,"chat_id":-5,"title":"Team","photo":[]}}}`,
			`{"update_id":1,"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"chat_shared":{"request_id":1,"chat_id":-5,"title":"Team"}}}`,
		},
		{
			"chosen people", `{"update_id":1,"message":{"message_id":2,"from":{"id":3,"first_name":"Ann"},"chat":{"id":3,"type":"private"},"date":4,"users_shared":{"request_id":1,"users":[{"user_id":6,"first_name":"Bo","username":"bo"}]}}}`,
			`{"update_id":1,"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"users_shared":{"request_id":1,"users":[{"user_id":6,"first_name":"Bo"}]}}}`,
		},
		{
			"moved group", `{"update_id":1,"message":{"message_id":2,"from":{"id":9,"is_bot":true,"first_name":"Group"},"sender_chat":{"id":3,"type":"group","title":"Team"},"chat":{"id":3,"type":"group","title":"Team"},"date":4,"migrate_to_chat_id":-5}}`,
			`{"update_id":1,"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"group","title":"Team"},"from":{"id":9,"is_bot":true,"first_name":"Group"},"sender_chat":{"id":3,"type":"group","title":"Team"},"migrate_to_chat_id":-5}}`,
		},
		{
			"place in a channel", `{"update_id":1,"my_chat_member":{"chat":{"id":3,"type":"channel","title":"News"},"from":{"id":9,"is_bot":true,"first_name":"Group"},"date":4,"old_chat_member":{"status":"left","user":{"id":5}},"new_chat_member":{"status":"administrator","user":{"id":5},"can_post_messages":false,"can_edit_messages":true}}}`,
			`{"update_id":1,"my_chat_member":{"chat":{"id":3,"type":"channel","title":"News"},"from":{"id":9,"is_bot":true,"first_name":"Group"},"new_chat_member":{"status":"administrator","can_post_messages":false}}}`,
		},
		{
			"inline", `{"update_id":1,"inline_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"chat_type":"sender","location":{"latitude":1,"longitude":2},"query":"gmail","offset":""}}`,
			`{"update_id":1,"inline_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"query":"gmail"}}`,
		},
	} {
		u, err := decodeUpdate([]byte(test.raw))
		if err != nil || !u.forBot() || u.chatID() != 3 {
			t.Errorf("%s: %v, for the bot: %v, chat %d", test.name, err, u.forBot(), u.chatID())
		}
		stored, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, string(stored)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
		again, err := decodeUpdate(stored)
		if diff := cmp.Diff(u, again, cmp.AllowUnexported(message{}), cmpopts.IgnoreUnexported(tapped{})); diff != "" || err != nil {
			t.Errorf("%s: %v %s", test.name, err, diff)
		}
	}
}

// Updates that can't be decoded do not lose others of the batch.
func TestDamagedUpdatesInBatch(t *testing.T) {
	const (
		text    = `{"update_id":1,"message":{"message_id":2,"from":{"id":3},"chat":{"id":3,"type":"private"},"date":4,"text":"hi"}}`
		tap     = `{"update_id":2,"callback_query":{"id":"9","from":{"id":3},"message":{"message_id":2,"date":4,"text":"x","reply_markup":{"inline_keyboard":[[{"text":"Menu","callback_data":"m"}]]}},"data":"m"}}`
		odd     = `{"update_id":3,"callback_query":{"id":"9","from":{"id":3},"message":{"message_id":2,"date":4,"reply_markup":{"inline_keyboard":"new"}},"data":"m"}}`
		damaged = `{"update_id":4,"message":"new"}`
		unknown = `{"update_id":"new"}`
	)
	for _, batch := range [][]string{{}, {text, tap}, {text, odd, tap}, {text, damaged, unknown, tap}, {text, "null", tap}} {
		got, err := decodeUpdates([]byte(`{"ok":true,"result":[` + strings.Join(batch, ",") + `]}`))
		if err != nil || len(got) != len(batch) {
			t.Fatalf("%v: %d updates, %v", batch, len(got), err)
		}
		for i, raw := range batch {
			want := decodeReceived(json.RawMessage(raw))
			if wanted := raw == damaged || raw == unknown; (got[i].damaged != nil) != wanted {
				t.Errorf("%s: damaged is %q", raw, got[i].damaged)
			}
			if diff := cmp.Diff(want.update, got[i].update, cmp.AllowUnexported(message{}), cmpopts.IgnoreUnexported(tapped{})); diff != "" {
				t.Errorf("%s: %s", raw, diff)
			}
		}
	}
	if _, err := decodeUpdates([]byte(`{"ok":true,"result":{}}`)); err == nil {
		t.Error("updates that are no list are accepted")
	}
}

// Decoding never panics, and a decoded update can be stored and decoded again.
func FuzzDecodeUpdate(f *testing.F) {
	f.Add([]byte(hookUpdate))
	f.Add([]byte(`{"update_id":1,"callback_query":{"id":"1","from":{"id":1},"message":{"date":0}}}`))
	f.Add([]byte(`{"update_id":1,"callback_query":{"id":"1","from":{"id":1},"data":"t:1"}}`))
	f.Add([]byte(`{"update_id":1,"message":{"sticker":null,"voice":{}}}`))
	f.Add([]byte(`{"update_id":1,"inline_query":{"id":"1","from":{"id":1},"query":"a","offset":"8"}}`))
	f.Add([]byte(`{"update_id":"1"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := decodeUpdate(raw)
		if err != nil {
			return
		}
		_, _, _ = u.chatID(), u.forBot(), u.library()
		stored, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := decodeUpdate(stored); err != nil || again.ID != u.ID || again.chatID() != u.chatID() {
			t.Errorf("%s is read back as %+v, %v", stored, again, err)
		}
	})
}
