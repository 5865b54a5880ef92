package hstock

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// TestLenientDecoding decodes answers that the document neither shows nor excludes.
func TestLenientDecoding(t *testing.T) {
	item := Item{Service: 2, Name: "Gmail", Rate: amount("25.00"), StockUnknown: true, EntityType: EntityProduct}
	services := func(f Filter) apiCall {
		return callOf(func(ctx context.Context, c *Client) (Page, error) { return c.Services(ctx, secretKey, f) })
	}
	untyped := item
	untyped.EntityType = EntitySMM
	tests := []struct {
		name, body string
		call       apiCall
		want       any
	}{
		// lists and envelopes
		{
			"sellers in an envelope", `{"shops":[{"shopId":"s1","name":"S***p","productCount":12,"rating":4.75}]}`, readCalls["shops"],
			[]Seller{{ID: "s1", Name: "S***p", Products: 12, Rating: amount("4.75"), HasRating: true}},
		},
		{
			"sellers under data", `{"data":[{"id":7,"shopName":"A","productsCount":"12","averageRating":"4.50"}],"total":1}`, readCalls["shops"],
			[]Seller{{ID: "7", Name: "A", Products: 12, Rating: amount("4.50"), HasRating: true}},
		},
		{
			"sellers as an array", `[{"_id":"x","title":"B","totalProducts":3,"stars":5},{"shopId":"y"},{"name":"no id"}]`, readCalls["shops"],
			[]Seller{{ID: "x", Name: "B", Products: 3, Rating: amount("5"), HasRating: true}, {ID: "y"}},
		},
		{"sellers after a message", "Notice: x\n" + `[{"shopId":"a"},{"shopId":"b"}]`, readCalls["shops"], []Seller{{ID: "a"}, {ID: "b"}}},
		{"no sellers", `{"shops":[]}`, readCalls["shops"], []Seller{}},
		{
			"a seller with empty fields", `{"shops":[{"shopId":"","id":null,"_id":"z","name":null,"shopName":"","title":"Z","productCount":"","productsCount":null,"totalProducts":"9","rating":null,"averageRating":""}]}`,
			readCalls["shops"],
			[]Seller{{ID: "z", Name: "Z", Products: 9}},
		},
		{
			"products under products", `{"products":[{"service":2,"name":"Gmail","rate":"25.00"}],"total":"7","page":"2","limit":"1"}`, readCalls["products"],
			Page{Items: []Item{item}, Total: 7, Page: 2, Limit: 1, TotalPages: 7},
		},
		{
			"products under data", `{"data":[{"service":"2","name":"Gmail","rate":25.00}]}`, readCalls["products"],
			Page{Items: []Item{item}, Total: 1, Page: 1, Limit: 1, TotalPages: 1},
		},
		{
			"products as an array", ` [{"service":2.0,"name":"Gmail","rate":"25.00","min":null,"stock":"","description":null}] `, readCalls["products"],
			Page{Items: []Item{item}, Total: 1, Page: 1, Limit: 1, TotalPages: 1},
		},
		{"no products", `{"products":[],"total":0,"page":0,"limit":0,"total_pages":0}`, readCalls["products"], Page{Items: []Item{}}},
		{"null products of none", `{"products":null,"total":0}`, readCalls["products"], Page{Items: []Item{}}},
		{"an empty array of products", `[]`, readCalls["products"], Page{Items: []Item{}}},
		{
			"services without total_pages", `{"services":[{"service":2,"name":"Gmail","rate":"25.00"}],"total":101}`,
			services(Filter{Limit: 50, Page: 3}),
			Page{Items: []Item{untyped}, Total: 101, Page: 3, Limit: 50, TotalPages: 3},
		},
		{
			"services with empty figures", `{"services":[{"service":2,"name":"Gmail","rate":"25.00"}],"total":"","page":null,"limit":"","total_pages":""}`,
			services(Filter{Limit: 50}),
			Page{Items: []Item{untyped}, Total: 1, Page: 1, Limit: 50, TotalPages: 1},
		},
		{
			"services of a requested type without entityType", `{"services":[{"service":2,"name":"Gmail","rate":"25.00","entityType":null}],"total":1}`,
			services(Filter{Limit: 1, EntityType: EntityProduct}),
			Page{Items: []Item{item}, Total: 1, Page: 1, Limit: 1, TotalPages: 1},
		},
		{
			"items without number or price are dropped", `{"services":[{"service":2,"name":"Gmail","rate":"25.00"},{"name":"x","rate":"1"},{"service":3},{"service":4,"rate":"-1"},{"service":5,"rate":"free"},null,"x",{"service":0,"rate":1}],"total":8}`,
			services(Filter{}),
			Page{Items: []Item{untyped}, Total: 8, Page: 8, Limit: 8, TotalPages: 1},
		},
		{
			"an item in strings", `[{"id":11,"service":"1","name":5,"type":null,"category":"","rate":0.50,"min":"100","max":"1e4","refill":"true","cancel":0,"stock":-3,"entityType":"smm","autoDelivery":1,"isRecommended":"1","subcategoryId":{},"unknown":[1,{"a":2}]}]`,
			services(Filter{}),
			Page{
				Items: []Item{{
					ID: "11", Service: 1, Name: "5", Rate: amount("0.50"), Min: 100, Max: 10000, Refill: true,
					EntityType: EntitySMM, AutoDelivery: true, Recommended: true,
				}},
				Total: 1, Page: 1, Limit: 1, TotalPages: 1,
			},
		},
		{
			"categories as an array", `[{"category":"A","subcategories":null},{"category":"B"},{"category":"C","subcategories":""},{"category":"D","subcategories":[]}]`,
			readCalls["categories"],
			[]Category{{Name: "A"}, {Name: "B"}, {Name: "C"}, {Name: "D"}},
		},
		{
			"categories keep their positions", "\ufeff" + `{"categories":[{"category":"","subcategories":["x",null,"",3]},null,{"category":"B"}]}`,
			readCalls["categories"],
			[]Category{{Subcategories: []string{"x", "", "", "3"}}, {}, {Name: "B"}},
		},
		{"no categories", `{"categories":[]}`, readCalls["categories"], []Category{}},
		{
			"a subcategory without a parent", `{"subcategoryId":5,"name":"Gmail","category":null,"imageUrl":false}`, readCalls["subcategory_info"],
			SubcategoryInfo{ID: "5", Name: "Gmail"},
		},
		{
			"inventory with few fields", `{"stock":"7","rate":1e-2,"subproducts":null}`, readCalls["inventory"],
			Inventory{Service: 23501, Stock: 7, Available: true, Rate: decimal.New(1, -2)},
		},
		{
			"inventory sold out", `{"service":"9","stock":0,"available":"false","rate":"0","subproducts":[{"subproductId":1,"name":null,"stock":"4"}]}`, readCalls["inventory"],
			Inventory{Service: 9, Rate: amount("0"), Subproducts: []Subproduct{{ID: "1", Stock: 4}}},
		},

		// money
		{"balance as a number", `{"balance":100.10,"currency":"EUR"}`, readCalls["balance"], Balance{Amount: amount("100.10"), Currency: "EUR"}},
		{"balance with many digits", `{"balance":90071992547409931.0000000001}`, readCalls["balance"], Balance{Amount: amount("90071992547409931.0000000001")}},
		{"balance beside data", `{"balance":"1","data":{"x":1}}`, readCalls["balance"], Balance{Amount: amount("1")}},
		{"balance below zero", `{"balance":"-0.30","currency":""}`, readCalls["balance"], Balance{Amount: amount("-0.30")}},
		{"a null error", `{"error":null,"balance":"1","currency":"USD"}`, readCalls["balance"], Balance{Amount: amount("1"), Currency: "USD"}},
		{"an empty error", `{"error":"","balance":"1","currency":"USD"}`, readCalls["balance"], Balance{Amount: amount("1"), Currency: "USD"}},
		{"an error that is false", `{"error":false,"balance":"1","currency":"USD"}`, readCalls["balance"], Balance{Amount: amount("1"), Currency: "USD"}},

		// orders
		{"order as a string", `{"order":"23501"}`, purchaseCalls["add"], "23501"},
		{"order number with an error", `{"error":"Insufficient balance","order":23501}`, purchaseCalls["add"], "23501"},
		{"order beyond 32 bits", `{"order":9007199254740993}`, purchaseCalls["add"], "9007199254740993"},
		{
			"status in capitals", `{"status":" CANCELLED ","charge":null,"start_count":"","remains":"0","currency":null}`, readCalls["status"],
			Status{State: StateCanceled, RawStatus: "CANCELLED", Remains: pointer(int64(0))},
		},
		{
			"an unknown status", `{"status":"Awaiting moderation","charge":0.000001}`, readCalls["status"],
			Status{State: StateUnknown, RawStatus: "Awaiting moderation", Charge: nullAmount("0.000001")},
		},
		{
			"accounts byte for byte",
			`{"status":"Partial","accounts":[" lead:trail ","tab\tnl\ncr\r\u0000\u001b[0m","a&amp;b<b>\"\\/\u00e9é\ud83d\ude00","",null,42,{"login": "x","p":"<&>"},["a", "b"]]}`, readCalls["status"],
			Status{
				State: StatePartial, RawStatus: "Partial",
				Accounts: []redact.Secret{
					" lead:trail ", "tab\tnl\ncr\r\x00\x1b[0m", "a&amp;b<b>\"\\/éé😀", "42", `{"login":"x","p":"<&>"}`, `["a","b"]`,
				},
			},
		},
		{"accounts as one string", `{"status":"Completed","accounts":"u:p"}`, readCalls["status"], Status{State: StateCompleted, RawStatus: "Completed", Accounts: []redact.Secret{"u:p"}}},
		{"no accounts", `{"status":"Completed","accounts":null,"autoDelivery":"0"}`, readCalls["status"], Status{State: StateCompleted, RawStatus: "Completed", AutoDelivery: pointer(false)}},
		{
			"cancel with other types", `[{"order":"23501","cancel":"1"},{"order":23502,"cancel":true}]`, purchaseCalls["cancel"],
			[]Cancellation{{Order: "23501", Done: true}, {Order: "23502", Done: true}},
		},
		{
			"cancel refused in several forms", `{"orders":[{"order":23501,"cancel":0,"error":"Too early"},{"order":23502,"cancel":"Not\u202e allowed\n"}]}`, purchaseCalls["cancel"],
			[]Cancellation{{Order: "23501", Error: "Too early"}, {Order: "23502", Error: "Not allowed"}},
		},
		{
			"cancel without order numbers", `[{"cancel":1},{"cancel":{"error":{"message":"No"}}}]`, purchaseCalls["cancel"],
			[]Cancellation{{Order: "23501", Done: true}, {Order: "23502", Error: "No"}},
		},
		{
			"cancel with an order that was not requested", `[{"order":23502,"cancel":1},{"order":99,"cancel":1},{"order":23501}]`, purchaseCalls["cancel"],
			[]Cancellation{{Order: "23502", Done: true}},
		},
		{"cancel as an object", `{"order":23502,"cancel":1}`, purchaseCalls["cancel"], []Cancellation{{Order: "23502", Done: true}}},
		{
			"allowcancel with other types", `[{"order":"23501","allowcancel":true,"refundAmount":"1.50"},{"order":23502,"allowcancel":{"error":"Incorrect order ID"},"reason":null}]`, readCalls["allowcancel"],
			[]CancelAllowance{{Order: "23501", Allowed: true, Refund: nullAmount("1.50")}, {Order: "23502", Error: "Incorrect order ID"}},
		},

		// SMS
		{
			"projects in an envelope", `{"projects":[{"project_id":5,"name":"X","price":0.5},{"project_id":"no price","name":"Y"},{"price":"1"}]}`, readCalls["sms_projects"],
			[]SMSProject{{ID: "5", Name: "X", Price: amount("0.5")}},
		},
		{"no projects", `[]`, readCalls["sms_projects"], []SMSProject{}},
		{"countries under data", `{"data":[{"country_code":"us","country_name":null},{"country_name":"?"}]}`, readCalls["sms_countries"], []SMSCountry{{Code: "us"}}},
		{
			"numbers with an error", `{"error":"Only 1 left","orders":[{"order":"12345","phone":1234567890,"status":null},{"order":12345},{"order":null},{"order":0}]}`, purchaseCalls["add_sms"],
			[]SMSNumber{{Order: "12345", Phone: "1234567890"}},
		},
		{"numbers as an array", `[{"order":1,"phone":"+1"},{"order":2,"phone":"+2"}]`, purchaseCalls["add_sms"], []SMSNumber{{Order: "1", Phone: "+1"}, {Order: "2", Phone: "+2"}}},
		{"a code with leading zeros", `{"status":"CODE_RECEIVED","code":"001234","sms_content":" G-001234\n"}`, readCalls["sms_code"], SMSCode{State: SMSReceived, RawStatus: "CODE_RECEIVED", Code: "001234", Content: " G-001234\n"}},
		{"a code as a number", `{"status":"","code":1234}`, readCalls["sms_code"], SMSCode{State: SMSReceived, Code: "1234"}},
		{
			"a status without a date", `{"status":"timeout","phone":null,"code":"","charge":"","expires_at":null}`, readCalls["sms_status"],
			SMSStatus{State: SMSExpired, RawStatus: "timeout"},
		},
		{"an unreadable date", `{"status":"active","expires_at":"tomorrow"}`, readCalls["sms_status"], SMSStatus{State: SMSWaiting, RawStatus: "active"}},
		{
			"a date with a zone", `{"status":"active","expires_at":"2026-01-01T12:00:00+02:00"}`, readCalls["sms_status"],
			SMSStatus{State: SMSWaiting, RawStatus: "active", ExpiresAt: time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)},
		},
	}
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

