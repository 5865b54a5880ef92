package market

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxRequest = 64 << 10 // bytes of a request; the longest documented one is much shorter
	hugeSize   = 16 << 20 // bytes of a Huge answer
)

// refusal is the text of an answer {"error": …}.
type refusal string

func (r refusal) Error() string { return string(r) }

// The documented errors (HStockPlus: common errors, cancel, allowcancel).
const (
	invalidKey          = refusal("Invalid API key")
	invalidAction       = refusal("Invalid action")
	serviceRequired     = refusal("Service ID is required")
	insufficientBalance = refusal("Insufficient balance")
	orderNotFound       = refusal("Order not found")
	serviceNotFound     = refusal("Service not found")
	incorrectOrder      = refusal("Incorrect order ID")
	noEarlyRefund       = refusal("Early auto refund is not available for this order")
)

// action is one action of the API.
type action struct {
	params []string                             // besides key and action
	do     func(*Server, *request) (any, error) // returns the answer; runs with mu held
}

func findAction(name string) (action, bool) {
	switch name {
	case "categories":
		return action{[]string{"lang"}, (*Server).categories}, true
	case "subcategory_info":
		return action{[]string{"subcategoryId", "lang"}, (*Server).subcategoryInfo}, true
	case "shops":
		return action{[]string{"page", "limit"}, (*Server).listShops}, true
	case "products":
		return action{[]string{"page", "limit", "category", "subcategory", "shopId", "productIds", "isRecommended", "lang"}, (*Server).products}, true
	case "services":
		return action{[]string{"page", "limit", "category", "subcategory", "shopId", "entityType", "productIds", "lang"}, (*Server).services}, true
	case "inventory":
		return action{[]string{"service", "lang"}, (*Server).inventory}, true
	case "add":
		return action{[]string{"service", "quantity", "link"}, (*Server).add}, true
	case "status":
		return action{[]string{"order"}, (*Server).status}, true
	case "cancel":
		return action{[]string{"orders"}, (*Server).cancel}, true
	case "allowcancel":
		return action{[]string{"orders"}, (*Server).allowCancel}, true
	case "balance":
		return action{nil, (*Server).balance}, true
	case "sms_projects":
		return action{[]string{"country", "lang"}, (*Server).smsProjects}, true
	case "sms_countries":
		return action{[]string{"lang"}, (*Server).smsCountries}, true
	case "add_sms":
		return action{[]string{"project_id", "quantity", "country", "phone"}, (*Server).addSMS}, true
	case "sms_code":
		return action{[]string{"order"}, (*Server).smsCode}, true
	case "sms_status":
		return action{[]string{"order"}, (*Server).smsStatus}, true
	default:
		return action{}, false
	}
}

// request is a call with a valid key.
type request struct {
	s       *Server
	action  string
	fields  url.Values
	account *account
	lang    string // "en" by default
	now     time.Time
}

func (q *request) get(name string) string { return strings.TrimSpace(q.fields.Get(name)) }

func (q *request) violation(what string) { q.s.violation(q.action, what) }

// ServeHTTP answers a call. It ignores the path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.abortIfClosed()
	start := time.Now()
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	status, formError := http.StatusOK, ""
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost:
		status, formError = http.StatusMethodNotAllowed, "Method not allowed"
	case media != "application/x-www-form-urlencoded":
		status, formError = http.StatusUnsupportedMediaType, "Unsupported media type"
	case r.ParseForm() != nil:
		status, formError = http.StatusBadRequest, "Bad request"
	}
	fields := r.PostForm

	s.mu.Lock()
	name := fields.Get("action")
	call := &Call{Action: name, At: start, Fields: fields, Lang: fields.Get("lang")}
	s.calls.add(call)
	if formError != "" {
		s.violation(name, formError)
	} else {
		s.inspect(r, name, fields)
	}
	fault := s.takeFault(name, fields.Get("key"))
	call.Fault = fault.Kind
	s.changed()
	s.mu.Unlock()

	if fault.waitsBefore() {
		s.wait(r, fault)
	}
	var body []byte
	switch {
	case formError != "":
		body = encode(errorAnswer{formError})
	case fault.commits():
		body = s.perform(name, fields)
	}
	if !fault.waitsBefore() {
		s.wait(r, fault)
	}
	status, body = fault.apply(w, status, body)

	s.mu.Lock()
	w.Header().Set("Date", time.Now().Add(s.clockOffset).UTC().Format(http.TimeFormat))
	call.Took, call.Size, call.Answer = time.Since(start), len(body), slices.Clone(body[:min(len(body), maxAnswer)])
	if !fault.losesAnswer() {
		call.Status = status
	}
	s.changed()
	s.mu.Unlock()
	s.write(w, fault, status, body)
}

