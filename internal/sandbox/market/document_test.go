package market

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// exact compares byte for byte.
func exact(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s\n got %s\nwant %s", what, got, want)
	}
}

// These tests compare with the examples of the document, without its white space.
// A comment at each says what differs.
const (
	documentRow1 = `{"id":"507f1f77bcf86cd799439011","service":1,"name":"Instagram Followers","type":"Default","category":"Instagram",` +
		`"rate":"0.50","min":100,"max":10000,"refill":true,"cancel":false,"stock":10000,"entityType":"smm","autoDelivery":true}`
	documentRow2 = `{"id":"507f1f77bcf86cd799439012","service":2,"name":"Gmail Account - USA","type":"Default","category":"Accounts-Email",` +
		`"rate":"25.00","min":1,"max":50,"refill":false,"cancel":false,"stock":50,"entityType":"product","autoDelivery":true,` +
		`"description":"Verified Gmail account with recovery email","imageUrl":"https://example.com/uploads/products/gmail.webp",` +
		`"isRecommended":true,"subcategoryId":"674a1f77bcf86cd799439099"}`
)

func TestDocumentCatalogue(t *testing.T) {
	s := open(t, Options{Seed: 7})
	must(t, s.SetRate(GmailUSA, "25"))
	total := len(s.Rows())

	exact(t, "services", ask(t, s, "services", "page", "1", "limit", "2"),
		fmt.Sprintf(`{"services":[%s,%s],"total":%d,"page":1,"limit":2,"total_pages":%d}`, documentRow1, documentRow2, total, (total+1)/2))
	exact(t, "services, by productIds", ask(t, s, "services", "productIds", "1,2"),
		`{"services":[`+documentRow2+`],"total":1,"page":1,"limit":1,"total_pages":1}`)
	exact(t, "an empty category", ask(t, s, "services", "category", EmptyCategory),
		`{"services":[],"total":0,"page":0,"limit":0,"total_pages":1}`)
	exact(t, "products", ask(t, s, "products", "productIds", "507f1f77bcf86cd799439012"),
		`{"products":[`+documentRow2+`],"total":1,"page":1,"limit":1,"total_pages":1}`)

	// The document's Instagram has three subcategories, its Email Accounts two.
	categories := ask(t, s, "categories")
	for _, part := range []string{
		`{"categories":[{"category":"Instagram","subcategories":["Followers","Comments","Likes",`,
		`{"category":"Email Accounts","subcategories":["Gmail","Outlook",`,
		`{"category":"Seasonal Offers","subcategories":[]}]}`,
	} {
		if !strings.Contains(categories, part) {
			t.Errorf("categories lacks %s in %s", part, categories)
		}
	}
	exact(t, "subcategory_info", ask(t, s, "subcategory_info", "subcategoryId", "674a1f77bcf86cd799439099"),
		`{"subcategoryId":"674a1f77bcf86cd799439099","name":"Gmail","slug":"gmail",`+
			`"imageUrl":"https://example.com/uploads/subcategories/gmail.webp","description":"Verified Gmail accounts",`+
			`"category":{"categoryId":"674a1f77bcf86cd799439088","name":"Email Accounts","slug":"email-accounts"}}`)

	exact(t, "inventory of SMM", ask(t, s, "inventory", "service", "1"),
		`{"service":1,"stock":10000,"available":true,"rate":"0.5000","entityType":"smm","autoDelivery":true}`)
	// In the document: service 23501 with two variants.
	must(t, s.SetStock(NetflixVariants, 42))
	must(t, s.SetRate(NetflixVariants, "25"))
	exact(t, "inventory of a product", ask(t, s, "inventory", "service", "4"),
		`{"service":4,"stock":42,"available":true,"rate":"25.0000","min":1,"max":42,"entityType":"product","autoDelivery":true,`+
			`"subproducts":[{"subproductId":"674c1f77bcf86cd700000400","name":"1 Month","stock":42},`+
			`{"subproductId":"674c1f77bcf86cd700000401","name":"3 Months","stock":0},`+
			`{"subproductId":"674c1f77bcf86cd700000402","name":"12 Months","stock":0}]}`)
}

func TestDocumentOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{DeliverAfter: time.Minute, CancelAfter: 30 * time.Minute})
		exact(t, "balance", ask(t, s, "balance"), `{"balance":"100.00","currency":"USD"}`)
		exact(t, "add", ask(t, s, "add", "service", "1", "link", "https://instagram.com/username", "quantity", "10000"), `{"order":23501}`)
		time.Sleep(30 * time.Second)
		// In the document: start_count 1000, remains 500.
		exact(t, "status of SMM", ask(t, s, "status", "order", "23501"), fmt.Sprintf(
			`{"status":"In progress","charge":"5.00","start_count":%d,"remains":5000,"currency":"USD","autoDelivery":true}`,
			s.orders[23501].StartCount))

		must(t, s.SetRate(GmailUSA, "5"))
		must(t, s.SetStock(GmailUSA, 5))
		exact(t, "add", ask(t, s, "add", "service", "2", "quantity", "2"), `{"order":23502}`)
		exact(t, "status before delivery", ask(t, s, "status", "order", "23502"),
			`{"status":"In progress","charge":"10.00","start_count":5,"remains":2,"currency":"USD","entityType":"product","autoDelivery":true}`)
		time.Sleep(time.Minute)
		status := ask(t, s, "status", "order", "23502")
		order, _ := s.Order(23502)
		exact(t, "status of a product", status,
			`{"status":"Completed","charge":"10.00","start_count":5,"remains":0,"currency":"USD","entityType":"product","autoDelivery":true,`+
				`"accounts":`+string(encode(order.Accounts))+`}`)

		ask(t, s, "add", "service", "3", "quantity", "5") // 23503, not automatic
		placed := time.Now()
		exact(t, "allowcancel too early", ask(t, s, "allowcancel", "orders", "23503"),
			`[{"order":23503,"allowcancel":0,"error":"Early auto refund is not available for this order","reason":"BEFORE_MIN_WAIT",`+
				`"eligibleAfter":"`+placed.Add(30*time.Minute).UTC().Format("2006-01-02T15:04:05.000Z")+`"}]`)
		time.Sleep(30 * time.Minute)
		// In the document: refundAmount 5.00.
		exact(t, "allowcancel", ask(t, s, "allowcancel", "orders", "23503,99"),
			`[{"order":23503,"allowcancel":1,"refundAmount":4.00},{"order":99,"allowcancel":0,"error":"Incorrect order ID"}]`)
		exact(t, "cancel", ask(t, s, "cancel", "orders", "23503,23599"),
			`[{"order":23503,"cancel":1},{"order":23599,"cancel":{"error":"Incorrect order ID"}}]`)
		exact(t, "balance", ask(t, s, "balance"), `{"balance":"85.00","currency":"USD"}`)
	})
}

func TestDocumentSMS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{})
		countries := ask(t, s, "sms_countries")
		if want := `[{"country_code":"us","country_name":"United States"},{"country_code":"gb","country_name":"United Kingdom"},`; !strings.HasPrefix(countries, want) {
			t.Errorf("sms_countries %.200s", countries)
		}
		// In the document: project_id "65f...".
		projects := ask(t, s, "sms_projects", "country", "us")
		if want := `[{"project_id":"` + ProjectOpenAI + `","name":"OpenAI / ChatGPT","price":"0.5000","country_id":"us","country_title":"United States"},`; !strings.HasPrefix(projects, want) {
			t.Errorf("sms_projects %.200s", projects)
		}
		exact(t, "no projects", ask(t, s, "sms_projects", "country", CountryWithoutProjects), `[]`)

		answer := ask(t, s, "add_sms", "project_id", ProjectOpenAI, "country", "us", "quantity", "1")
		phone := s.Numbers()[0].Phone
		exact(t, "add_sms", answer, `{"orders":[{"order":23501,"phone":"`+phone+`","country":"us","status":"active"}]}`)
		exact(t, "sms_code", ask(t, s, "sms_code", "order", "23501"), `{"status":"waiting","message":"Waiting for code"}`)
		exact(t, "sms_status", ask(t, s, "sms_status", "order", "23501"),
			`{"status":"active","phone":"`+phone+`","code":null,"charge":"0.5000","currency":"USD","expires_at":"2000-01-01T00:20:00.000Z"}`)
		must(t, s.SendCode(23501, "123456"))
		exact(t, "sms_code", ask(t, s, "sms_code", "order", "23501"),
			`{"status":"completed","code":"123456","sms_content":"Your verification code is 123456"}`)
		exact(t, "sms_status", ask(t, s, "sms_status", "order", "23501"),
			`{"status":"code_received","phone":"`+phone+`","code":"123456","charge":"0.5000","currency":"USD","expires_at":"2000-01-01T00:20:00.000Z"}`)
	})
}

func TestDocumentErrors(t *testing.T) {
	s := open(t, Options{})
	tests := []struct{ key, action, name, value, want string }{
		{"wrong", "balance", "", "", "Invalid API key"},
		{"wrong", "nonsense", "", "", "Invalid API key"},
		{alice, "nonsense", "", "", "Invalid action"},
		{alice, "inventory", "", "", "Service ID is required"},
		{alice, "add", "", "", "Service ID is required"},
		{alice, "inventory", "service", "999999", "Service not found"},
		{alice, "status", "order", "23501", "Order not found"},
		{alice, "sms_code", "order", "23501", "Order not found"},
		{alice, "sms_status", "order", "23501", "Order not found"},
	}
	for _, tt := range tests {
		form := []string{}
		if tt.name != "" {
			form = append(form, tt.name, tt.value)
		}
		exact(t, tt.action+" "+tt.want, askAs(t, s, tt.key, tt.action, form...), `{"error":"`+tt.want+`"}`)
	}
	exact(t, "balance too low", ask(t, s, "add", "service", "15", "quantity", "1"), `{"error":"Insufficient balance"}`)
}

// TestShopsEnvelope checks the answer of shops, which the document does not show.
func TestShopsEnvelope(t *testing.T) {
	s := open(t, Options{})
	if got := ask(t, s, "shops", "limit", "1", "page", "2"); !strings.HasPrefix(got, `{"shops":[{"shopId":"68d1`) ||
		!strings.HasSuffix(got, `],"total":14,"page":2,"limit":1,"total_pages":14}`) {
		t.Errorf("shops %s", got)
	}
}
