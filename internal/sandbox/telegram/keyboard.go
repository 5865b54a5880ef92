package telegram

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Limits of inline keyboards (Bot API: InlineKeyboardMarkup). maxButtons, maxRow and
// maxKeyboard are not documented.
const (
	maxButtons  = 100
	maxRow      = 8
	maxCopy     = 256      // UTF-16 units of copy_text
	maxKeyboard = 10 << 10 // bytes of all labels, data, copied texts and URLs
)

// textButton is the refusal of a button without an action.
const textButton = "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"

func (m *Message) hasCopyButton() bool {
	_, found := m.button(func(b Button) bool { return b.CopyText != "" })
	return found
}

const switchInline = "switch_inline_query"

// inlineActions are the fields of an InlineKeyboardButton that set its action.
var inlineActions = []string{
	"callback_data", "url", "copy_text", "web_app", "login_url", switchInline,
	"switch_inline_query_current_chat", "switch_inline_query_chosen_chat", "callback_game", "pay",
}

// markup reads the checked reply_markup. It returns an inline keyboard as rows and
// as sent (raw), and any other markup as JSON. An inline keyboard without buttons
// counts as none.
func (a args) markup() (rows [][]Button, raw, other json.RawMessage, refusal *apiError) {
	object, ok := a["reply_markup"].node.(map[string]any)
	if !ok {
		return nil, nil, nil, nil
	}
	list, inline := object["inline_keyboard"].([]any)
	if !inline {
		return nil, nil, canonicalJSON(object), nil
	}
	count, size := 0, 0
	for _, row := range list {
		cells, _ := row.([]any)
		if len(cells) > maxRow {
			return nil, nil, nil, badRequest("too many buttons in a row of the inline keyboard")
		}
		var buttons []Button
		for _, cell := range cells {
			fields, _ := cell.(map[string]any)
			b, err := inlineButton(fields)
			if err != nil {
				return nil, nil, nil, err
			}
			size += len(b.Text) + len(b.CallbackData) + len(b.URL) + len(b.CopyText)
			buttons = append(buttons, b)
		}
		count += len(buttons)
		if len(buttons) > 0 {
			rows = append(rows, buttons)
		}
	}
	switch {
	case count > maxButtons || size > maxKeyboard:
		return nil, nil, nil, badRequest("reply markup is too long")
	case count == 0:
		return nil, nil, nil, nil
	}
	return rows, json.RawMessage(a["reply_markup"].text), nil, nil
}

func inlineButton(fields map[string]any) (Button, *apiError) {
	const where = "can't parse inline keyboard button: "
	var b Button
	b.Text, _ = fields["text"].(string)
	b.Style, _ = fields["style"].(string)
	b.Icon, _ = fields["icon_custom_emoji_id"].(string)
	if strings.TrimSpace(b.Text) == "" {
		return b, badRequest("inline keyboard button text must be non-empty")
	}
	switch b.Style {
	case "", "danger", "success", "primary":
	default:
		return b, badRequest(where+"invalid button style %q specified", b.Style)
	}
	var actions []string
	for _, name := range inlineActions {
		if _, ok := fields[name]; ok {
			actions = append(actions, name)
		}
	}
	switch {
	case len(actions) == 0:
		return b, badRequest(textButton)
	case len(actions) > 1:
		return b, badRequest(where+"exactly one action must be specified, found %s (strict: Telegram takes the first)", strings.Join(actions, " and "))
	}
	switch actions[0] {
	case "callback_data":
		b.CallbackData, _ = fields["callback_data"].(string)
		if b.CallbackData == "" || len(b.CallbackData) > maxCallbackData {
			return b, badRequest("BUTTON_DATA_INVALID")
		}
	case "url":
		b.URL, _ = fields["url"].(string)
		if !validButtonURL(b.URL) {
			return b, badRequest("inline keyboard button URL '%s' is invalid: Wrong HTTP URL", b.URL)
		}
	case "copy_text":
		inner, _ := fields["copy_text"].(map[string]any)
		b.CopyText, _ = inner["text"].(string)
		if n := utf16Len(b.CopyText); n < 1 || n > maxCopy {
			return b, badRequest("BUTTON_COPY_TEXT_INVALID")
		}
	default:
		b.Other = actions[0]
		if b.Other == switchInline {
			b.Query, _ = fields[switchInline].(string)
		}
	}
	return b, nil
}

func validButtonURL(link string) bool {
	u, err := url.Parse(link)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "http", "https":
		return strings.Contains(u.Host, ".")
	case "tg":
		return true
	}
	return false
}

// sameKeyboard reports whether two messages show the same buttons.
func sameKeyboard(a, b *Message) bool {
	if bytes.Equal(a.markup, b.markup) {
		return true
	}
	return slices.EqualFunc(a.Keyboard, b.Keyboard, func(a, b []Button) bool {
		return slices.EqualFunc(a, b, func(a, b Button) bool { return a == b && a.Other == "" })
	})
}
