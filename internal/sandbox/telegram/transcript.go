package telegram

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// shownLines is how much of a text file a transcript shows.
const shownLines = 5

// event is one line of a chat's history. What it shows is as it was then.
type event struct {
	kind    eventKind
	message Message // the ID alone for eventTapped
	who     string
	text    string
	tap     *query       // of eventTapped; its answer is shown beside it, whenever it came
	inline  *inlineQuery // of eventInline, likewise
}

type eventKind int

const (
	eventSent eventKind = iota
	eventEdited
	eventDeleted // by the bot where who is ""
	eventTapped
	eventAction
	eventNote
	eventInline
)

// Transcript shows the chat as it stands, in a light markup:
//
//	#1 Ann: /start
//	#2 Bot: Hello, *Ann*. Your key ends in `cdef`.
//	   [ 🛍 Catalog ] [ Site ↗ https://… ]
//	   [ Copy ⧉ 12345 ]
//	#4 Bot: 📄 order-7.txt (12 bytes, text/plain)
//	   | first@line
//	   > A caption is shown like a text.
//
// *bold* _italic_ __underlined__ ~struck~ ||spoiler|| `code` [text](link), pre
// between lines of ```, quotes behind ">"; deleted messages are left out and
// edited ones marked.
func (w window) Transcript() string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	var b strings.Builder
	for _, m := range w.visible() {
		head := ""
		if !m.EditDate.IsZero() {
			head = " (edited)"
		}
		writeMessage(&b, &m, head)
	}
	return b.String()
}

// History shows what happened in the chat, in order: messages as Transcript does,
// and each edit, deletion, tap, chat action and block. A tap carries its answer,
// so that the order in which a bot answers and edits does not matter. It is
// empty with Options.NoLog.
func (w window) History() string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	var b strings.Builder
	for i, e := range w.c.history {
		switch e.kind {
		case eventSent:
			writeMessage(&b, &e.message, "")
		case eventEdited:
			writeMessage(&b, &e.message, " edits")
		case eventDeleted:
			who := e.who
			if who == "" {
				who = "Bot"
			}
			fmt.Fprintf(&b, "%s deletes #%d\n", who, e.message.ID)
		case eventTapped:
			fmt.Fprintf(&b, "%s %s on #%d%s\n", e.who, e.text, e.message.ID, e.tap.said())
		case eventAction:
			if i > 0 && w.c.history[i-1].kind == eventAction && w.c.history[i-1].text == e.text {
				continue // repeated while something takes long
			}
			fmt.Fprintf(&b, "Bot … %s\n", strings.ReplaceAll(e.text, "_", " "))
		case eventInline:
			writeInline(&b, e.who, w.s.bot.Username, e.inline)
		case eventNote:
			fmt.Fprintf(&b, "%s %s\n", e.who, e.text)
		}
	}
	return b.String()
}

// said is the answer to a tap, "" where none came or it says nothing.
func (q *query) said() string {
	switch a := q.answer; {
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

const indent = "   "

// writeMessage writes "#2 Bot: text", its further lines and its keyboard
// indented. what stands behind the name.
func writeMessage(b *strings.Builder, m *Message, what string) {
	who := m.From.FirstName
	if m.FromBot {
		who = "Bot"
	}
	if m.Via != "" {
		who += " via @" + m.Via
	}
	fmt.Fprintf(b, "#%d %s%s:", m.ID, who, what)
	var lines []string
	switch {
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
		lines = append(lines, strings.Split(markedUp(m.Text, m.Entities), "\n")...)
	}
	if preview != "" {
		lines = append(lines, preview)
	}
	if m.Reply != nil {
		lines = append(lines, "keyboard: "+string(m.Reply))
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

// String shows the button as a transcript does.
func (b Button) String() string {
	switch {
	case b.URL != "":
		return "[ " + b.Text + " ↗ " + b.URL + " ]"
	case b.CopyText != "":
		return "[ " + b.Text + " ⧉ " + strings.ReplaceAll(b.CopyText, "\n", "⏎") + " ]"
	case b.Other != "":
		return "[ " + b.Text + " (" + b.Other + ") ]"
	}
	return "[ " + b.Text + " ]"
}

// previewLine tells what link preview the message shows: the one asked for, or
// that of the first address where previews are not off.
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
			link = slice16(m.Text, e.Offset, e.Length)
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

// slice16 cuts text at UTF-16 offsets.
func slice16(text string, offset, length int) string {
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

// fileLines shows the first lines of a text file.
func fileLines(data []byte) []string {
	if !utf8.Valid(data) {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	more := len(lines) - shownLines
	lines = lines[:min(len(lines), shownLines)]
	for i, line := range lines {
		lines[i] = "| " + line
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("| … %d more", more))
	}
	return lines
}

// marks are what an entity puts around its text.
var marks = map[string][2]string{
	"bold": {"*", "*"}, "italic": {"_", "_"}, "underline": {"__", "__"}, "strikethrough": {"~", "~"},
	"spoiler": {"||", "||"}, "code": {"`", "`"},
}

// markedUp writes the text with its entities in light markup.
func markedUp(text string, entities []Entity) string {
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
	slices.Reverse(closing) // what opened last closes first
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
		offset += units(r)
		lineStart = r == '\n'
	}
	emit(closing)
	return b.String()
}
