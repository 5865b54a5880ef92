package hstock

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
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
	"cancel":           func(b []byte) (any, bool) { return decodeCancellations(b, []int64{23501, 23502}) },
	"allowcancel":      func(b []byte) (any, bool) { return decodeAllowances(b, []int64{23501, 23502}) },
	"balance":          func(b []byte) (any, bool) { return decodeBalance(b) },
	"sms_projects":     func(b []byte) (any, bool) { return decodeSMSProjects(b) },
	"sms_countries":    func(b []byte) (any, bool) { return decodeSMSCountries(b) },
	"add_sms":          func(b []byte) (any, bool) { return decodeSMSNumbers(b) },
	"sms_code":         func(b []byte) (any, bool) { return decodeSMSCode(b) },
	"sms_status":       func(b []byte) (any, bool) { return decodeSMSStatus(b) },
}

// FuzzDecode gives any answer to every decoder. None may panic, return far more than
// it got, or return an invalid order or item.
func FuzzDecode(f *testing.F) {
	examples, err := exampleFiles.ReadDir("testdata/document")
	if err != nil || len(examples) != 23 {
		f.Fatalf("%d examples, %v", len(examples), err)
	}
	for _, file := range examples {
		f.Add([]byte(example(f, strings.TrimSuffix(file.Name(), ".json"))))
	}
	for _, body := range []string{
		``, `null`, `0`, `""`, `[]`, `{}`, `[[]]`, `[{}]`, `{"error":{}}`, `{"error":[]}`, `{"error":[[]]}`, `{"order":1e3}`,
		`{"accounts":[{}]}`, `{"services":[null]}`, `{"data":{"data":[]}}`, "\ufeff{}", `{"balance":1e99}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		body := trimBody(raw)
		if len(body) == 0 {
			return
		}
		if message, refused := refusalMessage(body); refused {
			e := newRefusal("add", 200, message, secretKey, nil)
			if strings.Contains(fmt.Sprintf("%+v", e), secretKey.Reveal()) || len([]rune(e.Refusal)) > maxRefusalRunes {
				t.Errorf("refusal %q", e.Refusal)
			}
		}
		for action, decode := range decoders {
			value, ok := decode(body)
			if ok && !json.Valid(body) {
				t.Errorf("%s: decoded invalid JSON %q", action, body)
			}
			if printed := fmt.Sprintf("%+v", value); len(printed) > 60*len(raw)+1000 {
				t.Errorf("%s: %d bytes decoded to %d", action, len(raw), len(printed))
			}
			switch value := value.(type) {
			case int64:
				if ok != (value > 0) {
					t.Errorf("order %d, %v", value, ok)
				}
			case []SMSNumber:
				for _, number := range value {
					if number.Order <= 0 {
						t.Errorf("order %d", number.Order)
					}
				}
			case Page:
				for _, item := range value.Items {
					if item.Service <= 0 || item.Rate.IsNegative() || item.Stock < 0 || item.Min < 0 || item.Max < 0 {
						t.Errorf("item %+v", item)
					}
				}
			case Status:
				if ok && value.RawStatus == "" {
					t.Error("Status without a RawStatus")
				}
			}
		}
	})
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
