package hstock

import (
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
)

// readBody reads an answer of at most limit bytes, before and after decompression,
// and returns it as UTF-8 without surrounding spaces. contentEncoding is the header
// Content-Encoding.
func readBody(ctx context.Context, from io.Reader, contentEncoding string, limit int64) ([]byte, error) {
	body, err := readLimited(from, limit)
	if err == nil {
		body, err = decompress(body, contentEncoding, limit)
	}
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, err
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, errCutOff
	}
	if body = trimBody(decodeUTF16(body)); len(body) == 0 {
		return nil, errEmpty
	}
	return body, nil
}

func readLimited(from io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, limit+1))
	if int64(len(body)) > limit {
		return nil, ErrTooLarge
	}
	return body, err
}

// maxCompressions is how often one answer may be compressed: by the marketplace and
// by a proxy.
const maxCompressions = 2

// decompress undoes gzip, which is recognized by its first bytes, and deflate, which
// is not and needs the header. A body that is not compressed is returned as it is,
// because proxies decompress without removing the header.
func decompress(body []byte, contentEncoding string, limit int64) ([]byte, error) {
	deflated := strings.Contains(strings.ToLower(contentEncoding), "deflate")
	for range maxCompressions {
		var from io.Reader
		var err error
		switch {
		case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
			from, err = gzip.NewReader(bytes.NewReader(body))
		case deflated && !json.Valid(body):
			deflated = false
			if from, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
				from, err = flate.NewReader(bytes.NewReader(body)), nil // without the header of zlib
			}
		default:
			return body, nil
		}
		if err == nil {
			body, err = readLimited(from, limit)
		}
		if err != nil {
			return nil, err
		}
	}
	return body, nil
}

// decodeUTF16 returns a text with a byte order mark of UTF-16 as UTF-8.
func decodeUTF16(body []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(body, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	case bytes.HasPrefix(body, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	default:
		return body
	}
	units := make([]uint16, 0, len(body)/2)
	for rest := body[2:]; len(rest) >= 2; rest = rest[2:] {
		units = append(units, order.Uint16(rest))
	}
	return []byte(string(utf16.Decode(units)))
}

// trimBody removes a byte order mark and surrounding spaces.
func trimBody(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
}

// findJSON returns the JSON value of an answer: the whole body, the JSON in a JSON
// string, or the one object or list of objects that stands in a text. It returns nil
// if there is none or several, if one is cut off, or if the text is a page.
func findJSON(body []byte) []byte {
	if json.Valid(body) {
		if inner := []byte(strings.TrimSpace(scalar(body))); body[0] == '"' && beginsJSON(inner) && json.Valid(inner) {
			return inner
		}
		return body
	}
	if isPage(body) {
		return nil
	}
	var found []byte
	for rest := body; len(rest) > 0; {
		if !beginsJSON(rest) {
			rest = rest[1:]
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(rest))
		var value json.RawMessage
		if decoder.Decode(&value) != nil || found != nil {
			return nil // broken, cut off, or a second one
		}
		found, rest = value, rest[decoder.InputOffset():]
	}
	return found
}

// beginsJSON reports whether an object or a list of objects begins here. "{main}" and
// "[2027-01-01]" in the message of a server are neither.
func beginsJSON(text []byte) bool {
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	next := bytes.TrimLeft(text[1:], " \t\r\n")
	if text[0] == '[' {
		return len(next) > 0 && next[0] == '{'
	}
	return len(next) > 0 && (next[0] == '"' || next[0] == '}')
}

// isPage reports whether a text is an HTML page, whose scripts may contain objects
// that are not the answer. Messages of PHP contain <br> and <b> only.
func isPage(text []byte) bool {
	text = bytes.ToLower(text)
	for _, tag := range []string{"<!doctype", "<html", "<head", "<body", "<script"} {
		if bytes.Contains(text, []byte(tag)) {
			return true
		}
	}
	return false
}

// maxEnvelopes is how many envelopes one answer may have.
const maxEnvelopes = 3

// unwrap returns the answer inside an envelope: an object in a member named data,
// result, response or payload, beside which stand only isEnvelopeName members.
func unwrap(value []byte) []byte {
	for range maxEnvelopes {
		if value[0] != '{' || !slices.ContainsFunc(contentNames, func(name string) bool { return bytes.Contains(value, []byte(name)) }) {
			break
		}
		var members map[string]json.RawMessage
		if !unmarshal(value, &members) {
			break
		}
		var inner json.RawMessage
		for name, member := range members {
			switch {
			case slices.Contains(contentNames, name) && inner == nil && len(member) > 2 && member[0] == '{':
				inner = member
			case !isEnvelopeName(name):
				return value
			}
		}
		if inner == nil {
			break
		}
		value = inner
	}
	return value
}

// contentNames are the names of the member of an envelope that is the answer.
var contentNames = []string{"data", "result", "response", "payload"}

// isEnvelopeName reports whether a member is about the answer, not part of it.
func isEnvelopeName(name string) bool {
	switch plainMemberName(name) {
	case "status", "success", "ok", "code", "statuscode", "error", "errors", "errormessage", "errorcode", "message", "msg", "reason",
		"detail", "details", "description", "title", "type", "timestamp", "time", "path", "requestid", "traceid", "version", "meta":
		return true
	}
	return slices.Contains(contentNames, name)
}

// unmarshal decodes a JSON value into v and skips members of the wrong type. It
// returns false and leaves v unchanged if data is not one complete value.
func unmarshal(data []byte, v any) bool {
	err := json.Unmarshal(data, v)
	var mismatch *json.UnmarshalTypeError
	return err == nil || errors.As(err, &mismatch)
}

// firstOf returns the first value that is not empty.
func firstOf(values ...text) string { return string(cmp.Or(values...)) }
