package hstock

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"hstockbot/internal/redact"
)

// list is a list of values of one type. Elements of the wrong type decode to the zero
// value, so that positions are kept.
type list[T any] struct {
	elements []T
	ok       bool
}

func (l *list[T]) UnmarshalJSON(data []byte) error {
	*l = list[T]{}
	if data[0] == '[' {
		l.ok = unmarshal(data, &l.elements)
		return nil
	}
	raw, _, ok := elementsOf(data)
	if l.ok = ok; !ok && data[0] == '{' { // one object without a list
		raw, l.ok = []json.RawMessage{data}, true
	}
	for _, element := range raw {
		var value T
		unmarshal(element, &value)
		l.elements = append(l.elements, value)
	}
	return nil
}

// decodeList decodes a bare list, or the first of the named members that is a list or
// an object.
func decodeList[T any](body []byte, names ...string) (l list[T], ok bool) {
	var members map[string]json.RawMessage
	if body[0] == '{' && unmarshal(body, &members) {
		for _, name := range names {
			if member := members[name]; len(member) > 0 {
				if unmarshal(member, &l); l.ok {
					return l, true
				}
			}
		}
	}
	if !isBareList(body) {
		return list[T]{}, false
	}
	unmarshal(body, &l)
	return l, l.ok
}

// isBareList reports whether an answer is a list without an envelope: an array, or an
// object whose names are whole numbers.
func isBareList(body []byte) bool {
	_, keys, isList := elementsOf(body)
	return isList && (body[0] == '[' || len(keys) > 0)
}

// elementsOf returns the elements of a list: an array; an object whose names are
// whole numbers, as PHP writes a list with gaps, in their order; an object with
// nothing in it, or with nothing but an array; or a string with an array in JSON.
func elementsOf(data []byte) (elements []json.RawMessage, keys []string, ok bool) {
	switch data[0] {
	case '[':
		return elements, nil, unmarshal(data, &elements)
	case '"':
		inner := []byte(strings.TrimSpace(scalar(data)))
		if len(inner) > 0 && inner[0] == '[' && unmarshal(inner, &elements) {
			return elements, nil, true
		}
		return nil, nil, false
	case '{':
		var members map[string]json.RawMessage
		if !unmarshal(data, &members) {
			return nil, nil, false
		}
		numbers := make(map[int64]string, len(members))
		for name, member := range members {
			n, err := strconv.ParseInt(name, 10, 64)
			if err != nil {
				if len(members) == 1 && member[0] == '[' {
					return elements, nil, unmarshal(member, &elements)
				}
				return nil, nil, false
			}
			numbers[n] = name
		}
		for _, n := range slices.Sorted(maps.Keys(numbers)) {
			elements, keys = append(elements, members[numbers[n]]), append(keys, numbers[n])
		}
		return elements, keys, true
	}
	return nil, nil, false
}

// codes is the codes or texts of several SMS: a list, or one of them without a list.
type codes[T ~string] []T

func (c *codes[T]) UnmarshalJSON(data []byte) error {
	*c = nil
	elements, _, isList := elementsOf(data)
	if !isList {
		elements = []json.RawMessage{data}
	}
	for _, element := range elements {
		var value T
		unmarshal(element, &value)
		*c = append(*c, value)
	}
	return nil
}

// accounts is what an order delivered: a list of accounts, one object, or a string
// with an account in each line.
type accounts []redact.Secret

func (a *accounts) UnmarshalJSON(data []byte) error {
	*a = nil
	elements, _, isList := elementsOf(data)
	if !isList && data[0] == '"' {
		for _, account := range splitAccounts(scalar(data)) {
			*a = append(*a, redact.Secret(account))
		}
		return nil
	}
	if !isList {
		elements = []json.RawMessage{data}
	}
	for _, element := range elements {
		if account := accountText(element); account != "" {
			*a = append(*a, redact.Secret(account))
		}
	}
	return nil
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "<br>", "\n", "<br/>", "\n", "<br />", "\n")

