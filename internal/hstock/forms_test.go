package hstock

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/redact"
)

// formTest is an answer in a form of "Forms" in doc.go, and what it is read as.
type formTest struct {
	name, body string
	call       apiCall
	want       any
}

func runForms(t *testing.T, tests []formTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, m := newTestClient(t, respond(http.StatusOK, test.body))
			got, err := test.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpOptions); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if calls := len(m.requests()); calls != 1 {
				t.Errorf("%d calls, want 1", calls)
			}
		})
	}
}

func TestFormsOfCodes(t *testing.T) {
	newYear := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	code, status := readCalls["sms_code"], readCalls["sms_status"]
	tests := []formTest{
		{"waiting with a code", `{"status":"waiting","code":"48210","sms_content":"x"}`, code, SMSCode{State: SMSWaiting, RawStatus: "waiting"}},
		{
			"active with a code", `{"status":"active","code":"048210","expires_at":1798761600}`, status,
			SMSStatus{State: SMSWaiting, RawStatus: "active", Code: "048210", ExpiresAt: newYear},
		},
		{
			"several codes", `{"status":"completed","code":["48210","99120"],"sms_content":["first 48210","second 99120"]}`, code,
			SMSCode{State: SMSReceived, RawStatus: "completed", Earlier: []SMS{{"48210", "first 48210"}}, Code: "99120", Content: "second 99120"},
		},
		{
			"several codes with positions", `{"status":"completed","code":{"0":"48210","2":99120},"sms_content":null}`, code,
			SMSCode{State: SMSReceived, RawStatus: "completed", Earlier: []SMS{{Code: "48210"}}, Code: "99120"},
		},
		{
			"several codes with a placeholder", `{"status":"completed","code":["-","99120"],"sms_content":["",null]}`, code,
			SMSCode{State: SMSReceived, RawStatus: "completed", Code: "99120"},
		},
		{
			"a code as a number with zeros in the text", `{"status":"completed","code":7215,"sms_content":"007215 is your login code"}`, code,
			SMSCode{State: SMSReceived, RawStatus: "completed", Code: "007215", Content: "007215 is your login code"},
		},
		{
			"a code as a float", `{"status":"completed","code":48210.0,"sms_content":"G-048210."}`, code,
			SMSCode{State: SMSReceived, RawStatus: "completed", Code: "048210", Content: "G-048210."},
		},
		{
			"a code that the text has both with and without zeros", `{"status":"completed","code":"7215","sms_content":"007215 or 7215"}`, code,
			SMSCode{State: SMSReceived, RawStatus: "completed", Code: "7215", Content: "007215 or 7215"},
		},
		{"finished with a code", `{"status":"FINISHED","code":"48210"}`, code, SMSCode{State: SMSReceived, RawStatus: "FINISHED", Code: "48210"}},
		{"a text without a code", `{"status":"completed","code":null,"sms_content":"hello"}`, code, SMSCode{State: SMSReceived, RawStatus: "completed", Content: "hello"}},
		{"a refusal that means waiting", `{"error":"Waiting for code"}`, code, SMSCode{State: SMSWaiting, Message: "Waiting for code"}},
		{"a refusal of the status that means waiting", `{"error":"STATUS_WAIT_CODE"}`, status, SMSStatus{State: SMSWaiting}},
		{"a refusal in an envelope that means waiting", `{"status":"error","message":"SMS not received yet"}`, code, SMSCode{State: SMSWaiting, Message: "SMS not received yet"}},

		{"a phone number as a float", `{"status":"active","phone":4.915550023501e+12}`, status, SMSStatus{State: SMSWaiting, RawStatus: "active", Phone: "4915550023501"}},
		{"a phone number as a rounded float", `{"status":"active","phone":"4.91555e+12"}`, status, SMSStatus{State: SMSWaiting, RawStatus: "active"}},
		{"a placeholder as a phone number", `{"status":"active","phone":"null"}`, status, SMSStatus{State: SMSWaiting, RawStatus: "active"}},
		{"a negative charge", `{"status":"active","charge":"-0.125"}`, status, SMSStatus{State: SMSWaiting, RawStatus: "active"}},
	}
	for _, placeholder := range []string{`"0"`, `0`, `"null"`, `"-"`, `"—"`, `"N/A"`, `"none"`, `""`, `"000000"`, `false`, `[]`, `{}`, `[null]`} {
		tests = append(
			tests,
			formTest{"waiting with " + placeholder, `{"status":"waiting","code":` + placeholder + `,"sms_content":null}`, code, SMSCode{State: SMSWaiting, RawStatus: "waiting"}},
			formTest{"active with " + placeholder, `{"status":"active","code":` + placeholder + `}`, status, SMSStatus{State: SMSWaiting, RawStatus: "active"}},
		)
		if placeholder != `"000000"` {
			tests = append(tests, formTest{
				"completed with " + placeholder, `{"status":"completed","code":` + placeholder + `}`, code, SMSCode{State: SMSReceived, RawStatus: "completed"},
			})
		}
	}
	for word, state := range map[string]SMSState{
		"BANNED": SMSEnded, "FINISHED": SMSEnded, "TIME_OUT": SMSExpired, "STATUS_CANCEL": SMSCanceled, "REFUND": SMSRefunded,
		"Timed out": SMSExpired, "STATUS_WAIT_CODE": SMSWaiting, "closed": SMSEnded, "status": SMSUnknown, "Odd": SMSUnknown,
	} {
		tests = append(tests, formTest{"state " + word, `{"status":"` + word + `","code":null}`, code, SMSCode{State: state, RawStatus: word}})
	}
	for _, at := range []string{`1798761600`, `"1798761600"`, `1798761600000`, `1798761600.0`, `"2027-01-01 00:00:00"`, `"2027-01-01T00:00:00.000Z"`, `"2027-01-01T02:00:00+02:00"`, `"2027-01-01 00:00:00 UTC"`, `"2027/01/01 00:00"`, `"2027-01-01 02:00:00 +0200"`, `"Fri, 01 Jan 2027 00:00:00 GMT"`, `{"$date":"2027-01-01T00:00:00Z"}`} {
		tests = append(tests, formTest{"expires_at " + at, `{"status":"active","expires_at":` + at + `}`, status, SMSStatus{State: SMSWaiting, RawStatus: "active", ExpiresAt: newYear}})
	}
	for _, at := range []string{`null`, `0`, `"0000-00-00 00:00:00"`, `1200`, `-1798761600`, `"2027-01-01"`, `[]`} {
		tests = append(tests, formTest{"no expires_at " + at, `{"status":"active","expires_at":` + at + `}`, status, SMSStatus{State: SMSWaiting, RawStatus: "active"}})
	}
	runForms(t, tests)
}

