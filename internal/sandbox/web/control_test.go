package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hstockbot/internal/sandbox/market"
	"hstockbot/internal/sandbox/telegram"
)

// callMarket sends a request to the marketplace as the bot, and returns the answer.
func callMarket(t *testing.T, p *page, form url.Values) string {
	t.Helper()
	form.Set("key", keyRich)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://market.test/api/v2", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	p.market.ServeHTTP(w, r)
	return w.Body.String()
}

// callTelegram calls a method of Telegram as the bot.
func callTelegram(t *testing.T, p *page, method string, params any) {
	t.Helper()
	body, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://telegram.test/bot"+telegram.DefaultToken+"/"+method, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	p.telegram.ServeHTTP(w, r)
}

// mustPost posts a request that must be accepted.
func mustPost(t *testing.T, h http.Handler, path, body string) {
	t.Helper()
	if w := serve(t, h, http.MethodPost, "http://127.0.0.1:8090"+path, body, nil); w.Code != http.StatusNoContent {
		t.Fatalf("%s %s: %d %s", path, body, w.Code, w.Body)
	}
}

// viewOrders returns the orders as the page shows them, newest last.
func viewOrders(p *page) []orderView {
	var views []orderView
	for _, o := range p.market.Orders() {
		views = append(views, viewOrder(o))
	}
	return views
}

func TestOrderActions(t *testing.T) {
	p, handler := newTestPage(t)
	for range 2 {
		callMarket(t, p, url.Values{"action": {"add"}, "service": {"3"}, "quantity": {"3"}, "link": {"me@mail.example"}})
	}
	first, second := market.FirstOrder, market.FirstOrder+1
	check := func(what string, want ...orderView) {
		t.Helper()
		got := viewOrders(p)
		for i, w := range want {
			w.Name, w.KeyTail, w.Quantity, w.Charge, w.Link = got[i].Name, "…4f7a", 3, "2.40 USD", "me@mail.example"
			if got[i] != w {
				t.Errorf("%s: got %+v, want %+v", what, got[i], w)
			}
		}
	}
	check("new", orderView{ID: first, Status: "Pending", Deliverable: true}, orderView{ID: second, Status: "Pending", Deliverable: true})
	mustPost(t, handler, "/order", `{"order":23501,"do":"deliver","n":2}`)
	mustPost(t, handler, "/order", `{"order":23502,"do":"fail"}`)
	check("two delivered, the other failed",
		orderView{ID: first, Delivered: 2, Status: "In progress", Deliverable: true},
		orderView{ID: second, Status: "Fail", Deliverable: true})
	mustPost(t, handler, "/order", `{"order":23501,"do":"status","word":" On hold "}`)
	check("another status", orderView{ID: first, Delivered: 2, Status: "On hold", Deliverable: true})
	mustPost(t, handler, "/order", `{"order":23501,"do":"finish"}`)
	mustPost(t, handler, "/order", `{"order":23502,"do":"refund"}`)
	check("all delivered, the other refunded",
		orderView{ID: first, Delivered: 3, Status: "Completed"},
		orderView{ID: second, Status: "Refunded", Refunded: true})
	if keys := p.viewKeys(); len(keys) != 1 || keys[0].Balance != "497.60 USD" {
		t.Errorf("the keys are %+v", keys)
	}
}

