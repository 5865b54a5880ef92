package market

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
)

type page struct {
	Services, Products []rowAnswer
	Total              int
	Page, Limit        int
	TotalPages         int `json:"total_pages"`
}

func numbersOf(rows []rowAnswer) []int64 {
	var numbers []int64
	for _, r := range rows {
		numbers = append(numbers, r.Service)
	}
	return numbers
}

func TestFilters(t *testing.T) {
	s := open(t, Options{})
	rows := s.Rows()
	count := func(keep func(Row) bool) int {
		n := 0
		for _, r := range rows {
			if keep(r) {
				n++
			}
		}
		return n
	}
	shop := read[struct{ Shops []shopAnswer }](t, s, "shops").Shops[2]
	tests := []struct {
		name   string
		action string
		form   []string
		want   int
	}{
		{"all", "services", nil, len(rows)},
		{"products", "services", []string{"entityType", "product"}, count(func(r Row) bool { return r.EntityType == Product })},
		{"SMM", "services", []string{"entityType", "smm"}, count(func(r Row) bool { return r.EntityType == SMM })},
		{"category", "services", []string{"category", EmailAccounts}, count(func(r Row) bool { return r.Category == EmailAccounts })},
		{"subcategory", "services", []string{"subcategory", "Followers"}, count(func(r Row) bool { return r.Subcategory == "Followers" })},
		{"both", "services", []string{"category", "TikTok", "subcategory", "Followers"}, count(func(r Row) bool { return r.Category == "TikTok" && r.Subcategory == "Followers" })},
		{"both that don't meet", "services", []string{"category", "TikTok", "subcategory", Gmail}, 0},
		{"products leave SMM out", "products", nil, count(func(r Row) bool { return r.EntityType == Product })},
		{"recommended", "products", []string{"isRecommended", "true"}, count(func(r Row) bool { return r.Recommended })},
		{"shop", "products", []string{"shopId", shop.ShopID}, shop.ProductCount},
		{"ids, comma", "products", []string{"productIds", "2,507f1f77bcf86cd799439013, 999999"}, 2},
		{"ids, JSON", "products", []string{"productIds", `[2,"507f1f77bcf86cd799439013"]`}, 2},
		{"ids, repeated", "products", []string{"productIds", "2", "productIds", "3"}, 2},
		{"ids leave SMM out", "services", []string{"productIds", "1,2"}, 1},
		{"an empty subcategory", "services", []string{"subcategory", EmptySubcategory}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := read[page](t, s, tt.action, tt.form...)
			if len(got.Services)+len(got.Products) != tt.want || got.Total != tt.want || got.Page != tt.want || got.Limit != tt.want {
				t.Errorf("%d rows, total %d, page %d, limit %d; want %d", len(got.Services)+len(got.Products), got.Total, got.Page, got.Limit, tt.want)
			}
			one := read[page](t, s, tt.action, append(slices.Clone(tt.form), "limit", "1")...)
			if one.Total != tt.want || one.TotalPages != tt.want || one.Page != 1 || one.Limit != 1 {
				t.Errorf("limit 1: %+v, want total %d", one, tt.want)
			}
		})
	}
	var paged []int64
	for n := 1; n <= 4; n++ {
		paged = append(paged, numbersOf(read[page](t, s, "services", "limit", "100", "page", strconv.Itoa(n)).Services)...)
	}
	if want := numbersOf(read[page](t, s, "services").Services); !slices.Equal(paged, want) {
		t.Error("four pages of a hundred are not all rows in their order")
	}
}