func TestParseDecimal(t *testing.T) {
	tests := []struct {
		in, want string // "" = not a number
	}{
		{"0.50", "0.50"},
		{"5.00", "5.00"},
		{"5", "5"},
		{"1e2", "100"},
		{"25E-3", "0.025"},
		{"-1.5", "-1.5"},
		{".5", "0.5"},
		{"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"},
		{"", ""},
		{"1e999999999", ""},
		{"1e-999999999", ""},
		{"1e21", ""},
		{"NaN", ""},
		{"Infinity", ""},
		{"0x10", ""},
		{"1,5", ""},
		{"$5", ""},
		{"1_0", ""},
		{"--1", ""},
		{"11111111111111111111111111111111111111111", ""},
	}
	for _, test := range tests {
		got, ok := parseDecimal(test.in)
		if ok != (test.want != "") || ok && got.StringFixed(max(0, -got.Exponent())) != test.want {
			t.Errorf("parseDecimal(%q) = %v, %v, want %q", test.in, got, ok, test.want)
		}
	}
}

func TestParseInteger(t *testing.T) {
	tests := []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"-7", -7, true},
		{"9223372036854775807", 9223372036854775807, true},
		{"9223372036854775808", 0, false},
		{"23501.0", 23501, true},
		{"2.5e1", 25, true},
		{"2.5", 0, false},
		{"1e20", 0, false},
		{"", 0, false},
		{"12a", 0, false},
	}
	for _, test := range tests {
		if got, ok := parseInteger(test.in); got != test.want || ok != test.ok {
			t.Errorf("parseInteger(%q) = %d, %v, want %d, %v", test.in, got, ok, test.want, test.ok)
		}
	}
}