func TestFormsOfAccounts(t *testing.T) {
	delivered := func(accounts ...redact.Secret) Status {
		return Status{State: StateCompleted, RawStatus: "Completed", Accounts: accounts}
	}
	var tests []formTest
	for accounts, want := range map[string]Status{
		`{"0":"a:1","2":"b:2"}`:            delivered("a:1", "b:2"),
		`{"10":"b:2","9":"a:1"}`:           delivered("a:1", "b:2"),
		`"a:1\nb:2\n"`:                     delivered("a:1", "b:2"),
		`"a:1\r\nb:2"`:                     delivered("a:1", "b:2"),
		`"a:1<br>b:2<br />"`:               delivered("a:1", "b:2"),
		`"a:1\n\nb:2\n\nc:3"`:              delivered("a:1", "b:2", "c:3"),
		`"u: a\np: 1\n\nu: b\np: 2"`:       delivered("u: a\np: 1", "u: b\np: 2"),
		`["u: a\np: 1","u: b\np: 2"]`:      delivered("u: a\np: 1", "u: b\np: 2"),
		`"[\"a:1\",\"b:2\"]"`:              delivered("a:1", "b:2"),
		`{"list":["a:1","b:2"]}`:           delivered("a:1", "b:2"),
		`{"login":"a","password":"1"}`:     delivered(`{"login":"a","password":"1"}`),
		`[{"account":"a:1","id":7}]`:       delivered("a:1"),
		`[{"$oid":"a"},{"data":"b:2"}]`:    delivered("a", "b:2"),
		`[]`:                               delivered(),
		`{}`:                               delivered(),
		`"  \n "`:                          delivered(),
		`[{"id":1,"fetched_at":"x"},null]`: delivered(`{"id":1}`),
	} {
		tests = append(tests, formTest{accounts, `{"status":"Completed","accounts":` + accounts + `}`, readCalls["status"], want})
	}
	runForms(t, tests)
}

