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

// buy has the bot ask the marketplace for something, and returns the answer.
func buy(t *testing.T, p *page, form url.Values) string {
	t.Helper()
	form.Set("key", keyRich)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://market.test/api/v2", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	p.goods.ServeHTTP(w, r)
	return w.Body.String()
}

// say has the bot call a method of Telegram.
func say(t *testing.T, p *page, method string, params any) {
	t.Helper()
	body, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://telegram.test/bot"+telegram.DefaultToken+"/"+method, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	p.chats.ServeHTTP(w, r)
}

// done posts what must be taken.
func done(t *testing.T, h http.Handler, path, body string) {
	t.Helper()
	if w := ask(t, h, http.MethodPost, "http://127.0.0.1:8090"+path, body, nil); w.Code != http.StatusNoContent {
		t.Fatalf("%s %s: %d %s", path, body, w.Code, w.Body)
	}
}

// ordersSeen is how the page shows the orders, newest last.
func ordersSeen(p *page) []orderView {
	var views []orderView
	for _, o := range p.goods.Orders() {
		views = append(views, viewOrder(o))
	}
	return views
}

func TestOrders(t *testing.T) {
	p, handler := quiet(t)
	for range 2 {
		buy(t, p, url.Values{"action": {"add"}, "service": {"3"}, "quantity": {"3"}, "link": {"me@mail.example"}})
	}
	first, second := market.FirstOrder, market.FirstOrder+1
	check := func(what string, want ...orderView) {
		t.Helper()
		got := ordersSeen(p)
		for i, w := range want {
			w.Name, w.Whose, w.Quantity, w.Charge, w.Link = got[i].Name, "…4f7a", 3, "2.40 USD", "me@mail.example"
			if got[i] != w {
				t.Errorf("%s: got %+v, want %+v", what, got[i], w)
			}
		}
	}
	check("new", orderView{Number: first, Status: "Pending", Left: true}, orderView{Number: second, Status: "Pending", Left: true})
	done(t, handler, "/order", `{"order":23501,"do":"deliver","n":2}`)
	done(t, handler, "/order", `{"order":23502,"do":"fail"}`)
	check("two delivered, the other failed",
		orderView{Number: first, Delivered: 2, Status: "In progress", Left: true},
		orderView{Number: second, Status: "Fail", Left: true})
	done(t, handler, "/order", `{"order":23501,"do":"status","word":" On hold "}`)
	check("another word", orderView{Number: first, Delivered: 2, Status: "On hold", Left: true})
	done(t, handler, "/order", `{"order":23501,"do":"finish"}`)
	done(t, handler, "/order", `{"order":23502,"do":"refund"}`)
	check("all delivered, the other refunded",
		orderView{Number: first, Delivered: 3, Status: "Completed"},
		orderView{Number: second, Status: "Refunded", Refunded: true})
	if keys := p.viewKeys(); len(keys) != 1 || keys[0].Balance != "497.60 USD" {
		t.Errorf("the money: %+v", keys)
	}
}

