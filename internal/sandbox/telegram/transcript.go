package telegram

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxFileLines is how many lines of a text file a transcript shows.
const maxFileLines = 5

// event is an entry of a chat's history, with the state of that time.
type event struct {
	kind    eventKind
	message Message // only the ID for eventTapped
	actor   string  // the person's first name; "" for the bot
	text    string
	tap     *callbackQuery // of eventTapped; History shows its answer here
	inline  *inlineQuery   // of eventInline, likewise
}

type eventKind int

const (
	eventSent eventKind = iota
	eventEdited
	eventDeleted
	eventTapped
	eventAction
	eventNote
	eventInline
)

// Transcript shows the chat as it is now, in a light markup:
//
//	#1 Ann: /start
//	#2 Bot: Hello, *Ann*. Your key ends in `cdef`.
//	   [ 🛍 Catalog ] [ Site ↗ https://… ]
//	   [ Copy ⧉ 12345 ]
//	#4 Bot: 📄 order-7.txt (12 bytes, text/plain)
//	   | first@line
//	   > A caption is shown like a text.
//	#5 Bot replies to #4 with 🎉: A reply with a message effect.
//	#6 Bot in Orders: A message in a topic of a forum.
//	#7 Bot: A message with a keyboard below the text field.
//	   keyboard: [ Choose a group (request_chat 1) ] [ Cancel ]
//
// *bold* _italic_ __underlined__ ~struck~ ||spoiler|| `code` [text](link), pre
// between lines of ```, quotes after ">". Deleted messages are left out and edited
// ones are marked.
func (v chatView) Transcript() string {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	var b strings.Builder
	for _, m := range v.visible() {
		suffix := ""
		if !m.EditDate.IsZero() {
			suffix = " (edited)"
		}
		writeMessage(&b, v.chat, &m, suffix)
	}
	return b.String()
}

// History shows what happened in the chat, in order: messages as in Transcript, and
// each edit, deletion, tap, chat action and block. The answer to a tap stands
// beside the tap, so that the order of answer and edit does not matter. History is
// empty with Options.NoLog.
func (v chatView) History() string {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	var b strings.Builder
	for i, e := range v.chat.history {
		switch e.kind {
		case eventSent:
			writeMessage(&b, v.chat, &e.message, "")
		case eventEdited:
			writeMessage(&b, v.chat, &e.message, edits)
		case eventDeleted:
			fmt.Fprintf(&b, "%s deletes #%d\n", cmp.Or(e.actor, "Bot"), e.message.ID)
		case eventTapped:
			fmt.Fprintf(&b, "%s %s on #%d%s\n", e.actor, e.text, e.message.ID, e.tap.answerSuffix())
		case eventAction:
			if i > 0 && v.chat.history[i-1].kind == eventAction && v.chat.history[i-1].text == e.text {
				continue // the bot repeats the action while it works
			}
			fmt.Fprintf(&b, "Bot … %s\n", strings.ReplaceAll(e.text, "_", " "))
		case eventInline:
			writeInline(&b, e.actor, v.s.bot.Username, e.inline)
		case eventNote:
			fmt.Fprintf(&b, "%s %s\n", e.actor, e.text)
		}
	}
	return b.String()
}

// answerSuffix shows the answer to a tap, "" if there is none or it shows nothing.
func (c *callbackQuery) answerSuffix() string {
	switch a := c.answer; {
	case a == nil || (a.Text == "" && a.URL == ""):
		return ""
	case a.URL != "":
		return " → opens " + a.URL
	case a.Alert:
		return " → alert: " + strings.ReplaceAll(a.Text, "\n", "\n"+indent)
	default:
		return " → toast: " + strings.ReplaceAll(a.Text, "\n", "\n"+indent)
	}
}

const (
	indent = "   "
	edits  = " edits" // the suffix of an edit
)

