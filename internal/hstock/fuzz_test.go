package hstock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"hstockbot/internal/redact"
)

// decoders are the decoders of all actions.
var decoders = map[string]func(body []byte) (any, bool){
	"categories":       func(b []byte) (any, bool) { return decodeCategories(b) },
	"subcategory_info": func(b []byte) (any, bool) { return decodeSubcategoryInfo(b) },
	"shops":            func(b []byte) (any, bool) { return decodeSellers(b) },
	"services":         func(b []byte) (any, bool) { return decodePage(b, Filter{Limit: 50}, "") },
	"products":         func(b []byte) (any, bool) { return decodePage(b, Filter{}, EntityProduct) },
	"inventory":        func(b []byte) (any, bool) { return decodeInventory(b, 1) },
	"add":              func(b []byte) (any, bool) { return decodeOrder(b) },
	"status":           func(b []byte) (any, bool) { return decodeStatus(b) },
	"cancel":           func(b []byte) (any, bool) { return decodeCancellations(b, []string{"23501", "23502"}) },
	"allowcancel":      func(b []byte) (any, bool) { return decodeAllowances(b, []string{"23501", "23502"}) },
	"balance":          func(b []byte) (any, bool) { return decodeBalance(b) },
	"sms_projects":     func(b []byte) (any, bool) { return decodeSMSProjects(b) },
	"sms_countries":    func(b []byte) (any, bool) { return decodeSMSCountries(b) },
	"add_sms":          func(b []byte) (any, bool) { return decodeSMSNumbers(b) },
	"sms_code":         func(b []byte) (any, bool) { return decodeSMSCode(b) },
	"sms_status":       func(b []byte) (any, bool) { return decodeSMSStatus(b) },
}

// FuzzDecode gives any answer to every decoder. None may panic, return far more than
// it got, or make up what the answer does not contain: an order, an account, a code. No
// figure is negative but a balance that the answer says is: an account may be overdrawn.
func FuzzDecode(f *testing.F) {
	examples, err := exampleFiles.ReadDir("testdata/document")
	if err != nil || len(examples) != 23 {
		f.Fatalf("%d examples, %v", len(examples), err)
	}
	for _, file := range examples {
		f.Add([]byte(example(f, strings.TrimSuffix(file.Name(), ".json"))))
	}
	for _, body := range formSeeds {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, err := readBody(t.Context(), bytes.NewReader(raw), "", 1<<20)
		if err != nil {
			return
		}
		outer := findJSON(body)
		if outer == nil {
			return
		}
		inner := unwrap(outer)
		for _, value := range [][]byte{outer, inner} {
			if !json.Valid(value) || !bytes.Contains(body, value) && body[0] != '"' {
				t.Fatalf("%q was read as %q", body, value)
			}
			for _, hasState := range []bool{false, true} {
				if message, refused := refusalMessage(value, 200, hasState); refused {
					checkRefusal(t, message)
				}
			}
		}
		said := collectSaid(inner)
		for action, decode := range decoders {
			value, ok := decode(inner)
			if printed := fmt.Sprintf("%+v", value); len(printed) > 60*len(body)+1000 {
				t.Errorf("%s: %d bytes decoded to %d", action, len(body), len(printed))
			}
			checkInvention(t, said, value, ok)
		}
	})
}