func TestNumbers(t *testing.T) {
	p, handler := quiet(t)
	form := func() url.Values {
		return url.Values{"action": {"add_sms"}, "project_id": {market.ProjectOpenAI}, "country": {"us"}}
	}
	p.goods.SetCodeAfter(time.Hour)
	for range 6 {
		buy(t, p, form())
	}
	done(t, handler, "/number", `{"number":23501,"do":"code","text":"G-4711 is it"}`)
	done(t, handler, "/number", `{"number":23502,"do":"twice","text":"1234"}`)
	done(t, handler, "/number", `{"number":23503,"do":"late","text":"5678"}`)
	done(t, handler, "/number", `{"number":23504,"do":"expire"}`)
	done(t, handler, "/number", `{"number":23505,"do":"never"}`)
	type seen struct {
		status, code          string
		open, itself, follows bool
	}
	var got []seen
	for _, n := range p.goods.Numbers() {
		view := viewNumber(n)
		got = append(got, seen{view.Status, view.Code, view.Open, view.Comes == n.CreatedAt.Add(time.Hour).UnixMilli(), view.Follows})
	}
	want := []seen{
		{status: "code_received", code: "4711"},
		{status: "code_received", code: "1234", follows: true},
		{status: "expired", follows: true},
		{status: "expired"},
		{status: "active", open: true},
		{status: "active", open: true, itself: true},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if w := ask(t, handler, http.MethodPost, "http://127.0.0.1:8090/number", `{"number":23501,"do":"never"}`, nil); w.Code == http.StatusNoContent {
		t.Error("what came is taken away")
	}
}

func TestFaults(t *testing.T) {
	p, handler := quiet(t)
	type header = map[string]bool
	on := func() header {
		names := header{}
		for _, f := range p.viewFaults() {
			names[f.Fault] = f.Once
		}
		return names
	}
	for _, trouble := range troubles() {
		done(t, handler, "/fault", `{"fault":"`+trouble.name+`","on":true}`)
		once := trouble.name == "lose" || trouble.name == "tglose"
		if now := on(); len(now) != 1 || now[trouble.name] != once {
			t.Errorf("%s switched on: %v", trouble.name, now)
		}
		done(t, handler, "/fault", `{"fault":"`+trouble.name+`","on":true,"once":true}`)
		if trouble.name == "lose" && p.goods.Faults()[0].Action != market.Buying {
			t.Errorf("lost are answers of %q", p.goods.Faults()[0].Action)
		}
		if now := on(); len(now) != 1 || !now[trouble.name] {
			t.Errorf("%s for once: %v", trouble.name, now)
		}
		done(t, handler, "/fault", `{"fault":"`+trouble.name+`","on":false}`)
		if now := on(); len(now) != 0 {
			t.Errorf("%s switched off: %v", trouble.name, now)
		}
	}

	done(t, handler, "/fault", `{"fault":"refuse","on":true,"text":"Closed for today","buying":true}`)
	if got := buy(t, p, url.Values{"action": {"balance"}}); !strings.Contains(got, "500.00") {
		t.Errorf("the balance is refused: %s", got)
	}
	for _, form := range []url.Values{
		{"action": {"add"}, "service": {"3"}, "quantity": {"1"}},
		{"action": {"add_sms"}, "project_id": {market.ProjectOpenAI}},
	} {
		if got := buy(t, p, form); got != `{"error":"Closed for today"}` {
			t.Errorf("buying by %s: %s", form.Get("action"), got)
		}
	}
	if says := p.viewFaults()[0].Says; !strings.HasSuffix(says, "“Closed for today” (when something is bought)") {
		t.Errorf("the page says %q", says)
	}
	done(t, handler, "/fault", `{"fault":"tg429","on":true}`)
	done(t, handler, "/fault", `{"fault":"blocked","on":true,"person":7000003}`)
	if !p.people[amal].Blocked() || len(on()) != 3 {
		t.Errorf("blocked %v, on %v", p.people[amal].Blocked(), on())
	}
	done(t, handler, "/clear", `{}`)
	if len(on()) != 0 || p.people[amal].Blocked() {
		t.Errorf("cleared, and on: %v", on())
	}
}

func TestStockAndBalance(t *testing.T) {
	p, handler := quiet(t)
	find := func(q string) []rowView {
		t.Helper()
		w := ask(t, handler, http.MethodGet, "http://127.0.0.1:8090/rows?q="+url.QueryEscape(q), "", nil)
		var rows []rowView
		if err := json.Unmarshal(w.Body.Bytes(), &rows); err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		return rows
	}
	if rows := find(""); len(rows) != maxRows || rows[0].Service != 1 {
		t.Errorf("all rows: %d, the first is %+v", len(rows), rows)
	}
	if rows := find("22"); !slices.ContainsFunc(rows, func(r rowView) bool { return r.Service == market.Plain }) {
		t.Errorf("by number: %+v", rows)
	}
	if rows := find("no such thing"); len(rows) != 0 {
		t.Errorf("nothing: %+v", rows)
	}
	done(t, handler, "/row", `{"service":2,"stock":7,"rate":"2.50","held":true}`)
	if rows := find("GMAIL usa"); len(rows) == 0 || rows[0].Stock != 7 || rows[0].Rate != "2.5" || !rows[0].Held {
		t.Errorf("by name: %+v", rows)
	}
	done(t, handler, "/balance", `{"key":"`+keyRich+`","balance":" 12.50 "}`)
	if keys := p.viewKeys(); keys[0].Balance != "12.50 USD" {
		t.Errorf("the balance: %+v", keys)
	}
}

// The log says what was called and no secret: neither the token nor a key, a good
// or a code.
func TestLogHidesSecrets(t *testing.T) {
	p, handler := quiet(t)
	buy(t, p, url.Values{"action": {"add"}, "service": {strconv.FormatInt(market.AwkwardGoods, 10)}, "quantity": {"5"}})
	buy(t, p, url.Values{"action": {"add"}, "service": {strconv.FormatInt(market.LongGoods, 10)}, "quantity": {"5"}})
	buy(t, p, url.Values{"action": {"add_sms"}, "project_id": {market.ProjectOpenAI}})
	done(t, handler, "/number", `{"number":23503,"do":"code","text":"777123 is your code"}`)
	seen := p.look()
	seen.market.last, seen.telegram.last = 0, 0
	secrets := []string{keyRich, telegram.DefaultToken, "777123", "888123"}
	for _, number := range []string{"23501", "23502"} {
		buy(t, p, url.Values{"action": {"status"}, "order": {number}})
	}
	buy(t, p, url.Values{"action": {"sms_code"}, "order": {"23503"}})
	buy(t, p, url.Values{"action": {"sms_status"}, "order": {"23503"}})
	p.masks.learn(p.goods.Orders(), p.goods.Numbers())
	done(t, handler, "/number", `{"number":23503,"do":"code","text":"888123 is your code"}`) // as long as the one before
	for _, o := range p.goods.Orders() {
		for _, account := range o.Accounts {
			secrets = append(secrets, account, strings.Split(account, ":")[0], strings.Split(account, ":")[1])
			for _, text := range []string{account, lightEscape.Replace(account), "<code>" + lightEscape.Replace(account) + "</code>", "<tg-spoiler>" + account} {
				say(t, p, "sendMessage", map[string]any{
					"chat_id": anna, "text": "Here: " + text, "parse_mode": "HTML",
					"reply_markup": map[string]any{"inline_keyboard": []any{[]any{map[string]any{"text": "Copy", "copy_text": map[string]string{"text": account}}}}},
				})
			}
		}
	}
	say(t, p, "sendMessage", map[string]any{"chat_id": anna, "text": "The code is 777123, the key " + keyRich})
	say(t, p, "sendMessage", map[string]any{"chat_id": anna, "text": "The next code is 888123"})
	data, err := seen.update()
	if err != nil {
		t.Fatal(err)
	}
	var told update
	if err := json.Unmarshal(data, &told); err != nil {
		t.Fatal(err)
	}
	for _, call := range told.Calls {
		if call.Note == "" || call.Took < 0 {
			t.Errorf("%s %s: teaches nothing, or had no answer: %+v", call.Side, call.Name, call)
		}
		for _, text := range []string{call.Said, call.Answer, call.Result} {
			for _, secret := range secrets {
				if strings.Contains(text, secret) || strings.Contains(text, lightEscape.Replace(secret)) {
					t.Errorf("%s tells %q: %s", call.Name, secret, text)
				}
			}
		}
	}
	if len(told.Calls) < 20 {
		t.Errorf("only %d calls", len(told.Calls))
	}
}

// What has been told is not told again: an idle page costs nothing, and one new
// message is one message.
func TestOnlyWhatIsNew(t *testing.T) {
	p, _ := quiet(t)
	for range 1000 {
		p.people[anna].Type("hello")
	}
	seen := p.look()
	if first, err := seen.update(); err != nil || len(first) < 50_000 {
		t.Fatalf("the first update has %d bytes, %v", len(first), err)
	}
	if again, err := seen.update(); err != nil || again != nil {
		t.Errorf("nothing has changed, and told is %s, %v", again, err)
	}
	p.people[anna].Type("one more")
	if err := p.people[anna].EditOwn(500, "changed"); err != nil {
		t.Fatal(err)
	}
	if err := p.people[anna].Delete(7); err != nil {
		t.Fatal(err)
	}
	data, err := seen.update()
	if err != nil {
		t.Fatal(err)
	}
	var news update
	if err := json.Unmarshal(data, &news); err != nil {
		t.Fatal(err)
	}
	if got := news.Chats[anna]; len(news.Chats) != 1 || len(got.Messages) != 2 || !slices.Equal(got.Deleted, []int{7}) || len(data) > 1000 {
		t.Errorf("told is %s", data)
	}
}