// TestAccountObjectsAreStable reads one account from two answers, in which members
// about the answer changed.
func TestAccountObjectsAreStable(t *testing.T) {
	const account = `{"login":"a","password":"p","valid_until":"2028-01-01 00:00:00"}`
	for _, answers := range [][2]string{
		{`{"login":"a","password":"p","ts":1}`, `{"ts":2,"password":"p","login":"a"}`},
		{`{"login":"a","password":"p","fetched_at":"2027-01-01T00:00:00Z"}`, `{"login":"a","password":"p","fetched_at":"2027-01-01T00:00:09Z"}`},
		{`{"login":"a","password":"p","lastChecked":1798761600}`, `{"login":"a","password":"p","lastChecked":1798761609}`},
		{`{"login":"a","password":"p","at":"2027-01-01 00:00:00"}`, `{"login":"a","password":"p","at":"2027-01-01 00:00:09"}`},
		{`{"login":"a","password":"p","meta":{"views":1}}`, `{"login":"a","password":"p","meta":{"views":2}}`},
		{`{"login":"a","password":"p","status":"new","note":""}`, `{"login":"a","password":"p","status":"viewed","note":null}`},
	} {
		var read [2]accounts
		for i, answer := range answers {
			unmarshal([]byte(`[`+answer+`,`+account+`]`), &read[i])
		}
		if !slices.Equal(read[0], read[1]) || len(read[0]) != 2 || read[0][1].Reveal() != account {
			t.Errorf("%s was read as %q, then %q", answers[0], read[0][0].Reveal(), read[1][0].Reveal())
		}
	}
}

func TestFormsOfMoney(t *testing.T) {
	tests := []formTest{
		{"a currency in lower case", `{"balance":"1","currency":" usd "}`, readCalls["balance"], Balance{Amount: amount("1"), Currency: "USD"}},
		{"a currency beside the amount", `{"balance":"1,250.00 USD"}`, readCalls["balance"], Balance{Amount: amount("1250.00"), Currency: "USD"}},
		{"an object", `{"balance":{"amount":"12.50","currency":"EUR"}}`, readCalls["balance"], Balance{Amount: amount("12.50"), Currency: "EUR"}},
		{"a decimal of MongoDB", `{"balance":{"$numberDecimal":"12.50"},"currency":"EUR"}`, readCalls["balance"], Balance{Amount: amount("12.50"), Currency: "EUR"}},
		{
			"negative figures of an order", `{"status":"Partial","charge":-0.125,"remains":-157,"start_count":"-1"}`, readCalls["status"],
			Status{State: StatePartial, RawStatus: "Partial", Remains: pointer(int64(0)), StartCount: pointer(int64(0))},
		},
		{
			"a negative refund", `[{"order":23501,"allowcancel":1,"refundAmount":-5}]`, readCalls["allowcancel"],
			[]CancelAllowance{{Order: "23501", Allowed: true}},
		},
	}
	for text, want := range map[string]string{
		`"1,250.00"`: "1250.00", `"$1250.00"`: "1250.00", `"$1,250.00"`: "1250.00", `"-$5.00"`: "-5.00", `"1.250,00"`: "1250.00", `"€1.250,00"`: "1250.00",
		`"1 250.00"`: "1250.00", `"1\u00a0250,5"`: "1250.5", `"1'250.00"`: "1250.00", `"1,250,000"`: "1250000", `"12,34,567.80"`: "1234567.80",
		`"0,125"`: "0.125", `"12,5"`: "12.5", `"1.250"`: "1.250", `"US$ 12.50"`: "12.50", `"12.50 ₽"`: "12.50", `"\u22125"`: "-5", `" 7 "`: "7",
	} {
		tests = append(tests, formTest{text, `{"balance":` + text + `,"currency":"USD"}`, readCalls["balance"], Balance{Amount: amount(want), Currency: "USD"}})
	}
	runForms(t, tests)
	for _, text := range []string{`"1,250"`, `"1,25,0"`, `"1.250.00"`, `"1,250.00.5"`, `"$1 EUR"`, `"1-2"`, `"12 5"`, `"5."`, `"free"`, `"1 USD"`, `[1]`} {
		c, _ := newTestClient(t, respond(http.StatusOK, `{"balance":`+text+`,"currency":"EUR"}`))
		if balance, err := c.Balance(SingleAttempt(t.Context()), secretKey); text != `"5."` && err == nil {
			t.Errorf("%s was read as %s", text, balance.Amount)
		} else if kind, _ := KindOf(err); err != nil && kind != Unreadable {
			t.Errorf("%s: %v, want unreadable", text, err)
		}
	}
}