func TestViolations(t *testing.T) {
	many := strings.Repeat("1,", 100) + "1"
	tests := []struct {
		form url.Values
		want string
	}{
		{url.Values{"action": {"balance"}, "lang": {"zh"}}, "balance: unknown parameter lang"},
		{url.Values{"action": {"add"}, "service": {"2"}, "quantity": {"1"}, "variant": {"x"}}, "add: unknown parameter variant"},
		{url.Values{"action": {"shops"}, "lang": {"zh"}}, "shops: unknown parameter lang"},
		{url.Values{"action": {"services"}, "lang": {"zh-CN"}}, "services: unknown lang zh-CN"},
		{url.Values{"action": {"services"}, "lang": {"pt-br"}}, "services: unknown lang pt-br"},
		{url.Values{"action": {"services"}, "category": {"邮箱账号"}, "lang": {"zh"}}, "services: category is not the English name that categories gives: 邮箱账号"},
		{url.Values{"action": {"products"}, "category": {"Accounts-Email"}}, "products: category is not the English name that categories gives: Accounts-Email"},
		{url.Values{"action": {"products"}, "subcategory": {"粉丝"}}, "products: subcategory is not the English name that categories gives: 粉丝"},
		{url.Values{"action": {"services"}, "entityType": {"goods"}}, "services: unknown entityType"},
		{url.Values{"action": {"products"}, "entityType": {"product"}}, "products: unknown parameter entityType"},
		{url.Values{"action": {"products"}, "isRecommended": {"1"}}, "products: isRecommended is neither true nor false"},
		{url.Values{"action": {"products"}, "productIds": {many}}, "products: more than 100 productIds"},
		{url.Values{"action": {"products"}, "productIds": {"[1,"}}, "products: productIds is no JSON array"},
		{url.Values{"action": {"services"}, "page": {"0"}}, "services: page is no number of a page"},
		{url.Values{"action": {"services"}, "limit": {"-1"}}, "services: limit is no number of a page"},
		{url.Values{"action": {"inventory"}, "service": {"Gmail"}}, "inventory: service is no number"},
		{url.Values{"action": {"add"}, "service": {"2"}, "quantity": {"1.5"}}, "add: quantity is no number over 0"},
		{url.Values{"action": {"add"}, "service": {"1"}, "quantity": {"100"}}, "add: no link for an SMM service"},
		{url.Values{"action": {"cancel"}, "orders": {many}}, "cancel: more than 100 orders"},
		{url.Values{"action": {"cancel"}, "orders": {"a"}}, "cancel: orders holds what is no number"},
		{url.Values{"action": {"add_sms"}, "project_id": {ProjectOpenAI}, "quantity": {"11"}}, "add_sms: quantity is not 1 to 10"},
		{url.Values{"action": {"balance", "balance"}}, "balance: action more than once"},
		{url.Values{"action": {"balance"}, "key": {alice, bob}}, "balance: key more than once"},
		{url.Values{}, ": action missing"},
	}
	s := open(t, Options{})
	for _, tt := range tests {
		if !tt.form.Has("key") {
			tt.form.Set("key", alice)
		}
		post(t, s, tt.form)
		expectViolation(t, s, tt.want)
	}
}

func TestViolationsOfTransport(t *testing.T) {
	const form = "key=" + alice + "&action=balance"
	tests := []struct {
		name                    string
		method, query, media    string
		header, body, violation string
		status                  int
	}{
		{"as documented", "POST", "", "application/x-www-form-urlencoded", "", form, "", 200},
		{"with a charset", "POST", "", "application/x-www-form-urlencoded; charset=utf-8", "", form, "", 200},
		{"GET", "GET", "?" + form, "", "", "", ": Method not allowed", 405},
		{"JSON", "POST", "", "application/json", "", `{}`, ": Unsupported media type", 415},
		{"malformed", "POST", "", "application/x-www-form-urlencoded", "", "key=%zz", ": Bad request", 400},
		{"parameters in the address", "POST", "?action=add", "application/x-www-form-urlencoded", "", form, "balance: parameters in the address", 200},
		{"a header that net/http repeats for", "POST", "", "application/x-www-form-urlencoded", "Idempotency-Key", form, "balance: header Idempotency-Key", 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, Options{})
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "http://market.test/api/v2"+tt.query, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.media)
			if tt.header != "" {
				r.Header.Set(tt.header, "1")
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if tt.violation == "" {
				expectViolation(t, s)
			} else {
				expectViolation(t, s, tt.violation)
			}
		})
	}
}

func TestRefusedOrders(t *testing.T) {
	const link = "https://instagram.com/username"
	tests := []struct {
		name string
		form []string
		want string
	}{
		{"under the least", []string{"service", "13", "quantity", "9"}, "Quantity must be between 10 and 100"},
		{"over the most", []string{"service", "2", "quantity", "51"}, "Quantity must be between 1 and 50"},
		{"SMM under the least", []string{"service", "1", "quantity", "99", "link", link}, "Quantity must be between 100 and 10000"},
		{"sold out", []string{"service", "5", "quantity", "1"}, "Not enough stock"},
		{"more than the stock", []string{"service", "14", "quantity", "2"}, "Not enough stock"},
		{"too dear", []string{"service", "15", "quantity", "1"}, "Insufficient balance"},
		{"removed", []string{"service", "6", "quantity", "1"}, "Service not found"},
	}
	s := open(t, Options{})
	ok(t, s.Remove(LongName))
	for _, tt := range tests {
		exact(t, tt.name, ask(t, s, "add", tt.form...), `{"error":"`+tt.want+`"}`)
	}
	if got := s.Balance(alice); !got.Equal(decimal.NewFromInt(100)) || len(s.Orders()) != 0 {
		t.Errorf("refusals cost something: balance %s, orders %v", got, s.Orders())
	}
	if got := s.Count("add"); got != len(tests) {
		t.Errorf("%d adds counted, want %d", got, len(tests))
	}
}