// formSeeds has forms of every kind in doc.go.
var formSeeds = []string{
	``, `null`, `0`, `""`, `[]`, `{}`, `[[]]`, `[{}]`, `{"error":{}}`, `{"error":[]}`, `{"error":[[]]}`, `{"order":1e3}`,
	`{"accounts":[{}]}`, `{"services":[null]}`, `{"data":{"data":[]}}`, "\ufeff{}", `{"balance":1e99}`,
	`{"order":"#23501.0","order_id":"7"}`, `{"order":"5b0c1f0e-77aa-4c1b-9d2e-1f0a2b3c4d5e"}`, `{"order":{"$oid":"507f1f77bcf86cd799439011"}}`, `[{"orderId":5}]`, `{"orders":{"0":{"order":5,"phone":4.915550023501e+12}}}`,
	`{"status":"Partial","accounts":{"0":"a:1","2":"b:2"}}`, `{"status":"Completed","accounts":"a:1\nb:2<br>c:3\n\nd:4"}`,
	`{"status":"Completed","accounts":"[\"a:1\",\"b\\u003a2\"]"}`, `{"status":"x","accounts":[{"login":"a","password":1,"ts":5},{"account":"a:1","id":7}]}`,
	`{"balance":"1,250.00 USD"}`, `{"balance":{"amount":"US$1.250,5","currency":"usd"}}`, `{"balance":{"$numberDecimal":"1"}}`,
	`{"status":"waiting","code":"0","sms_content":null}`, `{"status":"completed","code":["48210","99120"],"sms_content":["a 048210","b"]}`,
	`{"code":7215,"sms_content":"007215 is your code"}`, `{"status":"FINISHED","code":"-"}`, `{"status":"active","code":1.5e1}`,
	`{"status":"active","expires_at":1798761600}`, `{"status":"active","expires_at":"2027-01-01 00:00:00","charge":"-0.125"}`,
	`[{"order":23501,"allowcancel":0,"eligibleAfter":1798761600}]`, `{"23501":{"cancel":1},"23502":{"cancel":{"error":{"code":5}}}}`,
	`{"success":true,"data":{"order":23501}}`, `{"status":"error","message":"No"}`, `{"message":"m","errors":{"quantity":["x"]}}`,
	"<br />\n<b>Warning</b>: x[0] {main}\n" + `{"order":23501}<!-- 1 ms -->`, `cb({"order":1});`, `{"order":1}{"order":2}`, `"{\"order\":23501}"`,
	`{"balance":"-12.50","currency":"usd"}`, `{"balance":"−12,50 €"}`, `{"balance":{"amount":-1,"currency":"USD"}}`, `{"balance":"1 USD","currency":"EUR"}`,
	`{"service":7,"rate":"-0.5","stock":5}`, `{"rate":"0.5","stock":-7,"min":-1,"max":-2,"available":1,"subproducts":[{"subproductId":"a","stock":-3},{"stock":"many"}]}`,
	`{"rate":0,"stock":-1,"available":"no","subproducts":{"0":{"stock":"1,000"}}}`,
	`[{"order":23501,"allowcancel":1,"refundAmount":-5},{"order":23502,"allowcancel":"no","refundAmount":"5.00"}]`, `[{"order":99,"allowcancel":1},{"allowcancel":1}]`,
	`[{"order":23501,"allowcancel":1},{"order":23501,"allowcancel":0}]`, `[{"order":23502,"cancel":1},{"cancel":1}]`, `{"data":{"23502":{"allowcancel":1,"refundAmount":"-0"}}}`,
	`[{"project_id":"65f","name":"a","price":"-0.5","country_id":"us"}]`, `{"projects":[{"project_id":7,"price":"0,50 €"}]}`, `[{"id":"s","productCount":-4,"rating":"-1","stars":4.5}]`,
	`[{"service":1,"rate":"0.50","stock":-1,"name":"a\u202e\u0301"}]`, `{"services":{"3":{"service":1,"rate":"1"}}}`,
	"\xff\xfe{\x00}\x00",
}

func checkRefusal(t *testing.T, message string) {
	t.Helper()
	e := newRefusal("add", 200, message, secretKey, nil)
	if strings.Contains(fmt.Sprintf("%+v", e), secretKey.Reveal()) || len([]rune(e.Refusal)) > maxRefusalRunes || e.Refusal != PlainName(e.Refusal) {
		t.Errorf("refusal %q", e.Refusal)
	}
}

// said is what an answer contains: its strings and numbers, also of JSON in strings.
type said []string

func collectSaid(value []byte) said {
	var all said
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return all
		}
		switch token := token.(type) {
		case json.Number:
			all = append(all, token.String(), strings.Replace(token.String(), ".", "", 1))
		case string:
			all = append(all, token, lineBreaks.Replace(token))
			if inner := strings.TrimSpace(token); strings.HasPrefix(inner, "[") && json.Valid([]byte(inner)) {
				all = append(all, collectSaid([]byte(inner))...)
			}
		case bool:
			all = append(all, strconv.FormatBool(token))
		}
	}
}

func (s said) contains(part string) bool {
	return slices.ContainsFunc(s, func(all string) bool { return strings.Contains(all, part) })
}

// containsAccount reports whether an account is a part of a string, or JSON of strings
// that the answer contains.
func (s said) containsAccount(account string) bool {
	if s.contains(account) {
		return true
	}
	if !strings.HasPrefix(account, "{") && !strings.HasPrefix(account, "[") {
		return false
	}
	return !slices.ContainsFunc(collectSaid([]byte(account)), func(part string) bool { return !s.contains(part) })
}

