package hstock

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// TestJSONInText reads an order from what servers write around JSON.
func TestJSONInText(t *testing.T) {
	const order = `{"order":23501}`
	tests := map[string]Kind{ // 0: read
		"<br />\n<b>Warning</b>:  Undefined index x[0] in <b>/a.php</b> on line <b>12</b><br />\n" + order: 0,
		"PHP Notice: #0 {main} [2027-01-01 10:00]\n" + order:                                               0,
		order + "<!-- 0.003 s -->":                      0,
		"<!-- cached -->" + order:                       0,
		")]}',\n" + order:                               0,
		"callback(" + order + ");":                      0,
		`"{\"order\":23501}"`:                           0,
		`{"success":true,"data":` + order + `}`:         0,
		`{"status":"success","response":` + order + `}`: 0,
		`{"data":{"result":` + order + `}}`:             0,
		`[` + order + `]`:                               0,
		`{"orders":[` + order + `]}`:                    0,
		`{"order_id":"23501"}`:                          0,
		`{"orderId":23501}`:                             0,
		order + order:                                   OutcomeUnknown,
		`{}` + order:                                    OutcomeUnknown,
		`[` + order + `,{"order":23502}]`:               OutcomeUnknown,
		`Warning {"order":23501`:                        OutcomeUnknown,
		`{"message":"no data","meta":` + order + `}`:    OutcomeUnknown,
		`<HTML><SCRIPT>var x = ` + order + `</SCRIPT>`:  OutcomeUnknown,
		`Warning {`:                                     OutcomeUnknown,
		`Warning [`:                                     OutcomeUnknown,
		`{"orders":[` + order + `,{"or`:                 OutcomeUnknown,
		`{"x" ` + order + `}`:                           OutcomeUnknown,
		`<html><script>var x = ` + order + `</script>`:  OutcomeUnknown,
		`{"other":1,"data":` + order + `}`:              0,
		`{"order":1e4}`:                                 OutcomeUnknown,
		`{"order":"23,501"}`:                            OutcomeUnknown,
	}
	for body, want := range tests {
		c, m := newTestClient(t, respond(http.StatusOK, body))
		got, err := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
		if kind, _ := KindOf(err); kind != want || err == nil && got != "23501" {
			t.Errorf("%s was read as %q, %v", body, got, err)
		}
		checkSentOnce(t, m.requests())
	}
}

// TestNumbersInEveryContainer reads rented numbers and canceled orders.
func TestNumbersInEveryContainer(t *testing.T) {
	number := []SMSNumber{{Order: "12345", Phone: "+1"}}
	done := []Cancellation{{Order: "23501", Done: true}, {Order: "23502", Error: "No"}}
	runForms(t, []formTest{
		{"numbers with positions", `{"orders":{"4":{"order":12345,"phone":"+1"}}}`, purchaseCalls["add_sms"], number},
		{"a number without a list", `{"order":12345,"phone":"+1"}`, purchaseCalls["add_sms"], number},
		{"a number in place of the list", `{"orders":{"order":12345,"phone":"+1"}}`, purchaseCalls["add_sms"], number},
		{"cancellations named after their order", `{"23502":{"cancel":{"error":"No"}},"23501":{"cancel":1}}`, purchaseCalls["cancel"], done},
		{"cancellations in an envelope", `{"success":true,"data":{"orders":[{"order":23501,"cancel":"ok"},{"order":23502,"cancel":["No"]}]}}`, purchaseCalls["cancel"], done},
		{"categories with positions", `{"categories":{"1":{"category":"A","subcategories":{"0":"x","2":"y"}}}}`, readCalls["categories"], []Category{{Name: "A", Subcategories: []string{"x", "y"}}}},
	})
}