func TestFormsOfWholeNumbers(t *testing.T) {
	for in, want := range map[string]int64{"10,000": 10000, "1 000": 1000, "1.250.000": 1250000, "5 pcs": 5, "2.0": 2} {
		if got, ok := parseInteger(in); got != want || !ok {
			t.Errorf("parseInteger(%q) = %d, %v, want %d", in, got, ok, want)
		}
	}
	for in, want := range map[string]int64{"23501": 23501, "#23501": 23501, "23501.0": 23501, "1e3": 0, "23,501": 0, "-5": 0, "0": 0, "5b0c1f0e": 0, "٣": 0, "": 0} {
		if got := parseID(in); got.value != want || got.ok != (want > 0) {
			t.Errorf("parseID(%q) = %v, want %d", in, got, want)
		}
	}
}

// TestFormsOfOrderIDs: an order id is a text. What may be a state, a placeholder or a
// rounded number is none.
func TestFormsOfOrderIDs(t *testing.T) {
	const uuid = "5b0c1f0e-77aa-4c1b-9d2e-1f0a2b3c4d5e"
	long := strings.Repeat("7", maxOrderIDBytes)
	for in, want := range map[string]string{
		`23501`: "23501", `"23501"`: "23501", `23501.0`: "23501", `"#23501"`: "23501", `" 23501 "`: "23501", `"00123"`: "00123",
		`12345678901234567890123`: "12345678901234567890123", `"` + long + `"`: long, `"` + long + `7"`: "",
		`"` + uuid + `"`: uuid, `"ORD-2026/7"`: "ORD-2026/7", `"заказ-12"`: "заказ-12", `{"$oid":"507f1f77bcf86cd799439011"}`: "507f1f77bcf86cd799439011",
		`"<b>1</b>"`: "<b>1</b>", `"12e4567"`: "12e4567",
		`0`: "", `"0"`: "", `"0000-0000"`: "", `""`: "", `null`: "", `false`: "", `true`: "", `{}`: "", `[5]`: "", `"pending"`: "", `"N/A"`: "", `"#"`: "",
		`-5`: "", `"-5"`: "", `1.5`: "", `"1.5"`: "", `1e5`: "", `"1,500"`: "", `"1.500"`: "", `"1'500"`: "", `"12 34"`: "", `"a1;b2"`: "",
		`"a\u202e1"`: "", `"a\n1"`: "", `"٣"`: "", `"a٣1"`: "",
	} {
		for _, body := range []string{`{"order":` + in + `}`, `{"orderId":` + in + `}`} {
			if got, ok := decodeOrder([]byte(body)); got != want || ok != (want != "") {
				t.Errorf("%s: %q, %v, want %q", body, got, ok, want)
			}
		}
	}
	runForms(t, []formTest{
		{"phones with text ids", `{"orders":[{"order":"` + uuid + `","phone":"+1"}]}`, purchaseCalls["add_sms"], []SMSNumber{{Order: uuid, Phone: "+1"}}},
	})
	for _, body := range []string{`[{"order":"` + uuid + `","cancel":1}]`, `{"` + uuid + `":{"cancel":1}}`} {
		if got, _ := decodeCancellations([]byte(body), []string{uuid}); len(got) != 1 || got[0].Order != uuid || !got[0].Done {
			t.Errorf("%s: %+v", body, got)
		}
	}
}

func TestFormsOfStock(t *testing.T) {
	inventory := func(i Inventory) Inventory {
		i.Service, i.Rate = 23501, amount("1")
		return i
	}
	runForms(t, []formTest{
		{"available with null stock", `{"available":true,"stock":null,"rate":1}`, readCalls["inventory"], inventory(Inventory{Available: true, StockUnknown: true})},
		{"available with stock -1", `{"available":true,"stock":-1,"rate":1}`, readCalls["inventory"], inventory(Inventory{Available: true, StockUnknown: true})},
		{"stock in words", `{"available":"1","stock":"unlimited","rate":1}`, readCalls["inventory"], inventory(Inventory{Available: true, StockUnknown: true})},
		{"neither stock nor available", `{"rate":1}`, readCalls["inventory"], inventory(Inventory{Available: true, StockUnknown: true})},
		{"not available with null stock", `{"available":false,"stock":null,"rate":1}`, readCalls["inventory"], inventory(Inventory{StockUnknown: true})},
		{"oversold", `{"stock":-3,"rate":1}`, readCalls["inventory"], inventory(Inventory{})},
		{
			"variants with positions", `{"stock":4,"rate":1,"subproducts":{"1":{"subproductId":"x","name":"1 Month","stock":null}}}`, readCalls["inventory"],
			inventory(Inventory{Available: true, Stock: 4, Subproducts: []Subproduct{{ID: "x", Name: "1 Month", StockUnknown: true}}}),
		},
	})
	for _, test := range []struct {
		inventory Inventory
		soldOut   bool
	}{
		{Inventory{Available: true, StockUnknown: true}, false},
		{Inventory{Available: false, StockUnknown: true}, true},
		{Inventory{Available: true, EntityType: EntityProduct}, true},
		{Inventory{Available: true, EntityType: EntitySMM}, false},
		{Inventory{Available: true, Stock: 1}, false},
	} {
		if got := test.inventory.SoldOut(); got != test.soldOut {
			t.Errorf("%+v: SoldOut is %v", test.inventory, got)
		}
	}
}