func TestVariantsFill(t *testing.T) {
	s := open(t, Options{})
	ok(t, s.SetBalance(alice, "1000"))
	ask(t, s, "add", "service", "4", "quantity", "42") // empties the main variant: 42 × 3.50
	ask(t, s, "add", "service", "4", "quantity", "2")  // 2 × 9.00, of the second one
	ask(t, s, "add", "service", "21", "quantity", "1") // the main one has none: 5.40
	exact(t, "59 left of the second", ask(t, s, "add", "service", "4", "quantity", "50"), `{"order":23504}`)
	exact(t, "8 left", ask(t, s, "add", "service", "4", "quantity", "9"), `{"error":"Not enough stock"}`)
	want := []struct{ variant, charge string }{{"1 Month", "147"}, {"3 Months", "18"}, {"6 Months", "5.4"}, {"3 Months", "450"}}
	for i, o := range s.Orders() {
		if o.Variant != want[i].variant || o.Charge.String() != want[i].charge {
			t.Errorf("order %d filled from %q for %s, want %+v", o.Number, o.Variant, o.Charge, want[i])
		}
	}
	exact(t, "max of what there is", ask(t, s, "inventory", "service", "4")[:85],
		`{"service":4,"stock":8,"available":true,"rate":"3.5000","min":1,"max":8,"entityType":`[:85])
}

func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{DeliverAfter: 10 * time.Second})
		ask(t, s, "add", "service", "2", "quantity", "3")
		ask(t, s, "add", "service", "3", "quantity", "5")
		ask(t, s, "add", "service", "2", "quantity", "1")
		ok(t, s.Hold(GmailUSA, true))
		time.Sleep(time.Hour)
		status := func(order string) statusAnswer { return read[statusAnswer](t, s, "status", "order", order) }
		for order, want := range map[string]string{"23501": "In progress", "23502": "Pending", "23503": "In progress"} {
			if got := status(order); got.Status != want || got.Accounts != nil {
				t.Errorf("order %s: %+v, want nothing delivered and %q", order, got, want)
			}
		}
		ok(t, s.Deliver(23502, 2))
		first := status("23502")
		if first.Status != "In progress" || first.Remains != 3 || len(first.Accounts) != 2 {
			t.Errorf("two of five: %+v", first)
		}
		ok(t, s.Deliver(23502, 9))
		second := status("23502")
		if second.Status != "Completed" || second.Remains != 0 || len(second.Accounts) != 5 || !slices.Equal(second.Accounts[:2], first.Accounts) {
			t.Errorf("all of five: %+v", second)
		}
		if err := s.Deliver(23502, 1); !errors.Is(err, ErrClosed) {
			t.Errorf("delivering more: %v", err)
		}
		ok(t, s.SetStatus(23503, "On hold"))
		if got := status("23503"); got.Status != "On hold" || got.Accounts != nil {
			t.Errorf("a word of one's own: %+v", got)
		}
		ok(t, s.Hold(GmailUSA, false))
		if got := status("23501"); got.Status != "Completed" || len(got.Accounts) != 3 {
			t.Errorf("held no more: %+v", got)
		}
		ok(t, s.Finish(23503))
		if got := status("23503"); got.Status != "Completed" || len(got.Accounts) != 1 {
			t.Errorf("finished: %+v", got)
		}
		exact(t, "another's order", askAs(t, s, bob, "status", "order", "23501"), `{"error":"Order not found"}`)
	})
}

func TestDeliveredAtTheFirstStatus(t *testing.T) {
	s := open(t, Options{})
	ask(t, s, "add", "service", "2", "quantity", "2", "link", "me@example.com")
	ask(t, s, "add", "service", "16", "quantity", "1000", "link", "https://t.me/x")
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Completed" || len(got.Accounts) != 2 {
		t.Errorf("goods: %+v", got)
	}
	if got := read[statusAnswer](t, s, "status", "order", "23502"); got.Status != "Completed" || got.Charge != "1.20" || got.Accounts != nil {
		t.Errorf("SMM: %+v", got)
	}
	if o, _ := s.Order(23501); o.Link != "me@example.com" || o.KeyTail != "…0001" {
		t.Errorf("%+v", o)
	}
}

