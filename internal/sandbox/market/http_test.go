package market

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

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
		{url.Values{"action": {"services"}, "category": {"邮箱账号"}, "lang": {"zh"}}, "services: category is not an English name of categories: 邮箱账号"},
		{url.Values{"action": {"products"}, "category": {"Accounts-Email"}}, "products: category is not an English name of categories: Accounts-Email"},
		{url.Values{"action": {"products"}, "subcategory": {"粉丝"}}, "products: subcategory is not an English name of categories: 粉丝"},
		{url.Values{"action": {"services"}, "entityType": {"goods"}}, "services: unknown entityType"},
		{url.Values{"action": {"products"}, "entityType": {"product"}}, "products: unknown parameter entityType"},
		{url.Values{"action": {"products"}, "isRecommended": {"1"}}, "products: isRecommended is neither true nor false"},
		{url.Values{"action": {"products"}, "productIds": {many}}, "products: more than 100 productIds"},
		{url.Values{"action": {"products"}, "productIds": {"[1,"}}, "products: productIds is not a JSON array"},
		{url.Values{"action": {"services"}, "page": {"0"}}, "services: page is out of range"},
		{url.Values{"action": {"services"}, "limit": {"-1"}}, "services: limit is out of range"},
		{url.Values{"action": {"inventory"}, "service": {"Gmail"}}, "inventory: service is not a number"},
		{url.Values{"action": {"add"}, "service": {"2"}, "quantity": {"1.5"}}, "add: quantity is not a positive number"},
		{url.Values{"action": {"add"}, "service": {"1"}, "quantity": {"100"}}, "add: link is missing for an SMM service"},
		{url.Values{"action": {"cancel"}, "orders": {many}}, "cancel: more than 100 orders"},
		{url.Values{"action": {"cancel"}, "orders": {"a"}}, "cancel: orders contains something that is not a number"},
		{url.Values{"action": {"add_sms"}, "project_id": {ProjectOpenAI}, "quantity": {"11"}}, "add_sms: quantity is not a number from 1 to 10"},
		{url.Values{"action": {"balance", "balance"}}, "balance: action is repeated"},
		{url.Values{"action": {"balance"}, "key": {alice, bob}}, "balance: key is repeated"},
		{url.Values{}, ": action is missing"},
	}
	s := open(t, Options{})
	for _, tt := range tests {
		if !tt.form.Has("key") {
			tt.form.Set("key", alice)
		}
		post(t, s, tt.form)
		expectViolations(t, s, tt.want)
	}
}

func TestHTTPViolations(t *testing.T) {
	const form = "key=" + alice + "&action=balance"
	tests := []struct {
		name                 string
		method, query, media string
		header, body         string
		violations           []string
		status               int
	}{
		{"as documented", "POST", "", "application/x-www-form-urlencoded", "", form, nil, 200},
		{"with a charset", "POST", "", "application/x-www-form-urlencoded; charset=utf-8", "", form, nil, 200},
		{"GET", "GET", "?" + form, "", "", "", []string{": Method not allowed"}, 405},
		{"JSON", "POST", "", "application/json", "", `{}`, []string{": Unsupported media type"}, 415},
		{"malformed", "POST", "", "application/x-www-form-urlencoded", "", "key=%zz", []string{": Bad request"}, 400},
		{"parameters in the URL", "POST", "?action=add", "application/x-www-form-urlencoded", "", form, []string{"balance: parameters in the URL"}, 200},
		{"a header that makes net/http retry", "POST", "", "application/x-www-form-urlencoded", "Idempotency-Key", form, []string{"balance: header Idempotency-Key"}, 200},
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
			expectViolations(t, s, tt.violations...)
		})
	}
}

func TestRemovedKey(t *testing.T) {
	s := open(t, Options{})
	ask(t, s, "add", "service", "2", "quantity", "1")
	s.RemoveKey(alice)
	exact(t, "removed key", ask(t, s, "status", "order", "23501"), `{"error":"Invalid API key"}`)
	s.AddKey(alice, "7", "USD")
	if got := read[statusAnswer](t, s, "status", "order", "23501"); got.Status != "Completed" {
		t.Errorf("key added again: %+v", got)
	}
	if got := ask(t, s, "balance"); got != `{"balance":"7.00","currency":"USD"}` {
		t.Error(got)
	}
}