func checkInvention(t *testing.T, s said, value any, ok bool) {
	t.Helper()
	checkOrder := func(order string) {
		if ParseOrderID(order) != order || !s.contains(order) {
			t.Errorf("order %q", order)
		}
	}
	checkSecret := func(secret redact.Secret) {
		if secret != "" && !s.contains(secret.Reveal()) {
			t.Errorf("code or text %q", secret.Reveal())
		}
	}
	checkCharge := func(charge decimal.NullDecimal) {
		if charge.Decimal.IsNegative() {
			t.Errorf("charge %s", charge.Decimal)
		}
	}
	requested := map[string]int{"23501": 1, "23502": 1}
	checkRequested := func(order string) {
		if requested[order]--; requested[order] < 0 {
			t.Errorf("order %q was not requested, or comes twice", order)
		}
	}
	switch value := value.(type) {
	case string:
		if ok {
			checkOrder(value)
		}
	case Balance:
		if ok && value.Amount.IsNegative() && !s.contains("-") && !s.contains("\u2212") {
			t.Errorf("balance %s", value.Amount)
		}
		if value.Currency != PlainName(value.Currency) || len([]rune(value.Currency)) > maxCurrencyRunes {
			t.Errorf("currency %q", value.Currency)
		}
	case []SMSNumber:
		for _, number := range value {
			checkOrder(number.Order)
			checkSecret(redact.Secret(number.Phone))
		}
	case []Cancellation:
		for _, c := range value {
			checkRequested(c.Order)
		}
	case []CancelAllowance:
		for _, a := range value {
			checkRequested(a.Order)
			checkCharge(a.Refund)
		}
	case Inventory:
		negative := ok && value.Rate.IsNegative() // without a price nobody gets the value
		if negative || value.Service <= 0 || value.Stock < 0 || value.StockUnknown && value.Stock != 0 || value.Min < 0 || value.Max < 0 {
			t.Errorf("inventory %+v", value)
		}
		for _, variant := range value.Subproducts {
			if variant.Stock < 0 || variant.StockUnknown && variant.Stock != 0 {
				t.Errorf("variant %+v", variant)
			}
		}
	case []SMSProject:
		for _, project := range value {
			if project.ID == "" || project.Price.IsNegative() || project.Name != PlainName(project.Name) {
				t.Errorf("project %+v", project)
			}
		}
	case []Seller:
		for _, seller := range value {
			if seller.ID == "" || seller.Products < 0 || seller.Rating.IsNegative() {
				t.Errorf("seller %+v", seller)
			}
		}
	case Page:
		if value.Total < 0 || value.Page < 0 || value.Limit < 0 || value.TotalPages < 0 {
			t.Errorf("page %d of %d, %d of %d items", value.Page, value.TotalPages, value.Limit, value.Total)
		}
		for _, item := range value.Items {
			if item.Service <= 0 || item.Rate.IsNegative() || item.Stock < 0 || item.Min < 0 || item.Max < 0 || item.Name != PlainName(item.Name) {
				t.Errorf("item %+v", item)
			}
		}
	case Status:
		if ok && value.RawStatus == "" {
			t.Error("Status without a RawStatus")
		}
		checkCharge(value.Charge)
		for _, figure := range []*int64{value.Remains, value.StartCount} {
			if figure != nil && *figure < 0 {
				t.Errorf("figure %d", *figure)
			}
		}
		for _, account := range value.Accounts {
			if account == "" || !s.containsAccount(account.Reveal()) {
				t.Errorf("account %q", account.Reveal())
			}
		}
	case SMSCode:
		for _, sms := range append(value.Earlier, SMS{value.Code, value.Content}) {
			checkSecret(sms.Code)
			checkSecret(sms.Content)
		}
	case SMSStatus:
		checkSecret(value.Code)
		checkSecret(redact.Secret(value.Phone))
		checkCharge(value.Charge)
	}
}

// servicesBody returns an answer with n items, alternating the document's two.
func servicesBody(tb testing.TB, n int) []byte {
	tb.Helper()
	var page struct{ Services []json.RawMessage }
	if err := json.Unmarshal([]byte(example(tb, "services")), &page); err != nil {
		tb.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(`{"services":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(page.Services[i%2])
	}
	fmt.Fprintf(&b, `],"total":%d}`, n)
	return []byte(b.String())
}

func BenchmarkServices10k(b *testing.B) {
	raw := servicesBody(b, 10_000)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if page, ok := decodePage(trimBody(raw), Filter{}, ""); !ok || len(page.Items) != 10_000 {
			b.Fatal(len(page.Items))
		}
	}
}

func BenchmarkStatus(b *testing.B) {
	raw := []byte(example(b, "status_completed"))
	b.ReportAllocs()
	for b.Loop() {
		if status, ok := decodeStatus(raw); !ok || len(status.Accounts) != 2 {
			b.Fatal(status.RawStatus)
		}
	}
}