func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{DeliverAfter: time.Minute, CancelAfter: time.Second})
		add := func(form ...string) { ask(t, s, "add", form...) }
		add("service", "3", "quantity", "5")                            // 23501: 4.00, two delivered
		add("service", "1", "quantity", "1000", "link", "https://x.y")  // 23502: no cancel
		add("service", "16", "quantity", "1000", "link", "https://x.y") // 23503: 1.20, half done
		add("service", "2", "quantity", "1")                            // 23504: completed
		ok(t, s.Deliver(23501, 2))
		ok(t, s.Finish(23504))
		time.Sleep(30 * time.Second)
		exact(t, "allowcancel", ask(t, s, "allowcancel", "orders", "23501,23502,23503,23504"),
			`[{"order":23501,"allowcancel":1,"refundAmount":2.40},`+
				`{"order":23502,"allowcancel":0,"error":"Early auto refund is not available for this order","reason":"NOT_CANCELABLE"},`+
				`{"order":23503,"allowcancel":1,"refundAmount":0.60},`+
				`{"order":23504,"allowcancel":0,"error":"Early auto refund is not available for this order","reason":"ORDER_CLOSED"}]`)
		before := s.Balance(alice)
		exact(t, "cancel", ask(t, s, "cancel", "orders", "23501,23503,23501"),
			`[{"order":23501,"cancel":1},{"order":23503,"cancel":1},{"order":23501,"cancel":{"error":"Early auto refund is not available for this order"}}]`)
		if got := s.Balance(alice).Sub(before); !got.Equal(decimal.RequireFromString("3")) {
			t.Errorf("refunded %s, want 3.00", got)
		}
		goods := read[statusAnswer](t, s, "status", "order", "23501")
		if goods.Status != "Canceled" || goods.Charge != "1.60" || len(goods.Accounts) != 2 {
			t.Errorf("goods: %+v", goods)
		}
		if got := read[statusAnswer](t, s, "status", "order", "23503"); got.Status != "Partial" || got.Charge != "0.60" || got.Remains != 500 {
			t.Errorf("SMM: %+v", got)
		}
		if r, _ := s.Row(OutlookByHand); r.Stock != 118 {
			t.Errorf("stock %d, want three of five back: 118", r.Stock)
		}
		exact(t, "another's order", askAs(t, s, bob, "cancel", "orders", "23502"), `[{"order":23502,"cancel":{"error":"Incorrect order ID"}}]`)
	})
}

func TestFailAndRefund(t *testing.T) {
	s := open(t, Options{})
	ask(t, s, "add", "service", "3", "quantity", "5")
	ok(t, s.Deliver(23501, 1))
	ok(t, s.Fail(23501))
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Fail" || got.Charge != "4.00" {
		t.Errorf("failed: %+v", got)
	}
	ok(t, s.Refund(23501))
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Refunded" || got.Charge != "0.00" || len(got.Accounts) != 1 {
		t.Errorf("refunded: %+v", got)
	}
	if got := s.Balance(alice); got.String() != "100" {
		t.Errorf("balance %s, want 100", got)
	}
	if s.Refund(23501) == nil || s.Deliver(23501, 1) == nil || s.Refund(1) == nil {
		t.Error("a second refund, goods after it, or an unknown order were taken")
	}
}

func TestRemovedKey(t *testing.T) {
	s := open(t, Options{})
	ask(t, s, "add", "service", "2", "quantity", "1")
	s.RemoveKey(alice)
	exact(t, "removed", ask(t, s, "status", "order", "23501"), `{"error":"Invalid API key"}`)
	s.AddKey(alice, "7", "USD")
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Completed" {
		t.Errorf("back again: %+v", got)
	}
	if got := ask(t, s, "balance"); got != `{"balance":"7.00","currency":"USD"}` {
		t.Error(got)
	}
}

func TestMoney(t *testing.T) {
	tests := []struct {
		amount string
		places int32
		want   string
	}{
		{"25", 2, "25.00"},
		{"0.5", 4, "0.5000"},
		{"0.0125", 2, "0.0125"},
		{"5.0000", 2, "5.00"},
		{"0.0120", 2, "0.012"},
		{"100.10", 2, "100.10"},
		{"-1.005", 2, "-1.005"},
		{"1000", 2, "1000.00"},
		{"0", 2, "0.00"},
	}
	for _, tt := range tests {
		if got := money(decimal.RequireFromString(tt.amount), tt.places); got != tt.want {
			t.Errorf("money(%s, %d) = %s, want %s", tt.amount, tt.places, got, tt.want)
		}
	}
}

func TestRatePer(t *testing.T) {
	s := open(t, Options{RatePer: 1})
	ok(t, s.SetBalance(alice, "1000"))
	ask(t, s, "add", "service", "1", "quantity", "100", "link", "https://x.y")
	if o, _ := s.Order(FirstOrder); o.Charge.String() != "50" {
		t.Errorf("charge %s, want a hundred times 0.50", o.Charge)
	}
}
