package hstock

import (
	"context"
	"embed"
	"errors"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hstockbot/internal/redact"
)

// exampleFiles are the examples of the marketplace's document, byte for byte.
//
//go:embed testdata/document/*.json
var exampleFiles embed.FS

func example(t testing.TB, name string) string {
	t.Helper()
	body, err := exampleFiles.ReadFile("testdata/document/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestDocumentedExamples sends every documented request and decodes every documented
// answer.
func TestDocumentedExamples(t *testing.T) {
	instagram := Item{
		ID: "507f1f77bcf86cd799439011", Service: 1, Name: "Instagram Followers", Type: "Default", Category: "Instagram",
		Rate: amount("0.50"), Min: 100, Max: 10000, Refill: true, Stock: 10000, EntityType: EntitySMM, AutoDelivery: true,
	}
	gmail := Item{
		ID: "507f1f77bcf86cd799439012", Service: 2, Name: "Gmail Account - USA", Type: "Default", Category: "Accounts-Email",
		Rate: amount("25.00"), Min: 1, Max: 50, Stock: 50, EntityType: EntityProduct, AutoDelivery: true,
		Description: "Verified Gmail account with recovery email", ImageURL: "https://example.com/uploads/products/gmail.webp",
		Recommended: true, SubcategoryID: "674a1f77bcf86cd799439099",
	}
	services := Page{Items: []Item{instagram, gmail}, Total: 150, Page: 1, Limit: 50, TotalPages: 3}
	servicesOf := func(f Filter) apiCall {
		return callOf(func(ctx context.Context, c *Client) (Page, error) { return c.Services(ctx, secretKey, f) })
	}
	productsOf := func(f Filter) apiCall {
		return callOf(func(ctx context.Context, c *Client) (Page, error) { return c.Products(ctx, secretKey, f) })
	}
	type fields = map[string]string
	tests := []struct {
		name    string
		example string
		call    apiCall
		form    fields
		want    any
	}{
		{
			"categories", "categories", readCalls["categories"],
			fields{"action": "categories", "lang": "zh"},
			[]Category{
				{Name: "Instagram", Subcategories: []string{"Followers", "Comments", "Likes"}},
				{Name: "Email Accounts", Subcategories: []string{"Gmail", "Outlook"}},
			},
		},
		{
			"subcategory_info", "subcategory_info", readCalls["subcategory_info"],
			fields{"action": "subcategory_info", "subcategoryId": "674a1f77bcf86cd799439099", "lang": "zh"},
			SubcategoryInfo{
				ID: "674a1f77bcf86cd799439099", Name: "Gmail", Slug: "gmail",
				ImageURL:    "https://example.com/uploads/subcategories/gmail.webp",
				Description: "Verified Gmail accounts",
				CategoryID:  "674a1f77bcf86cd799439088", CategoryName: "Email Accounts", CategorySlug: "email-accounts",
			},
		},
		{
			"products", "services", productsOf(Filter{}),
			fields{"action": "products"},
			services,
		},
		{
			"products by id", "services", productsOf(Filter{ProductIDs: []string{"2", "5", "9"}}),
			fields{"action": "products", "productIds": "2,5,9"},
			services,
		},
		{
			"products by page", "services", productsOf(Filter{Page: 1, Limit: 50}),
			fields{"action": "products", "page": "1", "limit": "50"},
			services,
		},
		{
			"products of a category", "services", productsOf(Filter{Category: "Accounts-Email"}),
			fields{"action": "products", "category": "Accounts-Email"},
			services,
		},
		{
			"products of a subcategory", "services", productsOf(Filter{Subcategory: "Gmail"}),
			fields{"action": "products", "subcategory": "Gmail"},
			services,
		},
		{
			"products recommended", "services", productsOf(Filter{Recommended: true, EntityType: EntityProduct}),
			fields{"action": "products", "isRecommended": "true"},
			services,
		},
		{
			"services in Chinese", "services", servicesOf(Filter{Lang: "zh"}),
			fields{"action": "services", "lang": "zh"},
			services,
		},
		{
			"services by page", "services", servicesOf(Filter{Page: 1, Limit: 50}),
			fields{"action": "services", "page": "1", "limit": "50"},
			services,
		},
		{
			"services of a category", "services", servicesOf(Filter{Category: "Instagram"}),
			fields{"action": "services", "category": "Instagram"},
			services,
		},
		{
			"services of a subcategory", "services", servicesOf(Filter{Subcategory: "Followers"}),
			fields{"action": "services", "subcategory": "Followers"},
			services,
		},
		{
			"services of a type", "services", servicesOf(Filter{EntityType: EntityProduct, Recommended: true}),
			fields{"action": "services", "entityType": "product"},
			services,
		},
		{
			"services with every filter", "services",
			servicesOf(Filter{Page: 2, Limit: 5, Category: "A & B", Subcategory: "С=1", ShopID: "s1", ProductIDs: []string{"2"}, Lang: "pt-BR"}),
			fields{
				"action": "services", "page": "2", "limit": "5", "category": "A & B", "subcategory": "С=1", "shopId": "s1",
				"productIds": "2", "lang": "pt-BR",
			},
			services,
		},
		{
			"no page without a limit", "services", servicesOf(Filter{Page: 2, Lang: "en"}),
			fields{"action": "services"},
			services,
		},
		{
			"inventory of SMM", "inventory_smm",
			callOf(func(ctx context.Context, c *Client) (Inventory, error) { return c.Inventory(ctx, secretKey, 1, "en") }),
			fields{"action": "inventory", "service": "1"},
			Inventory{Service: 1, Stock: 10000, Available: true, Rate: amount("0.5000"), EntityType: EntitySMM, AutoDelivery: true},
		},
		{
			"inventory of a product", "inventory_product",
			callOf(func(ctx context.Context, c *Client) (Inventory, error) {
				return c.Inventory(ctx, secretKey, 23501, "jp")
			}),
			fields{"action": "inventory", "service": "23501", "lang": "jp"},
			Inventory{
				Service: 23501, Stock: 42, Available: true, Rate: amount("25.0000"), Min: 1, Max: 42,
				EntityType: EntityProduct, AutoDelivery: true, Subproducts: []Subproduct{
					{ID: "674a1f77bcf86cd799439011", Name: "1 Month", Stock: 42},
					{ID: "674a1f77bcf86cd799439012", Name: "3 Months", Stock: 0},
				},
			},
		},
		{
			"add", "add", purchaseCalls["add"],
			fields{"action": "add", "service": "1", "link": "https://instagram.com/username", "quantity": "1000"},
			"23501",
		},
		{
			"add without a link", "add",
			callOf(func(ctx context.Context, c *Client) (string, error) {
				return c.Add(ctx, secretKey, AddRequest{Service: 2, Quantity: 1})
			}),
			fields{"action": "add", "service": "2", "quantity": "1"},
			"23501",
		},
		{
			"status of an open order", "status_open", readCalls["status"],
			fields{"action": "status", "order": "23501"},
			Status{
				State: StateInProgress, RawStatus: "In progress", Charge: nullAmount("5.00"), StartCount: pointer(int64(1000)),
				Remains: pointer(int64(500)), Currency: "USD", AutoDelivery: pointer(true),
			},
		},
		{
			"status of a delivered order", "status_completed", readCalls["status"],
			fields{"action": "status", "order": "23501"},
			Status{
				State: StateCompleted, RawStatus: "Completed", Charge: nullAmount("10.00"), StartCount: pointer(int64(5)),
				Remains: pointer(int64(0)), Currency: "USD", EntityType: EntityProduct, AutoDelivery: pointer(true),
				Accounts: []redact.Secret{"user1:pass1", "user2:pass2"},
			},
		},
		{
			"cancel", "cancel", purchaseCalls["cancel"],
			fields{"action": "cancel", "orders": "23501,23502"},
			[]Cancellation{{Order: "23501", Done: true}, {Order: "23502", Error: "Incorrect order ID"}},
		},
		{
			"allowcancel", "allowcancel", readCalls["allowcancel"],
			fields{"action": "allowcancel", "orders": "23501,23502"},
			[]CancelAllowance{
				{Order: "23501", Allowed: true, Refund: nullAmount("5.00")},
				{
					Order: "23502", Error: "Early auto refund is not available for this order",
					Reason: "BEFORE_MIN_WAIT", EligibleAfter: "2026-06-23T12:30:00.000Z",
				},
			},
		},
		{
			"balance", "balance", readCalls["balance"],
			fields{"action": "balance"},
			Balance{Amount: amount("100.00"), Currency: "USD"},
		},
		{
			"sms_projects", "sms_projects", readCalls["sms_projects"],
			fields{"action": "sms_projects", "country": "us", "lang": "zh"},
			[]SMSProject{{ID: "65f...", Name: "OpenAI / ChatGPT", Price: amount("0.5000"), CountryID: "us", CountryTitle: "United States"}},
		},
		{
			"sms_countries", "sms_countries", readCalls["sms_countries"],
			fields{"action": "sms_countries", "lang": "zh"},
			[]SMSCountry{{Code: "us", Name: "United States"}, {Code: "gb", Name: "United Kingdom"}},
		},
		{
			"add_sms", "add_sms", purchaseCalls["add_sms"],
			fields{"action": "add_sms", "project_id": "65f...", "quantity": "1", "country": "us"},
			[]SMSNumber{{Order: "12345", Phone: "+1234567890", Country: "us", RawStatus: "active"}},
		},
		{
			"add_sms with a phone number", "add_sms",
			callOf(func(ctx context.Context, c *Client) ([]SMSNumber, error) {
				return c.AddSMS(ctx, secretKey, AddSMSRequest{ProjectID: "65f", Phone: "+1234567890"})
			}),
			fields{"action": "add_sms", "project_id": "65f", "phone": "+1234567890"},
			[]SMSNumber{{Order: "12345", Phone: "+1234567890", Country: "us", RawStatus: "active"}},
		},
		{
			"sms_code received", "sms_code_completed", readCalls["sms_code"],
			fields{"action": "sms_code", "order": "12345"},
			SMSCode{State: SMSReceived, RawStatus: "completed", Code: "123456", Content: "Your verification code is 123456"},
		},
		{
			"sms_code waiting", "sms_code_waiting", readCalls["sms_code"],
			fields{"action": "sms_code", "order": "12345"},
			SMSCode{State: SMSWaiting, RawStatus: "waiting", Message: "Waiting for code"},
		},
		{
			"sms_status", "sms_status", readCalls["sms_status"],
			fields{"action": "sms_status", "order": "12345"},
			SMSStatus{
				State: SMSReceived, RawStatus: "code_received", Phone: "+1234567890", Code: "123456", Charge: nullAmount("0.5000"),
				Currency: "USD", ExpiresAt: time.Date(2023, 1, 1, 12, 0, 0, 0, time.UTC),
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, m := newTestClient(t, respond(http.StatusOK, example(t, test.example)))
			got, err := test.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpOptions); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			calls := m.requests()
			if len(calls) != 1 {
				t.Fatalf("%d calls, want 1", len(calls))
			}
			if diff := cmp.Diff(test.form, calls[0].form(t)); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
			sent := calls[0]
			if sent.Method != http.MethodPost || sent.URI != "/api/v2" || sent.ContentType != "application/x-www-form-urlencoded" {
				t.Errorf("sent as %s %s with type %s", sent.Method, sent.URI, sent.ContentType)
			}
			if sent.Length == "" || sent.Header.Get("Idempotency-Key") != "" || sent.Header.Get("X-Idempotency-Key") != "" {
				t.Errorf("headers %v", sent.Header)
			}
			if sent.Header.Get("Accept") != "application/json" || sent.Header.Get("User-Agent") != "hstockbot" {
				t.Errorf("headers %v", sent.Header)
			}
		})
	}
}

// TestDocumentedRefusals answers every action with each documented refusal and each
// status.
func TestDocumentedRefusals(t *testing.T) {
	tests := []struct {
		example string
		kind    Kind
		want    error
		message string
	}{
		{"error_invalid_api_key", InvalidKey, ErrInvalidKey, "Invalid API key"},
		{"error_invalid_action", Refused, ErrInvalidAction, "Invalid action"},
		{"error_service_id_is_required", Refused, ErrServiceRequired, "Service ID is required"},
		{"error_insufficient_balance", Refused, ErrInsufficientBalance, "Insufficient balance"},
		{"error_order_not_found", Refused, ErrOrderNotFound, "Order not found"},
		{"error_service_not_found", Refused, ErrServiceNotFound, "Service not found"},
	}
	for _, test := range tests {
		for _, status := range []int{200, 201, 400, 401, 402, 403, 404, 409, 422} {
			c, m := newTestClient(t, respond(status, example(t, test.example)))
			calls := 0
			for action, call := range allCalls() {
				calls++
				_, err := call(t.Context(), c)
				var failure *Error
				if !errors.As(err, &failure) || !errors.Is(err, test.want) {
					t.Fatalf("%s with %d: %v, want %v", action, status, err, test.want)
				}
				if failure.Kind != test.kind || failure.Refusal != test.message || failure.Status != status || failure.Action != action {
					t.Errorf("%s with %d: kind %s, action %s, status %d, refusal %q", action, status, failure.Kind, failure.Action, failure.Status, failure.Refusal)
				}
			}
			if got := len(m.requests()); got != calls {
				t.Errorf("%s with %d: %d requests for %d calls, want one each", test.example, status, got, calls)
			}
		}
	}
}

// allCalls returns a call of every action.
func allCalls() map[string]apiCall {
	actions := maps.Clone(readCalls)
	maps.Copy(actions, purchaseCalls)
	return actions
}

func TestAllActionsAreCovered(t *testing.T) {
	if got := len(allCalls()); got != 16 {
		t.Errorf("%d actions in the tables, want 16", got)
	}
}