// TestRefusalsInEveryEnvelope checks that a refusal is one in its own words.
func TestRefusalsInEveryEnvelope(t *testing.T) {
	tests := []struct {
		status int
		body   string
		words  string
	}{
		{200, `{"status":"error","message":"Not enough funds on balance"}`, "Not enough funds on balance"},
		{422, `{"message":"The given data was invalid.","errors":{"quantity":["The quantity is too small."]}}`, "The quantity is too small."},
		{200, `{"error":[{"message":"Sold out"}]}`, "Sold out"},
		{200, `{"error":{"quantity":["too small","not whole"]}}`, "quantity: too small; not whole"},
		{200, `{"error":{"link":["The link is bad"]}}`, "The link is bad"},
		{200, `{"error":true,"reason":"Sold out"}`, "Sold out"},
		{200, `{"error":1,"msg":"Sold out"}`, "Sold out"},
		{200, `{"errors":["Sold out"]}`, "Sold out"},
		{200, `{"success":false,"message":"Sold out"}`, "Sold out"},
		{200, `{"success":0,"data":{"error":"x"},"detail":"Sold out"}`, "Sold out"},
		{200, `{"success":true,"data":{"error":"Sold out"}}`, "Sold out"},
		{200, `{"status":false,"message":"Sold out"}`, "Sold out"},
		{200, `{"status":"fail","data":{"message":"Sold out"}}`, "Sold out"},
		{400, `{"statusCode":400,"message":["Sold out","Bad link"],"error":"Bad Request"}`, "Sold out; Bad link"},
		{200, `{"code":422,"message":"Sold out"}`, "Sold out"},
		{400, `{"message":"Sold out"}`, "Sold out"},
		{200, `{"status":"failed","data":{"x":1},"message":"Sold out"}`, "Sold out"},
		{200, `{"data":{"status":"failed","message":"Sold out"}}`, "Sold out"},
		{200, `{"error":true}`, `{"error":true}`},
		{200, `{"error":{"code":"E_MIN"}}`, "E_MIN"},
		{200, "Notice: x\n" + `{"error":"Sold out"}`, "Sold out"},
	}
	for _, test := range tests {
		c, m := newTestClient(t, respond(test.status, test.body))
		_, addErr := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
		_, readErr := c.Inventory(t.Context(), secretKey, 1, "")
		for _, err := range []error{addErr, readErr} {
			var failure *Error
			if !errors.As(err, &failure) || failure.Kind != RefusedOther || failure.Refusal != test.words && !strings.Contains(test.body, `"fail"`) {
				t.Errorf("%s was read as %v, want %q", test.body, err, test.words)
			}
		}
		if got := len(m.requests()); got != 2 {
			t.Errorf("%s: %d requests, want 2", test.body, got)
		}
	}
}

// TestStateIsNoRefusal checks answers whose state reads like a refusal.
func TestStateIsNoRefusal(t *testing.T) {
	runForms(t, []formTest{
		{"a failed order", `{"status":"Fail","charge":"0.00","message":"Private link"}`, readCalls["status"], Status{State: StateFailed, RawStatus: "Fail", Charge: nullAmount("0.00")}},
		{"an order in error", `{"status":"error","charge":"1"}`, readCalls["status"], Status{RawStatus: "error", Charge: nullAmount("1")}},
		{"a failed number", `{"status":"failed","code":null,"message":"Banned"}`, readCalls["sms_code"], SMSCode{State: SMSEnded, RawStatus: "failed", Message: "Banned"}},
		{"a failed rental", `{"status":"failed","phone":"+1"}`, readCalls["sms_status"], SMSStatus{State: SMSEnded, RawStatus: "failed", Phone: "+1"}},
		{"an error in words for none", `{"error":"none","balance":"1"}`, readCalls["balance"], Balance{Amount: amount("1")}},
	})
}

