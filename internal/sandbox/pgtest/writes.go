package pgtest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
)

// writes follow what a connection's transactions write.
type writes struct {
	statements  map[string]string // by the names that the client gave them
	tables      []string          // that the present transaction has written
	transaction atomic.Bool       // the server waits for its end
}

// written finds the tables that a statement writes, and a state that it names itself.
var written = regexp.MustCompile(`(?i)\b(?:INSERT INTO|UPDATE|DELETE FROM|COPY)\s+"?([a-z_]+)(?:\s+SET\s+state\s*=\s*'([a-z_]+)')?`)

// read reads a message of the client. It returns what a commit writes, before it is
// sent, or "".
func (w *writes) read(message []byte, states []string) string {
	switch body := message[5:]; message[0] {
	case parseMessage:
		if parts := bytes.SplitN(body, []byte{0}, 3); len(parts) == 3 {
			if w.statements == nil {
				w.statements = map[string]string{}
			}
			w.statements[string(parts[0])] = string(parts[1])
		}
	case bindMessage:
		if parts := bytes.SplitN(body, []byte{0}, 3); len(parts) == 3 {
			w.add(w.statements[string(parts[1])], firstState(parts[2], states))
		}
	case queryMessage:
		query := strings.TrimRight(string(body), "\x00")
		w.add(query, "")
		switch ends := strings.ToLower(query); {
		case ends == "rollback":
			w.tables = nil
		case ends == "commit", !w.transaction.Load() && !strings.HasPrefix(ends, "begin"):
			return w.commit()
		}
	case syncMessage:
		if !w.transaction.Load() {
			return w.commit()
		}
	}
	return ""
}

// firstState returns the first parameter of a Bind that is a state. What precedes the
// parameters are their formats.
func firstState(parameters []byte, states []string) string {
	number := func() int {
		if len(parameters) < 2 {
			return 0
		}
		n := int(binary.BigEndian.Uint16(parameters))
		parameters = parameters[2:]
		return n
	}
	for range number() {
		number()
	}
	for range number() {
		if len(parameters) < 4 {
			break
		}
		length := int(binary.BigEndian.Uint32(parameters))
		if length == math.MaxUint32 { // NULL
			length = 0
		}
		if len(parameters) < 4+length {
			break
		}
		if value := string(parameters[4 : 4+length]); slices.Contains(states, value) {
			return value
		}
		parameters = parameters[4+length:]
	}
	return ""
}

// ready reads whether the server is in a transaction.
func (w *writes) ready(message []byte) { w.transaction.Store(len(message) > 5 && message[5] != 'I') }

func (w *writes) add(query, state string) {
	for _, match := range written.FindAllStringSubmatch(query, -1) {
		table := match[1]
		if state := cmp.Or(match[2], state); state != "" {
			table += ":" + state
		}
		if !slices.Contains(w.tables, table) && !strings.EqualFold(table, "set") {
			w.tables = append(w.tables, table)
		}
	}
}

func (w *writes) commit() string {
	if len(w.tables) == 0 {
		return ""
	}
	slices.Sort(w.tables)
	commit := "commit " + strings.Join(w.tables, ",")
	w.tables = nil
	return commit
}