func TestNumberActions(t *testing.T) {
	p, handler := newTestPage(t)
	form := func() url.Values {
		return url.Values{"action": {"add_sms"}, "project_id": {market.ProjectOpenAI}, "country": {"us"}}
	}
	p.market.SetCodeAfter(time.Hour)
	for range 6 {
		callMarket(t, p, form())
	}
	mustPost(t, handler, "/number", `{"number":23501,"do":"code","text":"G-4711 is it"}`)
	mustPost(t, handler, "/number", `{"number":23502,"do":"twice","text":"1234"}`)
	mustPost(t, handler, "/number", `{"number":23503,"do":"late","text":"5678"}`)
	mustPost(t, handler, "/number", `{"number":23504,"do":"expire"}`)
	mustPost(t, handler, "/number", `{"number":23505,"do":"never"}`)
	type state struct {
		status, code     string
		open, auto, more bool
	}
	var got []state
	for _, n := range p.market.Numbers() {
		view := viewNumber(n)
		got = append(got, state{view.Status, view.Code, view.Open, view.CodeAt == n.CreatedAt.Add(time.Hour).UnixMilli(), view.MoreSMS})
	}
	want := []state{
		{status: "code_received", code: "4711"},
		{status: "code_received", code: "1234", more: true},
		{status: "expired", more: true},
		{status: "expired"},
		{status: "active", open: true},
		{status: "active", open: true, auto: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if w := serve(t, handler, http.MethodPost, "http://127.0.0.1:8090/number", `{"number":23501,"do":"never"}`, nil); w.Code == http.StatusNoContent {
		t.Error("the code of a number that has received it can be cancelled")
	}
}

func TestSwitchesFaults(t *testing.T) {
	p, handler := newTestPage(t)
	type header = map[string]bool
	on := func() header {
		names := header{}
		for _, f := range p.viewFaults() {
			names[f.Name] = f.Once
		}
		return names
	}
	for _, f := range faults() {
		mustPost(t, handler, "/fault", `{"fault":"`+f.name+`","on":true}`)
		once := f.name == "lose" || f.name == "tglose"
		if now := on(); len(now) != 1 || now[f.name] != once {
			t.Errorf("%s switched on: %v", f.name, now)
		}
		mustPost(t, handler, "/fault", `{"fault":"`+f.name+`","on":true,"once":true}`)
		if f.name == "lose" && p.market.Faults()[0].Action != market.Buying {
			t.Errorf("answers to %q are lost", p.market.Faults()[0].Action)
		}
		if now := on(); len(now) != 1 || !now[f.name] {
			t.Errorf("%s switched on once: %v", f.name, now)
		}
		mustPost(t, handler, "/fault", `{"fault":"`+f.name+`","on":false}`)
		if now := on(); len(now) != 0 {
			t.Errorf("%s switched off: %v", f.name, now)
		}
	}

	mustPost(t, handler, "/fault", `{"fault":"refuse","on":true,"text":"Closed for today","buying":true}`)
	if got := callMarket(t, p, url.Values{"action": {"balance"}}); !strings.Contains(got, "500.00") {
		t.Errorf("the balance is refused: %s", got)
	}
	for _, form := range []url.Values{
		{"action": {"add"}, "service": {"3"}, "quantity": {"1"}},
		{"action": {"add_sms"}, "project_id": {market.ProjectOpenAI}},
	} {
		if got := callMarket(t, p, form); got != `{"error":"Closed for today"}` {
			t.Errorf("buying with %s: %s", form.Get("action"), got)
		}
	}
	if text := p.viewFaults()[0].Description; !strings.HasSuffix(text, "“Closed for today” (only requests that buy)") {
		t.Errorf("the description is %q", text)
	}
	mustPost(t, handler, "/fault", `{"fault":"tg429","on":true}`)
	mustPost(t, handler, "/fault", `{"fault":"blocked","on":true,"person":7000003}`)
	if !p.people[amal].Blocked() || len(on()) != 3 {
		t.Errorf("blocked %v, on %v", p.people[amal].Blocked(), on())
	}
	mustPost(t, handler, "/clear", `{}`)
	if len(on()) != 0 || p.people[amal].Blocked() {
		t.Errorf("on after clear: %v", on())
	}
}

func TestChangesItemsAndBalance(t *testing.T) {
	p, handler := newTestPage(t)
	find := func(q string) []itemView {
		t.Helper()
		w := serve(t, handler, http.MethodGet, "http://127.0.0.1:8090/rows?q="+url.QueryEscape(q), "", nil)
		var items []itemView
		if err := json.Unmarshal(w.Body.Bytes(), &items); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		return items
	}
	if items := find(""); len(items) != maxItems || items[0].Service != 1 {
		t.Errorf("all items: %d, the first is %+v", len(items), items)
	}
	if items := find("22"); !slices.ContainsFunc(items, func(r itemView) bool { return r.Service == market.Plain }) {
		t.Errorf("by number: %+v", items)
	}
	if items := find("no such thing"); len(items) != 0 {
		t.Errorf("no match: %+v", items)
	}
	mustPost(t, handler, "/row", `{"service":2,"stock":7,"rate":"2.50","held":true}`)
	if items := find("GMAIL usa"); len(items) == 0 || items[0].Stock != 7 || items[0].Rate != "2.5" || !items[0].Held {
		t.Errorf("by name: %+v", items)
	}
	mustPost(t, handler, "/balance", `{"key":"`+keyRich+`","balance":" 12.50 "}`)
	if keys := p.viewKeys(); keys[0].Balance != "12.50 USD" {
		t.Errorf("the balance is %+v", keys)
	}
}

// The log of calls contains neither the token nor keys, goods or codes.
// withSecondFactor is the service of accounts that have one.
func withSecondFactor(p *page) string {
	rows := p.market.Rows()
	i := slices.IndexFunc(rows, func(r market.Row) bool { return r.Name == "Gmail + YouTube Channel - 2012" })
	return strconv.FormatInt(rows[i].Service, 10)
}

func TestLogHidesSecrets(t *testing.T) {
	p, handler := newTestPage(t)
	callMarket(t, p, url.Values{"action": {"add"}, "service": {strconv.FormatInt(market.AwkwardGoods, 10)}, "quantity": {"5"}})
	callMarket(t, p, url.Values{"action": {"add"}, "service": {strconv.FormatInt(market.LongGoods, 10)}, "quantity": {"5"}})
	callMarket(t, p, url.Values{"action": {"add_sms"}, "project_id": {market.ProjectOpenAI}})
	callMarket(t, p, url.Values{"action": {"add"}, "service": {withSecondFactor(p)}, "quantity": {"1"}})
	mustPost(t, handler, "/number", `{"number":23503,"do":"code","text":"777123 is your code"}`)
	s := p.newStream()
	s.marketCalls.last, s.telegramCalls.last = 0, 0
	secrets := []string{keyRich, telegram.DefaultToken, "777123", "888123"}
	for _, number := range []string{"23501", "23502"} {
		callMarket(t, p, url.Values{"action": {"status"}, "order": {number}})
	}
	callMarket(t, p, url.Values{"action": {"sms_code"}, "order": {"23503"}})
	callMarket(t, p, url.Values{"action": {"sms_status"}, "order": {"23503"}})
	p.secrets.update(p.market.Orders(), p.market.Numbers())
	mustPost(t, handler, "/number", `{"number":23503,"do":"code","text":"888123 is your code"}`) // as long as the previous one
	for _, o := range p.market.Orders() {
		for _, account := range o.Accounts {
			if _, parts, found := strings.Cut(account, "|"); found {
				password := strings.TrimSuffix(strings.Split(account, ":")[1], "|"+parts)
				secrets = append(secrets, password)
				callTelegram(t, p, "sendMessage", map[string]any{"chat_id": anna, "text": "Here: " + password})
			}
			secrets = append(secrets, account, strings.Split(account, ":")[0], strings.Split(account, ":")[1])
			for _, text := range []string{account, telegramEscape.Replace(account), "<code>" + telegramEscape.Replace(account) + "</code>", "<tg-spoiler>" + account} {
				callTelegram(t, p, "sendMessage", map[string]any{
					"chat_id": anna, "text": "Here: " + text, "parse_mode": "HTML",
					"reply_markup": map[string]any{"inline_keyboard": []any{[]any{map[string]any{"text": "Copy", "copy_text": map[string]string{"text": account}}}}},
				})
			}
		}
	}
	callTelegram(t, p, "sendMessage", map[string]any{"chat_id": anna, "text": "The code is 777123, the key " + keyRich})
	callTelegram(t, p, "sendMessage", map[string]any{"chat_id": anna, "text": "The next code is 888123"})
	u, _ := nextUpdate(t, s)
	for _, call := range u.Calls {
		if call.Note == "" || call.Took < 0 {
			t.Errorf("%s %s: no note or no answer: %+v", call.Side, call.Name, call)
		}
		for _, text := range []string{call.Request, call.Answer, call.Result} {
			for _, secret := range secrets {
				if strings.Contains(text, secret) || strings.Contains(text, telegramEscape.Replace(secret)) {
					t.Errorf("%s shows %q: %s", call.Name, secret, text)
				}
			}
		}
	}
	if len(u.Calls) < 20 {
		t.Errorf("only %d calls", len(u.Calls))
	}
}

// nextUpdate returns the next update of a stream, and its size in bytes.
func nextUpdate(t *testing.T, s *stream) (u update, size int) {
	t.Helper()
	data, err := s.update()
	if err == nil {
		err = json.Unmarshal(data, &u)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u, len(data)
}

func TestUpdateContainsOnlyChanges(t *testing.T) {
	p, _ := newTestPage(t)
	for range 1000 {
		p.people[anna].Type("hello")
	}
	s := p.newStream()
	if first, err := s.update(); err != nil || len(first) < 50_000 {
		t.Fatalf("the first update has %d bytes, %v", len(first), err)
	}
	if again, err := s.update(); err != nil || again != nil {
		t.Errorf("update without a change: %s, %v", again, err)
	}
	p.people[anna].Type("one more")
	if err := p.people[anna].EditOwn(500, "changed"); err != nil {
		t.Fatal(err)
	}
	if err := p.people[anna].Delete(7); err != nil {
		t.Fatal(err)
	}
	u, size := nextUpdate(t, s)
	if got := u.Chats[anna]; len(u.Chats) != 1 || len(got.Messages) != 2 || !slices.Equal(got.Deleted, []int{7}) || size > 1000 {
		t.Errorf("the update has %d bytes: %+v", size, u)
	}
}