// TestEncodings sends answers in every encoding, to reads and purchases.
func TestEncodings(t *testing.T) {
	const plain = `{"order":23501,"balance":"1"}`
	compress := func(open func(io.Writer) io.WriteCloser, text string) string {
		var b bytes.Buffer
		w := open(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.String()
	}
	zip := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	zlibs := func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }
	raw := func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 5); return f }
	wide := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(plain)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	zipped := compress(zip, plain)
	tests := []struct{ name, encoding, body string }{
		{"identity", "identity", plain},
		{"gzip", "gzip", zipped},
		{"gzip in capitals", "X-GZIP", zipped},
		{"gzip without the header", "", zipped},
		{"gzip twice", "gzip, gzip", compress(zip, zipped)},
		{"the header without gzip", "gzip", plain},
		{"deflate", "deflate", compress(zlibs, plain)},
		{"raw deflate", "deflate", compress(raw, plain)},
		{"the header without deflate", "deflate", plain},
		{"UTF-16", "", string(wide)},
		{"a byte order mark", "", "\ufeff" + plain},
		{"as large as it may be", "", plain + strings.Repeat(" ", maxPurchaseBytes-len(plain))},
	}
	answer := func(encoding, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if encoding != "" {
				w.Header().Set("Content-Encoding", encoding)
			}
			respond(200, body)(w, r)
		}
	}
	for _, test := range tests {
		c, m := newTestClient(t, answer(test.encoding, test.body))
		order, err := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
		if err != nil || order != "23501" {
			t.Errorf("%s: order %q, %v", test.name, order, err)
		}
		if _, err := c.Balance(SingleAttempt(t.Context()), secretKey); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		accepted := []string{m.requests()[0].Header.Get("Accept-Encoding"), m.requests()[1].Header.Get("Accept-Encoding")}
		if !slices.Equal(accepted, []string{"identity", "gzip"}) {
			t.Errorf("accepted encodings: %q", accepted)
		}
	}
	for name, test := range map[string]struct {
		body string
		want error
	}{
		"cut off":             {zipped[:len(zipped)-6], errCutOff},
		"broken":              {zipped[:12] + "broken", errCutOff},
		"deflated words":      {compress(zlibs, "Maintenance"), errNotJSON},
		"too large when read": {compress(zip, plain+strings.Repeat(" ", maxPurchaseBytes)), ErrTooLarge},
	} {
		c, m := newTestClient(t, answer("gzip, deflate", test.body))
		_, err := c.Add(t.Context(), secretKey, AddRequest{Service: 1, Quantity: 1})
		if kind, _ := KindOf(err); kind != OutcomeUnknown || !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want an unknown outcome because of %v", name, err, test.want)
		}
		checkSentOnce(t, m.requests())
	}
}

func TestPlainName(t *testing.T) {
	for in, want := range map[string]string{
		"USA Gmail x 1\nPrice: $0.01\r\n\tTotal":       "USA Gmail x 1 Price: $0.01 Total",
		"a\u2069\u202eb\u200b\u00adc\u2060":            "abc",
		"a\u2028b\u2029c\u0085d":                       "a b c d",
		" a \u00a0\u3000\u3164\u2800 b ":               "a b",
		"نمی\u200cخواهم क\u094d\u200dष":                "نمی\u200cخواهم क\u094d\u200dष",
		"👩\u200d💻 \u200d x\u200c":                      "👩\u200d💻 x",
		"\u0301\u0301Z" + strings.Repeat("\u0301", 50): "Z" + strings.Repeat("\u0301", maxMarks),
		"❤\ufe0f":      "❤\ufe0f",
		"bad \xff\x00": "bad",
		"":             "",
	} {
		if got := PlainName(in); got != want {
			t.Errorf("PlainName(%q) = %q, want %q", in, got, want)
		}
		if again := PlainName(want); again != want {
			t.Errorf("PlainName(%q) = %q", want, again)
		}
	}
}

// TestEchoedValuesAreMasked prints refusals that echo the request in other spellings.
func TestEchoedValuesAreMasked(t *testing.T) {
	const link = "https://example.com/Ä?a=1&b=2"
	for _, echo := range []string{
		strings.ToUpper(secretKey.Reveal()), "hsk_canary_5f3a9b%2B%2F%3D%267d", "hsk_canary_5f3a9b+%2F=&7d", `hsk_canary_5f3a9b+/=\u00267d`,
		"hsk_canary_5f3a9b+/=&amp;7d", "hsk_\u200bcanary_5f3a9b+/=&7d", "https%3A%2F%2Fexample.com%2F%C3%84%3Fa%3D1%26b%3D2", strings.ToUpper(link),
	} {
		e := newRefusal("add", 200, "Bad request: "+echo+" of 12", secretKey, []string{secretKey.Reveal(), link, "1", "12"})
		if text := e.Error(); !strings.Contains(text, "Bad request: [redacted] of 12") {
			t.Errorf("%q is printed as %s", echo, text)
		}
		if strings.Contains(strings.ToLower(e.Refusal), "canary") {
			t.Errorf("%q is displayed as %s", echo, e.Refusal)
		}
	}
}
