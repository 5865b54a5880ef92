package telegram

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Limits of a request (Bot API: "Sending files").
const (
	maxFile = 50 << 20
	maxBody = maxFile + 1<<20
	maxText = 1 << 20 // of a parameter that is not a file
)

// value is a parameter. text is set for every encoding. node is set for the values of
// a JSON body and, after the check, for nested values.
type value struct {
	text  string
	node  any  // as encoding/json decodes with UseNumber
	typed bool // from a JSON body
	file  *Document
}

// args are the parameters of a call by name.
type args map[string]value

func (a args) str(name string) string { return a[name].text }

// integer returns 0 if the parameter is missing or not an integer.
func (a args) integer(name string) int64 {
	n, err := strconv.ParseInt(a[name].text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (a args) flag(name string) bool {
	on, _ := parseBool(a[name].text)
	return on
}

// parseBool reads a Boolean in a form, as Telegram does.
func parseBool(text string) (on, ok bool) {
	switch strings.ToLower(text) {
	case "true", "1", "yes":
		return true, true
	case "false", "0", "no", "":
		return false, true
	}
	return false, false
}

// unsupported returns a parameter that the sandbox does not implement, "" if none.
func (a args) unsupported() string {
	for _, name := range []string{
		"business_connection_id", "direct_messages_topic_id",
		"suggested_post_parameters", "inline_message_id", "rich_message",
		"allow_paid_broadcast", "certificate",
	} {
		if _, ok := a[name]; ok {
			return name
		}
	}
	return ""
}

var errTooLarge = refuse(http.StatusRequestEntityTooLarge, "Request Entity Too Large")

// readArgs reads the parameters from the query string and from a body in any of the
// three encodings (Bot API: "Making requests").
func readArgs(w http.ResponseWriter, r *http.Request) (args, *apiError) {
	a := args{}
	if r.URL.RawQuery != "" {
		a.addForm(r.URL.Query())
	}
	if r.Body == nil || r.Body == http.NoBody {
		return a, nil
	}
	body := http.MaxBytesReader(w, r.Body, maxBody)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch kind {
	case "multipart/form-data":
		return a, a.readMultipart(multipart.NewReader(body, params["boundary"]))
	case "application/json", "application/x-www-form-urlencoded":
	default: // Telegram reads no parameters from anything else
		_, _ = io.Copy(io.Discard, body)
		return a, nil
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return a, readError(err)
	}
	if kind == "application/json" {
		return a, a.readJSON(data)
	}
	form, err := url.ParseQuery(string(data))
	if err != nil {
		return a, badRequest("can't parse the urlencoded body")
	}
	a.addForm(form)
	return a, nil
}

func readError(err error) *apiError {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return badRequest("can't read the request: %v", err)
}

func (a args) addForm(form url.Values) {
	for name, values := range form {
		a[name] = value{text: values[0]}
	}
}

func (a args) readMultipart(form *multipart.Reader) *apiError {
	var data bytes.Buffer
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return readError(err)
		}
		name, fileName := part.FormName(), part.FileName()
		limit := int64(maxText)
		if fileName != "" {
			limit = maxFile
		}
		data.Reset()
		n, err := data.ReadFrom(io.LimitReader(part, limit+1))
		switch {
		case err != nil:
			return readError(err)
		case n > limit:
			return errTooLarge
		case fileName == "":
			a[name] = value{text: data.String()}
		default:
			a[name] = value{file: &Document{
				Name: fileName, Type: part.Header.Get("Content-Type"), Data: bytes.Clone(data.Bytes()),
			}}
		}
	}
}

func (a args) readJSON(data []byte) *apiError {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	node, err := decodeJSON(data)
	fields, ok := node.(map[string]any)
	if err != nil || !ok {
		return badRequest("can't parse the JSON body as an object")
	}
	for name, node := range fields {
		v := value{node: node, typed: true}
		switch x := node.(type) {
		case nil:
			continue // Telegram treats null as a missing parameter
		case string:
			v.text = x
		case json.Number:
			v.text = x.String()
		case bool:
			v.text = strconv.FormatBool(x)
		default:
			v.text = string(canonicalJSON(node))
		}
		a[name] = v
	}
	return nil
}

// decodeJSON reads exactly one JSON value.
func decodeJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var node any
	if err := d.Decode(&node); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return node, nil
}

// canonicalJSON writes a decoded value with sorted fields, so that equal values have
// equal bytes.
func canonicalJSON(node any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(node); err != nil {
		return nil // never happens: node comes from decodeJSON
	}
	return bytes.TrimSpace(b.Bytes())
}

// nodeInteger returns 0 if a nested value is not an integer.
func nodeInteger(node any) int64 {
	n, _ := node.(json.Number)
	i, err := n.Int64()
	if err != nil {
		return 0
	}
	return i
}