// splitAccounts returns the accounts of a string: blocks of several lines that are
// separated by empty lines and are equally long, or else its lines.
func splitAccounts(s string) []string {
	s = lineBreaks.Replace(s)
	var blocks, lines []string
	var block []string
	for line := range strings.SplitSeq(s+"\n", "\n") {
		if strings.TrimSpace(line) != "" {
			block, lines = append(block, line), append(lines, line)
			continue
		}
		if len(block) > 0 {
			blocks = append(blocks, strings.Join(block, "\n"))
		}
		block = nil
	}
	if len(blocks) > 1 && len(lines) > len(blocks) {
		height := strings.Count(blocks[0], "\n")
		if !slices.ContainsFunc(blocks, func(b string) bool { return strings.Count(b, "\n") != height }) {
			return blocks
		}
	}
	return lines
}

// accountText returns an account: a string or number as it is; an object in one form
// that does not change between answers. For that its members are sorted, and those
// that are about the answer and not about the account are left out (isPassing). If
// one string remains beside numbers and states of the account, it is the account.
func accountText(data []byte) string {
	if data[0] != '{' && data[0] != '[' || isExtendedObject(data) {
		return scalar(data)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return ""
	}
	value = withoutPassing(value)
	members, isObject := value.(map[string]any)
	var content []string
	for name, member := range members {
		if !isLabel(name) {
			s, isString := member.(string)
			if !isString {
				content = nil
				break
			}
			content = append(content, s)
		}
	}
	if isObject && len(content) == 1 {
		return content[0]
	}
	if list, isList := value.([]any); len(members) == 0 && isObject || len(list) == 0 && isList {
		return ""
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(value) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func isExtendedObject(data []byte) bool { return data[0] == '{' && isExtended(data) }

// withoutPassing returns a JSON value without empty and passing members.
func withoutPassing(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			member = withoutPassing(member)
			if value[name] = member; member == nil || member == "" || isPassing(name, member) {
				delete(value, name)
			}
		}
	case []any:
		for i := range value {
			value[i] = withoutPassing(value[i])
		}
	}
	return value
}

// isPassing reports whether a member of an account is about the answer: when it was
// made, how often it was read, whether it was delivered. Dates with a time of day
// are, unless their name says until or since when the account is good.
func isPassing(name string, member any) bool {
	name = plainMemberName(name)
	switch name {
	case "t", "ts", "time", "timestamp", "now", "date", "datetime", "servertime", "nonce", "requestid", "traceid", "correlationid", "signature", "sig",
		"etag", "cursor", "ttl", "age", "elapsed", "took", "expiresin", "secondsleft", "timeleft", "remaining", "views", "viewcount", "reads", "hits",
		"counter", "count", "index", "position", "row", "random", "rand", "status", "state":
		return true
	}
	stem := name
	for _, suffix := range []string{"timestamp", "time", "date", "at", "on", "ts"} {
		if cut, found := strings.CutSuffix(name, suffix); found && cut != "" {
			stem = cut
			break
		}
	}
	switch strings.TrimPrefix(stem, "last") {
	case "fetched", "fetch", "checked", "check", "updated", "update", "modified", "refreshed", "refresh", "synced", "sync", "generated", "issued",
		"requested", "request", "sent", "served", "delivered", "delivery", "viewed", "view", "seen", "accessed", "access", "read", "retrieved", "queried",
		"cached", "exported", "downloaded", "printed", "response":
		return true
	}
	s, isString := member.(string)
	if !isString || !strings.Contains(s, ":") {
		return false
	}
	if _, isTime := parseTime(s); !isTime {
		return false
	}
	for _, part := range []string{"expir", "until", "valid", "end", "birth", "creat", "regist", "since", "start"} {
		if strings.Contains(name, part) {
			return false
		}
	}
	return true
}

// isLabel reports whether a member of an account only says which one it is.
func isLabel(name string) bool {
	switch plainMemberName(name) {
	case "id", "uuid", "guid", "no", "order", "orderid", "service", "serviceid", "product", "productid", "subproductid", "variant", "type", "format":
		return true
	}
	return false
}

// plainMemberName returns the name of a member without case, "_" and "-".
func plainMemberName(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}