func TestFormsOfItems(t *testing.T) {
	services := callOf(func(ctx context.Context, c *Client) (Page, error) { return c.Services(ctx, secretKey, Filter{}) })
	followers := Item{
		Service: 1, Name: "Instagram Followers", Type: "Default", Category: "Instagram", Rate: amount("0.50"), Min: 100, Max: 10000, Refill: true,
		EntityType: EntitySMM, StockUnknown: true,
	}
	one := func(item Item) Page { return Page{Items: []Item{item}, Total: 1, Page: 1, Limit: 1, TotalPages: 1} }
	gmail := Item{Service: 2, Name: "Gmail", Rate: amount("1"), EntityType: EntityProduct, Stock: 10000, SubcategoryID: "s"}
	runForms(t, []formTest{
		{
			"the older form of services",
			`[{"service":1,"name":"Instagram Followers","type":"Default","category":"Instagram","rate":"0.50","min":100,"max":10000,"refill":true,"cancel":false}]`,
			services, one(followers),
		},
		{"a row of a product without a type", `[{"service":2,"name":"Gmail","rate":1,"stock":"10,000","subcategoryId":"s"}]`, services, one(gmail)},
		{"a type in capitals", `[{"service":2,"name":"Gmail","rate":1,"stock":10000,"entityType":"PRODUCT","subcategoryId":"s"}]`, services, one(gmail)},
		{"rows with positions", `{"services":{"3":{"service":2,"name":"Gmail","rate":1,"stock":10000,"subcategoryId":"s"}},"total":1}`, services, one(gmail)},
		{"rows with positions and no envelope", `{"3":{"service":2,"name":"Gmail","rate":1,"stock":10000,"subcategoryId":"s"}}`, services, one(gmail)},
		{"rows in an envelope", `{"success":true,"data":{"services":[{"service":2,"name":"Gmail","rate":1,"stock":10000,"subcategoryId":"s"}]}}`, services, one(gmail)},
		{
			"names that write on the screen", `[{"service":2,"name":"Gmail\u2069\u202e x 1\n\nPrice:\u2028 $0.01","rate":1,"stock":10000,"subcategoryId":"s"}]`, services,
			one(func() Item { i := gmail; i.Name = "Gmail x 1 Price: $0.01"; return i }()),
		},
	})
	for _, test := range []struct {
		item Item
		want bool
	}{
		{Item{EntityType: EntitySMM, Type: "Custom Comments"}, true},
		{Item{EntityType: EntitySMM, Type: "PACKAGE"}, true},
		{Item{EntityType: EntitySMM, Type: "DEFAULT"}, false},
		{Item{EntityType: EntitySMM, Type: " Default\t"}, false},
		{Item{EntityType: EntitySMM, Type: "  "}, false},
		{Item{EntityType: EntitySMM}, false},
		{Item{EntityType: EntityProduct, Type: "Custom"}, false},
	} {
		if got := test.item.NeedsMoreThanLink(); got != test.want {
			t.Errorf("%+v: NeedsMoreThanLink is %v", test.item, got)
		}
	}
}

func TestFormsOfTimesInAllowances(t *testing.T) {
	for in, want := range map[string]string{
		`1798761600`: "2027-01-01T00:00:00Z", `"2027-01-01 00:00:00"`: "2027-01-01T00:00:00Z", `"2026-06-23T12:30:00.000Z"`: "2026-06-23T12:30:00.000Z",
		`"in two hours"`: "in two hours", `120`: "", `"1.7e9"`: "", `null`: "", `{"$date":"2027-01-01T00:00:00Z"}`: "2027-01-01T00:00:00Z",
	} {
		allowances, ok := decodeAllowances([]byte(`[{"order":1,"allowcancel":0,"eligibleAfter":`+in+`}]`), []string{"1"})
		if !ok || allowances[0].EligibleAfter != want {
			t.Errorf("%s was read as %v, want %q", in, allowances, want)
		}
	}
}
