package hstock

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxRefusalBytes is the size from which on an answer is not looked at for a refusal.
const maxRefusalBytes = 64 << 10

// refusalMessage returns the words of an answer that refuses, and whether it is one.
// hasState: answers to the action have a "status" of their own.
func refusalMessage(value []byte, httpStatus int, hasState bool) (string, bool) {
	if value[0] != '{' || len(value) > maxRefusalBytes {
		return "", false
	}
	var named map[string]json.RawMessage
	unmarshal(value, &named)
	members, bare := make(map[string]json.RawMessage, len(named)), true // bare: about the answer only
	for name, member := range named {
		members[plainMemberName(name)] = member
		bare = bare && isEnvelopeName(name)
	}
	message := wordsOfMembers(members, messageNames)
	for _, name := range []string{"error", "errors", "errormessage", "err"} {
		if member := members[name]; isError(member) {
			words := wordsOf(name, member, 0)
			if words == "" || message != "" && isStatusText(words) { // "Bad Request"
				words = message
			}
			return wordsOr(words, value), true
		}
	}
	refused := isFalse(members["success"]) || isFalse(members["ok"]) || isFalse(members["status"])
	switch strings.ToLower(strings.TrimSpace(member(members, "status"))) {
	case "error", "failure", "fail":
		refused = refused || !hasState || bare && message != ""
	case "failed":
		refused = refused || !hasState
	}
	switch httpStatus {
	case http.StatusBadRequest, http.StatusPaymentRequired, http.StatusConflict, http.StatusUnprocessableEntity:
		refused = refused || message != ""
	}
	for _, name := range []string{"code", "statuscode"} {
		if code, err := strconv.Atoi(member(members, name)); err == nil && code >= 400 && code < 600 && !hasState {
			refused = refused || bare && message != ""
		}
	}
	return wordsOr(message, value), refused
}

// messageNames are the names of members that hold words, the most telling first.
var messageNames = []string{"message", "msg", "error", "errormessage", "errordescription", "reason", "detail", "details", "description", "title", "errors", "code"}

func member(members map[string]json.RawMessage, name string) string {
	if data := members[name]; len(data) > 0 {
		return scalar(data)
	}
	return ""
}

// wordsOr returns the words, or the answer itself where it has none.
func wordsOr(words string, value []byte) string {
	if words == "" {
		return string(value)
	}
	return words
}

func isFalse(data json.RawMessage) bool {
	if len(data) == 0 {
		return false
	}
	var f flag
	_ = f.UnmarshalJSON(data)
	return f.ok && !f.value
}

// isError reports whether the value of "error" is an error: not null, false, 0, an
// empty one, or a word for none.
func isError(data json.RawMessage) bool {
	if len(data) == 0 || data[0] == 'n' || data[0] == 'f' {
		return false
	}
	if data[0] == '{' || data[0] == '[' {
		return len(strings.Trim(string(data), "{}[] \t\r\n")) > 0
	}
	switch strings.ToLower(strings.TrimSpace(scalar(data))) {
	case "", "0", "false", "no", "none", "null", "ok", "success":
		return false
	}
	return true
}

func isStatusText(words string) bool {
	for status := http.StatusBadRequest; status < 600; status++ {
		if text := http.StatusText(status); text != "" && strings.EqualFold(text, words) {
			return true
		}
	}
	return false
}

const maxWordsDepth = 5

// wordsOf returns the words in a value: a string; those of a list, joined; of an
// object those of the first of messageNames, or else of all its members. Words of a
// member that do not name it ("too small") follow its name.
func wordsOf(name string, data json.RawMessage, depth int) string {
	if depth > maxWordsDepth {
		return ""
	}
	var all []string
	switch data[0] {
	case '"':
		return strings.TrimSpace(scalar(data))
	case '[':
		var elements []json.RawMessage
		unmarshal(data, &elements)
		for _, element := range elements {
			all = append(all, wordsOf(name, element, depth+1))
		}
	case '{':
		var named map[string]json.RawMessage
		unmarshal(data, &named)
		members := make(map[string]json.RawMessage, len(named))
		for name, member := range named {
			members[plainMemberName(name)] = member
		}
		if words := wordsOfMembers(members, messageNames); words != "" {
			return words
		}
		for _, name := range slices.Sorted(maps.Keys(named)) {
			words := wordsOf(name, named[name], depth+1)
			if _, err := strconv.Atoi(name); words != "" && err != nil && !strings.Contains(strings.ToLower(words), strings.ToLower(name)) {
				words = fmt.Sprintf("%s: %s", name, words)
			}
			all = append(all, words)
		}
	default: // a flag, or the number of an error
		if plainMemberName(name) == "code" {
			return scalar(data)
		}
	}
	return strings.Join(slices.DeleteFunc(all, func(words string) bool { return words == "" }), "; ")
}

// wordsOfMembers returns the words of the first of these members that has any.
func wordsOfMembers(members map[string]json.RawMessage, names []string) string {
	for _, name := range names {
		if member := members[name]; len(member) > 0 {
			if words := wordsOf(name, member, 1); words != "" {
				return words
			}
		}
	}
	return ""
}

// errorWords is an "error" member inside an answer.
type errorWords struct {
	message string
	ok      bool
}

func (e *errorWords) UnmarshalJSON(data []byte) error {
	*e = errorWords{ok: isError(data)}
	if e.ok {
		e.message = sanitize(wordsOf("error", data, 0))
	}
	return nil
}

// isNotYet reports whether a refusal only says that the code has not come.
func isNotYet(words string) bool {
	words = normalizeStatus(words)
	for _, end := range []string{"expire", "cancel", "refund", "closed", "timeout", "timed out", "time out", "banned", "finished", "invalid"} {
		if strings.Contains(words, end) {
			return false
		}
	}
	for _, wait := range []string{"waiting", "wait for", "wait code", "please wait", "not yet", "not received", "not arrived", "no sms", "no code", "pending"} {
		if strings.Contains(words, wait) {
			return true
		}
	}
	return false
}
