package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests, or one of the processes that the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "fake-bot":
			os.Exit(fakeBot())
		case "ignore-sigterm":
			signal.Ignore(syscall.SIGTERM, os.Interrupt)
			fmt.Fprintln(os.Stderr, "ready")
			select {}
		case "hold-connection": // until the process ends
			conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", os.Args[2])
			if err != nil {
				os.Exit(1)
			}
			_, _ = io.Copy(io.Discard, conn)
			os.Exit(0)
		case "demo":
			err := Run(context.Background(), Options{Addr: "127.0.0.1:0", Command: os.Args[2:], Stdout: os.Stdout})
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

// self returns a command that runs this test binary with arguments.
func self(t *testing.T, args ...string) []string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{path}, args...)
}

// fakeBot is a minimal bot that answers messages, commands and taps.
func fakeBot() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	_, _ = io.WriteString(os.Stdout, "the bot's own stdout\n")
	api := os.Getenv("TELEGRAM_API_URL") + "/bot" + os.Getenv("TELEGRAM_TOKEN") + "/"
	call := func(ctx context.Context, method string, params map[string]any) []byte {
		body, _ := json.Marshal(params)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+method, bytes.NewReader(body))
		if err != nil {
			return nil
		}
		req.Header.Set("Content-Type", "application/json")
		return do(req)
	}
	call(ctx, "setMyCommands", map[string]any{"commands": []any{map[string]any{"command": "start", "description": "Begin"}}})
	offset := int64(0)
	for ctx.Err() == nil {
		var got struct {
			Result []struct {
				ID      int64 `json:"update_id"`
				Message struct {
					ID   int    `json:"message_id"`
					Text string `json:"text"`
					Chat struct {
						ID int64 `json:"id"`
					} `json:"chat"`
					ChatShared struct {
						ID int64 `json:"chat_id"`
					} `json:"chat_shared"`
					UsersShared struct {
						Users []any `json:"users"`
					} `json:"users_shared"`
				} `json:"message"`
				Tap struct {
					ID      string `json:"id"`
					Data    string `json:"data"`
					Message struct {
						ID   int `json:"message_id"`
						Chat struct {
							ID int64 `json:"id"`
						} `json:"chat"`
					} `json:"message"`
				} `json:"callback_query"`
			} `json:"result"`
		}
		if json.Unmarshal(call(ctx, "getUpdates", map[string]any{"offset": offset, "timeout": 50}), &got) != nil {
			continue
		}
		for _, u := range got.Result {
			offset = u.ID + 1
			if u.Tap.ID != "" {
				call(ctx, "answerCallbackQuery", map[string]any{"callback_query_id": u.Tap.ID, "text": "Saved " + u.Tap.Data, "show_alert": true})
				call(ctx, "editMessageText", map[string]any{"chat_id": u.Tap.Message.Chat.ID, "message_id": u.Tap.Message.ID, "text": "Tapped"})
				continue
			}
			chat, message := u.Message.Chat.ID, u.Message.ID
			if chat == 0 {
				continue // another kind of update
			}
			text, keyboard := u.Message.Text, []any{}
			if shared := u.Message.ChatShared.ID; shared != 0 {
				chat, text = shared, "New in stock"
				keyboard = []any{[]any{map[string]any{"text": "Seen", "callback_data": "seen"}, map[string]any{"text": "Buy", "url": "https://t.me/" + botUsername + "?start=p_1"}}}
			}
			if n := len(u.Message.UsersShared.Users); n > 0 {
				text = fmt.Sprintf("%d people", n)
			}
			switch text {
			case "/start":
				text = "<b>Hello</b> &lt;img src=x onerror=alert(1)&gt; <code>a&amp;b</code>"
				keyboard = []any{[]any{map[string]any{"text": "Tap me", "callback_data": "t1"}}}
			case "/colours":
				for _, style := range []string{"primary", "success", "danger"} {
					keyboard = append(keyboard, []any{map[string]any{"text": style, "callback_data": style, "style": style}})
				}
			case "/rooms":
				call(ctx, "sendMessage", map[string]any{"chat_id": chat, "text": "Which?", "reply_markup": map[string]any{"keyboard": roomButtons()}})
				continue
			case "/done":
				call(ctx, "sendMessage", map[string]any{"chat_id": chat, "text": "Done", "reply_markup": map[string]any{"remove_keyboard": true}})
				continue
			case "/here":
				call(ctx, "createForumTopic", map[string]any{"chat_id": chat, "name": "Orders"})
				call(ctx, "sendMessage", map[string]any{"chat_id": chat, "message_thread_id": message + 1, "text": "Order #7: 2 × Gmail"})
				continue
			case "/forget":
				call(ctx, "deleteMessage", map[string]any{"chat_id": chat, "message_id": message})
				continue
			case "/forget 1":
				call(ctx, "deleteMessage", map[string]any{"chat_id": chat, "message_id": 1})
				continue
			case "/file":
				sendFile(ctx, api, chat)
				continue
			case "/die":
				// Without the acknowledgement, Telegram would send the update again.
				call(ctx, "getUpdates", map[string]any{"offset": offset, "timeout": 0})
				return 3
			case "/pid":
				text = strconv.Itoa(os.Getpid())
			case "/env":
				env := os.Environ()
				slices.Sort(env)
				text = "<pre>" + strings.Join(env, "\n") + "</pre>"
			}
			params := map[string]any{"chat_id": chat, "text": text, "parse_mode": "HTML"}
			if id, ok := strings.CutPrefix(text, "/reply "); ok {
				params["reply_parameters"] = map[string]any{"message_id": json.Number(id)}
				params["message_effect_id"], params["disable_notification"] = "5046509860389126442", true
			}
			if len(keyboard) > 0 {
				params["reply_markup"] = map[string]any{"inline_keyboard": keyboard}
			}
			if answer := call(ctx, "sendMessage", params); !bytes.Contains(answer, []byte(`"ok":true`)) {
				fmt.Fprintf(os.Stderr, "refused: %s\n", answer)
			}
		}
	}
	fmt.Fprintln(os.Stderr, "stopped by SIGTERM")
	return 0
}

// roomButtons requests a group, a channel or people.
func roomButtons() []any {
	rights := func(right string) map[string]any {
		all := map[string]any{right: true}
		for _, name := range []string{
			"is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_promote_members",
			"can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories",
		} {
			all[name] = false
		}
		return all
	}
	chat := func(text string, id int, channel bool, right string) map[string]any {
		return map[string]any{"text": text, "request_chat": map[string]any{
			"request_id": id, "chat_is_channel": channel, "bot_administrator_rights": rights(right), "user_administrator_rights": rights(right),
		}}
	}
	return []any{
		[]any{chat("Choose a group", 0, false, "can_manage_topics"), chat("Choose a channel", 1, true, "can_post_messages")},
		[]any{map[string]any{"text": "Choose people", "request_users": map[string]any{"request_id": 2, "max_quantity": 2}}, map[string]any{"text": "Phone", "request_contact": true}},
		[]any{map[string]any{"text": "/done"}},
	}
}

func sendFile(ctx context.Context, api string, chat int64) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("chat_id", strconv.FormatInt(chat, 10))
	part, err := form.CreateFormFile("document", "заказ 1.txt")
	if err != nil {
		return
	}
	_, _ = io.WriteString(part, fileText)
	_ = form.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"sendDocument", &body)
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	do(req)
}

const fileText = "one@mail.example:p&s<w>d\r\n two \n"

func do(req *http.Request) []byte {
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return body
}