func TestStates(t *testing.T) {
	orders := map[string]OrderState{
		"Pending": StatePending, "In progress": StateInProgress, "in_progress": StateInProgress, "Processing": StateInProgress,
		"COMPLETED": StateCompleted, "Partial": StatePartial, "Canceled": StateCanceled, "Cancelled": StateCanceled,
		"Refunded": StateRefunded, "Fail": StateFailed, "failed": StateFailed, "": StateUnknown, "Awaiting": StateUnknown,
	}
	for rawStatus, want := range orders {
		if got := ParseOrderState(rawStatus); got != want {
			t.Errorf("ParseOrderState(%q) = %s, want %s", rawStatus, got, want)
		}
	}
	numbers := map[string]SMSState{
		"active": SMSWaiting, "Waiting": SMSWaiting, "completed": SMSReceived, "CODE_RECEIVED": SMSReceived, "code received": SMSReceived,
		"expired": SMSExpired, "timeout": SMSExpired, "cancelled": SMSCanceled, "canceled": SMSCanceled, "refunded": SMSRefunded,
		"": SMSUnknown, "other": SMSUnknown,
	}
	for rawStatus, want := range numbers {
		if got := ParseSMSState(rawStatus); got != want {
			t.Errorf("ParseSMSState(%q) = %s, want %s", rawStatus, got, want)
		}
	}
	names := map[string]bool{}
	for state := StateUnknown; state <= StateFailed; state++ {
		names[fmt.Sprint("order ", state)] = true
	}
	for state := SMSUnknown; state <= SMSRefunded; state++ {
		names[fmt.Sprint("sms ", state)] = true
	}
	if want := int(StateFailed) + int(SMSRefunded) + 2; len(names) != want {
		t.Errorf("%d distinct names for %d states: %v", len(names), want, names)
	}
}

// The caller counts what is left of its orders by the length of the answer.
func TestCancelAnswersNameEachOrderOnce(t *testing.T) {
	orders := []string{"23501", "23502"}
	for _, body := range []string{
		`[{"order":23501,"allowcancel":1,"cancel":1},{"order":23501,"allowcancel":0,"cancel":0}]`,
		`[{"allowcancel":1,"cancel":1},{"order":23501,"allowcancel":1,"cancel":1}]`,
	} {
		if got, ok := decodeAllowances([]byte(body), orders); !ok || len(got) != 1 || got[0].Order != "23501" || !got[0].Allowed {
			t.Errorf("%s: allowances %+v", body, got)
		}
		if got, ok := decodeCancellations([]byte(body), orders); !ok || len(got) != 1 || got[0].Order != "23501" || !got[0].Done {
			t.Errorf("%s: cancellations %+v", body, got)
		}
	}
}
