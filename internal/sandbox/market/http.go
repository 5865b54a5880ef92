package market

import (
	"bytes"
	"cmp"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRequest bounds the body of a request; the longest documented one, a
// hundred ids, is well under it.
const maxRequest = 64 << 10

// refusal is an answer {"error": …}.
type refusal string

func (r refusal) Error() string { return string(r) }

// The documented sentences (HStockPlus: common errors, cancel, allowcancel).
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

// action is what one value of the parameter action does. The function runs
// with mu held and returns what is to be put into JSON.
type action struct {
	params []string // besides key and action
	do     func(*Server, *request) (any, error)
}

// actionOf finds an action by its name.
func actionOf(name string) (action, bool) {
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

// request is a call that got through to its action.
type request struct {
	s       *Server
	action  string
	fields  url.Values
	account *account
	lang    string // "en" where none was asked for
	now     time.Time
}

func (q *request) get(name string) string { return strings.TrimSpace(q.fields.Get(name)) }

func (q *request) violation(what string) { q.s.violation(q.action, what) }

// ServeHTTP answers one call, whatever its path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.abortIfClosed()
	began := time.Now()
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
	call := &Call{Action: name, At: began, Fields: fields, Lang: fields.Get("lang")}
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
		status, body = s.perform(name, fields)
	}
	if !fault.waitsBefore() {
		s.wait(r, fault)
	}
	status, body = s.spoil(w, fault, status, body)

	s.mu.Lock()
	call.Took, call.Size, call.Answer = time.Since(began), len(body), slices.Clone(body[:min(len(body), maxAnswer)])
	if fault.Kind != CutBefore && fault.Kind != CommitThenLose {
		call.Status = status
	}
	s.changed()
	s.mu.Unlock()
	s.write(w, fault, status, body)
}

// inspect notes what the document doesn't allow in any call. The caller holds mu.
func (s *Server) inspect(r *http.Request, name string, fields url.Values) {
	if r.URL.RawQuery != "" {
		s.violation(name, "parameters in the address")
	}
	for header := range r.Header {
		if strings.Contains(strings.ToLower(header), "idempotency") {
			s.violation(name, "header "+header)
		}
	}
	known, ok := actionOf(name)
	for param, values := range fields {
		switch {
		case param == "key" || param == "action":
		case ok && !slices.Contains(known.params, param):
			s.violation(name, "unknown parameter "+param)
		}
		if len(values) > 1 && param != "productIds" {
			s.violation(name, param+" more than once")
		}
	}
	for _, param := range []string{"key", "action"} {
		if !fields.Has(param) {
			s.violation(name, param+" missing")
		}
	}
	if lang := fields.Get("lang"); lang != "" && langOf(lang) == "" {
		s.violation(name, "unknown lang "+lang)
	}
}

// perform carries an action out.
func (s *Server) perform(name string, fields url.Values) (status int, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[fields.Get("key")]
	if a == nil || a.removed {
		return cmp.Or(s.opt.InvalidKeyStatus, s.opt.ErrorStatus, http.StatusOK), encode(errorAnswer{string(invalidKey)})
	}
	known, ok := actionOf(name)
	answer, err := any(nil), error(invalidAction)
	if ok {
		q := &request{
			s: s, action: name, fields: fields, account: a, now: time.Now(),
			lang: cmp.Or(langOf(fields.Get("lang")), "en"),
		}
		s.expire(a, q.now)
		answer, err = known.do(s, q)
	}
	if err != nil {
		return cmp.Or(s.opt.ErrorStatus, http.StatusOK), encode(errorAnswer{err.Error()})
	}
	return http.StatusOK, encode(answer)
}

// wait holds an answer up as the fault says. It cuts the connection where the
// caller or the server ends first.
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

// hugeSize is how long a Huge answer is.
const hugeSize = 16 << 20

const badGateway = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n" +
	"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"

// spoil turns a good answer into the one that the fault wants.
func (s *Server) spoil(w http.ResponseWriter, f Fault, status int, body []byte) (int, []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	switch f.Kind {
	case Refuse:
		return cmp.Or(f.Status, s.opt.ErrorStatus, http.StatusOK), encode(errorAnswer{cmp.Or(f.Message, "Something went wrong")})
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

// write sends the answer, or breaks the connection as the fault says.
func (s *Server) write(w http.ResponseWriter, f Fault, status int, body []byte) {
	s.abortIfClosed()
	if f.Kind == CutBefore || f.Kind == CommitThenLose {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if f.Kind == Cut {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body) // a caller who has gone needs no answer
}

// abortIfClosed breaks the connection of a server that has ended.
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

// encode writes JSON as the marketplace's own server does: compact, with <, >
// and & as they are.
func encode(answer any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		panic(err) // all answers are plain structs of this package
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n"))
}