// inspect records the violations that are the same for all actions. The caller
// holds mu.
func (s *Server) inspect(r *http.Request, name string, fields url.Values) {
	if r.URL.RawQuery != "" {
		s.violation(name, "parameters in the URL")
	}
	for header := range r.Header {
		if strings.Contains(strings.ToLower(header), "idempotency") {
			s.violation(name, "header "+header)
		}
	}
	known, ok := findAction(name)
	for param, values := range fields {
		if ok && param != "key" && param != "action" && !slices.Contains(known.params, param) {
			s.violation(name, "unknown parameter "+param)
		}
		if len(values) > 1 && param != "productIds" {
			s.violation(name, param+" is repeated")
		}
	}
	for _, param := range []string{"key", "action"} {
		if !fields.Has(param) {
			s.violation(name, param+" is missing")
		}
	}
	if lang := fields.Get("lang"); lang != "" && supported(lang) == "" {
		s.violation(name, "unknown lang "+lang)
	}
}

// perform carries an action out and returns the answer.
func (s *Server) perform(name string, fields url.Values) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[fields.Get("key")]
	if a == nil || a.Removed {
		return encode(errorAnswer{string(invalidKey)})
	}
	known, ok := findAction(name)
	if !ok {
		return encode(errorAnswer{string(invalidAction)})
	}
	q := &request{
		s: s, action: name, fields: fields, account: a, now: time.Now(),
		lang: cmp.Or(supported(fields.Get("lang")), "en"),
	}
	s.settleRentals(a, q.now)
	answer, err := known.do(s, q)
	if err != nil {
		return encode(errorAnswer{err.Error()})
	}
	s.changed()
	return encode(answer)
}

// wait waits for the delay of a fault. It breaks the connection if the caller
// gives up or the server is closed first.
func (s *Server) wait(r *http.Request, f Fault) {
	if f.Delay <= 0 || f.Kind == TooMany {
		return
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-s.closed:
		panic(http.ErrAbortHandler)
	}
}

const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

// apply turns the right answer into that of the fault.
func (f Fault) apply(w http.ResponseWriter, status int, body []byte) (int, []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch f.Kind {
	case Answer:
		return cmp.Or(f.Status, http.StatusOK), bytes.ReplaceAll([]byte(f.Body), []byte(RightAnswer), body)
	case Refuse:
		return cmp.Or(f.Status, http.StatusOK), encode(errorAnswer{cmp.Or(f.Message, "Something went wrong")})
	case HTML502:
		w.Header().Set("Content-Type", "text/html")
		return http.StatusBadGateway, []byte(badGateway)
	case TooMany:
		if seconds := int(f.Delay.Seconds()); seconds > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(seconds))
		}
		return http.StatusTooManyRequests, encode(errorAnswer{"Too many requests"})
	case Empty:
		return http.StatusOK, nil
	case Garbage:
		return http.StatusOK, []byte("<!doctype html><title>Just a moment...</title>")
	case Huge:
		return http.StatusOK, append(append(body, bytes.Repeat([]byte(" "), hugeSize)...), "{}"...)
	default:
		return status, body
	}
}

func compress(body []byte) []byte {
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, _ = w.Write(body) // a bytes.Buffer takes everything
	_ = w.Close()
	return buffer.Bytes()
}

// write sends the answer, or breaks the connection if the fault is such.
func (s *Server) write(w http.ResponseWriter, f Fault, status int, body []byte) {
	s.abortIfClosed()
	if f.losesAnswer() {
		panic(http.ErrAbortHandler)
	}
	if f.Gzip {
		w.Header().Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if f.Kind == Cut {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body) // the caller may have gone
}

// abortIfClosed breaks the connection if the server is closed.
func (s *Server) abortIfClosed() {
	select {
	case <-s.closed:
		panic(http.ErrAbortHandler)
	default:
	}
}

type errorAnswer struct {
	Error string `json:"error"`
}

// encode returns compact JSON in which <, > and & are not escaped, as the real
// marketplace sends it.
func encode(answer any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		panic(err) // never: all answers are plain structs of this package
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}