// writeMessage writes "#2 Bot: text"; further lines and the keyboard are indented.
// suffix follows the name.
func writeMessage(b *strings.Builder, c *chat, m *Message, suffix string) {
	name := m.From.FirstName
	if m.FromBot {
		name = "Bot"
	}
	if topic := c.topicName(m.Thread); topic != "" && m.ID != m.Thread {
		name += " in " + topic
	}
	if m.Via != "" {
		name += " via @" + m.Via
	}
	if suffix != edits && m.ReplyTo != 0 {
		name += fmt.Sprintf(" replies to #%d", m.ReplyTo)
	}
	if suffix != edits && m.Effect != "" {
		name += " with " + m.Effect
	}
	fmt.Fprintf(b, "#%d %s%s:", m.ID, name, suffix)
	var lines []string
	switch {
	case m.Service != nil:
		lines = append(lines, m.Service.String())
	case m.Document != nil:
		lines = append(lines, fmt.Sprintf("📄 %s (%s)", m.Document.Name, fileInfo(m.Document)))
		lines = append(lines, fileLines(m.Document.Data)...)
	case m.Photo != nil && m.Photo.URL != "":
		lines = append(lines, "🖼 "+m.Photo.URL)
	case m.Photo != nil:
		lines = append(lines, fmt.Sprintf("🖼 %s (%dx%d)", m.Photo.Name, m.Photo.Width, m.Photo.Height))
	case m.Sticker != "":
		lines = append(lines, "sticker "+m.Sticker)
	}
	preview := previewLine(m)
	if preview != "" && m.LinkPreview.AboveText {
		lines = append(lines, preview)
		preview = ""
	}
	if m.Text != "" {
		lines = append(lines, strings.Split(renderMarkup(m.Text, m.Entities), "\n")...)
	}
	if preview != "" {
		lines = append(lines, preview)
	}
	if m.Reply != nil {
		lines = append(lines, replyLines(m.Reply)...)
	}
	for _, row := range m.Keyboard {
		var cells []string
		for _, button := range row {
			cells = append(cells, button.String())
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	for i, line := range lines {
		switch {
		case i == 0:
			b.WriteString(" " + line)
		case line == "":
			b.WriteString("\n")
		default:
			b.WriteString("\n" + indent + line)
		}
	}
	b.WriteString("\n")
}

// writeInline writes an inline query and its answer.
func writeInline(b *strings.Builder, actor, bot string, q *inlineQuery) {
	typed := strings.TrimSpace("@" + bot + " " + q.text)
	if q.offset != "" {
		typed += " … from " + q.offset
	}
	fmt.Fprintf(b, "%s types %s", actor, typed)
	switch a := q.answer; {
	case a == nil:
		b.WriteString(" (no answer)\n")
		return
	case a.Cached:
		b.WriteString(" (answered from the cache)")
	}
	b.WriteString("\n")
	if q.answer.Button != "" {
		fmt.Fprintf(b, "%s[ %s ↗ /start %s ]\n", indent, q.answer.Button, q.answer.Start)
	}
	for _, r := range q.answer.Results {
		fmt.Fprintf(b, "%s▫ %s\n", indent, r.Title)
		if r.Thumbnail != "" {
			fmt.Fprintf(b, "%s%s(picture: %s)\n", indent, indent, r.Thumbnail)
		}
		for line := range strings.SplitSeq(r.Description, "\n") {
			if line != "" {
				fmt.Fprintf(b, "%s%s%s\n", indent, indent, line)
			}
		}
	}
	if len(q.answer.Results) == 0 && q.answer.Button == "" {
		b.WriteString(indent + "(nothing)\n")
	}
	if q.answer.NextOffset != "" {
		b.WriteString(indent + "…\n")
	}
}

// String shows the button as in a transcript.
func (b Button) String() string {
	switch {
	case b.URL != "":
		return "[ " + b.Text + " ↗ " + b.URL + " ]"
	case b.CopyText != "":
		return "[ " + b.Text + " ⧉ " + strings.ReplaceAll(b.CopyText, "\n", "⏎") + " ]"
	case b.Other == switchInline:
		return "[ " + b.Text + " @ " + b.Query + " ]"
	case b.Other != "":
		return "[ " + b.Text + " (" + b.Other + ") ]"
	}
	return "[ " + b.Text + " ]"
}

// previewLine shows the message's link preview: of the requested URL, or else of
// the first link in the text.
func previewLine(m *Message) string {
	link := m.LinkPreview.URL
	if m.LinkPreview.Disabled || m.Document != nil || m.Photo != nil || !m.FromBot {
		return ""
	}
	for _, e := range m.Entities {
		if link != "" {
			break
		}
		switch e.Type {
		case "text_link":
			link = e.URL
		case "url":
			link = utf16Slice(m.Text, e.Offset, e.Length)
		}
	}
	if link == "" {
		return ""
	}
	if m.Unloaded {
		return "(no preview: " + link + " can’t be loaded)"
	}
	return "(preview: " + link + ")"
}

// utf16Slice slices text by UTF-16 offset and length.
func utf16Slice(text string, offset, length int) string {
	all := utf16.Encode([]rune(text))
	return string(utf16.Decode(all[offset : offset+length]))
}

func fileInfo(d *Document) string {
	info := fmt.Sprintf("%d bytes", len(d.Data))
	if d.Type != "" {
		info += ", " + d.Type
	}
	return info
}

// fileLines returns the first lines of a text file, nil for a binary file.
func fileLines(data []byte) []string {
	if !utf8.Valid(data) {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	more := len(lines) - maxFileLines
	lines = lines[:min(len(lines), maxFileLines)]
	for i, line := range lines {
		lines[i] = "| " + line
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("| … %d more", more))
	}
	return lines
}

// marks are written before and after the text of an entity.
var marks = map[string][2]string{
	"bold": {"*", "*"}, "italic": {"_", "_"}, "underline": {"__", "__"}, "strikethrough": {"~", "~"},
	"spoiler": {"||", "||"}, "code": {"`", "`"},
}

// renderMarkup returns the text with its entities as light markup.
func renderMarkup(text string, entities []Entity) string {
	type mark struct {
		at   int
		text string
	}
	var opening, closing []mark
	var quotes []Entity
	for _, e := range entities {
		before, after := marks[e.Type][0], marks[e.Type][1]
		switch e.Type {
		case "text_link":
			before, after = "[", "]("+e.URL+")"
		case "pre":
			before, after = "```"+e.Language+"\n", "\n```"
		case "blockquote", "expandable_blockquote":
			quotes = append(quotes, e)
		}
		opening = append(opening, mark{e.Offset, before})
		closing = append(closing, mark{e.Offset + e.Length, after})
	}
	slices.Reverse(closing) // the last opened is closed first
	var b strings.Builder
	offset := 0
	emit := func(marks []mark) {
		for _, m := range marks {
			if m.at == offset {
				b.WriteString(m.text)
			}
		}
	}
	lineStart := true
	for _, r := range text {
		emit(closing)
		if lineStart {
			for _, q := range quotes {
				if q.Offset <= offset && offset < q.Offset+q.Length {
					b.WriteString(map[string]string{"blockquote": "> ", "expandable_blockquote": ">> "}[q.Type])
				}
			}
		}
		emit(opening)
		b.WriteRune(r)
		offset += utf16.RuneLen(r)
		lineStart = r == '\n'
	}
	emit(closing)
	return b.String()
}
