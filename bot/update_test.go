package bot

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
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
			`{"update_id":1,"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"photo":true}}`,
		},
		{
			"tap", `{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"from":{"id":5,"is_bot":true},"chat":{"id":3,"type":"private"},"date":4,"text":"login:password","reply_markup":{"inline_keyboard":[[{"text":"a","callback_data":"a"}]]}},"chat_instance":"1","data":"m"}}`,
			`{"update_id":1,"callback_query":{"id":"9","from":{"id":3,"first_name":"Ann"},"message":{"message_id":2,"date":4,"chat":{"id":3,"type":"private"},"text":true},"data":"m"}}`,
		},
		{
			"member", `{"update_id":1,"my_chat_member":{"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"date":4,"old_chat_member":{"status":"member","user":{"id":5}},"new_chat_member":{"status":"kicked","user":{"id":5},"until_date":0}}}`,
			`{"update_id":1,"my_chat_member":{"chat":{"id":3,"type":"private"},"from":{"id":3,"first_name":"Ann"},"new_chat_member":{"status":"kicked"}}}`,
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
		if diff := cmp.Diff(u, again, cmp.AllowUnexported(message{})); diff != "" || err != nil {
			t.Errorf("%s: %v %s", test.name, err, diff)
		}
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
