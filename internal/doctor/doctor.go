// Package doctor finds what is wrong with a bot that is to run or runs: its settings,
// Telegram, the marketplace, and the database. It reads only: it makes no file, writes
// nothing to the database, migrates nothing, and never asks Telegram for updates, so it may
// run beside the bot.
//
// Four sources are read at the same time, each with a deadline (sources.go). Then each
// check makes its lines of what they gave (checks.go and the files of its topics), in a
// fixed order. No line contains a secret.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
	"unicode"

	"hstockbot/internal/config"
	"hstockbot/internal/redact"
)

// Level says how bad a line is.
type Level string

// The levels. Only Bad needs somebody to act.
const (
	OK   Level = "ok"
	Info Level = "info"
	Bad  Level = "bad"
)

// Line is one result of a check. Its form in JSON is stable.
type Line struct {
	Check  string `json:"check"`
	Level  Level  `json:"level"`
	Text   string `json:"text"`
	Advice string `json:"advice"` // what to do, "" for nothing
}

// Options is what is to be examined.
type Options struct {
	Config   config.Config
	Problems []error // of the settings (config.LoadAll)
	Version  string  // of this program
	// Build names the toolchain and the system that the program was built with and for.
	Build string
	// IsLocked reports whether a program uses an existing database file.
	IsLocked func(path string) (bool, error)
	// Dial connects to Telegram and the marketplace instead of TCP; may be nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

const (
	// timeout is how long each source may take.
	timeout = 10 * time.Second
	// lastTimeout is how long all may take: a disk that hangs obeys no deadline.
	lastTimeout = 13 * time.Second
)

// errLate is the error of a source that has not answered within lastTimeout.
var errLate = errors.New("no answer in time")

// Examine makes all checks and returns their lines.
func Examine(ctx context.Context, o Options) (lines []Line) {
	f := read(ctx, o)
	hidden := redact.New(o.Config.Secrets()...)
	for _, check := range checks {
		for _, line := range check.judge(f) {
			line.Check = check.name
			line.Text, line.Advice = clean(hidden.String(line.Text)), clean(hidden.String(line.Advice))
			lines = append(lines, line)
		}
	}
	return lines
}

// clean returns text as one line that controls no terminal.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// HasBad reports whether something is bad.
func HasBad(lines []Line) bool {
	return slices.ContainsFunc(lines, func(l Line) bool { return l.Level == Bad })
}

// Print writes a line for each result.
func Print(to io.Writer, lines []Line) error {
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&text, "%-4s  %-*s  %s", line.Level, longestName, line.Check, line.Text)
		if line.Advice != "" {
			text.WriteString("; " + line.Advice)
		}
		text.WriteByte('\n')
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// PrintJSON writes an array of the results.
func PrintJSON(to io.Writer, lines []Line) error {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(lines)
}

// Names returns the names of all checks, in the order of their lines.
func Names() (names []string) {
	for _, check := range checks {
		names = append(names, check.name)
	}
	return names
}

// findings are the results of one check.
type findings []Line

func (f *findings) ok(text string, args ...any) {
	*f = append(*f, Line{Level: OK, Text: fmt.Sprintf(text, args...)})
}

// add adds a line with what to do.
func (f *findings) add(level Level, advice, text string, args ...any) {
	*f = append(*f, Line{Level: level, Text: fmt.Sprintf(text, args...), Advice: advice})
}
