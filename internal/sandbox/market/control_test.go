package market

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

func TestChangeRows(t *testing.T) {
	s := open(t, Options{})
	must(t, s.SetStock(NetflixVariants, 5))
	must(t, s.SetRate(NetflixVariants, "1.2345"))
	got := read[inventoryAnswer](t, s, "inventory", "service", "4")
	if got.Stock != 5 || !got.Available || got.Rate != "1.2345" || (*got.Subproducts)[0].Stock != 5 || (*got.Subproducts)[1].Stock != 0 {
		t.Errorf("%+v", got)
	}
	must(t, s.SetStock(InstagramFollowers, 0))
	if got := read[inventoryAnswer](t, s, "inventory", "service", "1"); got.Available || got.Stock != 0 {
		t.Errorf("%+v", got)
	}
	exact(t, "SMM without stock", ask(t, s, "add", "service", "1", "quantity", "100", "link", "https://x.y"), `{"error":"Not enough stock"}`)
	must(t, s.Remove(GmailUSA))
	exact(t, "removed row", ask(t, s, "inventory", "service", "2"), `{"error":"Service not found"}`)
	if _, found := s.Row(GmailUSA); found {
		t.Error("the row is still there")
	}
	must(t, s.Return(GmailUSA))
	must(t, s.SetName(GmailUSA, "Mail"))
	if row := s.Rows()[GmailUSA-1]; row.Service != GmailUSA || row.Name != "Mail" {
		t.Errorf("the row that returned is %+v", row)
	}
}

func TestChangeProjects(t *testing.T) {
	s := open(t, Options{})
	must(t, s.SetNumbers(ProjectNoNumbers, CountryUS, 1))
	must(t, s.SetSMSPrice(ProjectNoNumbers, CountryUS, "1.5"))
	if got := addSMS(t, s, "project_id", ProjectNoNumbers, "country", CountryUS); len(got) != 1 || s.Balance(alice).String() != "98.5" {
		t.Errorf("%+v for %s", got, s.Balance(alice))
	}
	if got := addSMS(t, s, "project_id", ProjectOpenAI, "country", CountryUnknown); len(got) != 1 || got[0].Country != "any" {
		t.Errorf("any country: %+v", got)
	}
	must(t, s.RemoveProject(ProjectOpenAI))
	exact(t, "removed project", ask(t, s, "add_sms", "project_id", ProjectOpenAI, "country", CountryUS), `{"error":"Project not found"}`)
	for _, p := range read[[]projectAnswer](t, s, "sms_projects") {
		if p.ProjectID == ProjectOpenAI {
			t.Fatalf("still in %s", p.CountryTitle)
		}
	}
}

func TestControlErrors(t *testing.T) {
	s := open(t, Options{})
	addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")
	must(t, s.CancelSMS(23501))
	for name, tt := range map[string]struct{ err, want error }{
		"balance of an unknown key":      {s.SetBalance("nobody", "1"), ErrUnknown},
		"balance without digits":         {s.SetBalance(alice, "much"), ErrAmount},
		"rate of zero":                   {s.SetRate(GmailUSA, "0"), ErrAmount},
		"unknown service":                {s.SetStock(999, 1), ErrUnknown},
		"unknown row":                    {s.Remove(999), ErrUnknown},
		"a row that is there":            {s.Return(GmailUSA), ErrUnknown},
		"unknown order":                  {s.Deliver(1, 1), ErrUnknown},
		"a number as an order":           {s.Finish(23501), ErrUnknown},
		"unknown number":                 {s.SendCode(1, "1234"), ErrUnknown},
		"unknown number, generated code": {s.SendCode(1, ""), ErrUnknown},
		"expire after cancel":            {s.ExpireSMS(23501), ErrClosed},
		"refund after cancel":            {s.RefundSMS(23501), ErrClosed},
		"unknown project":                {s.SetNumbers("65f", "us", 1), ErrUnknown},
		"unknown project's price":        {s.SetSMSPrice("65f", "us", "1"), ErrUnknown},
		"unknown project removed":        {s.RemoveProject("65f"), ErrUnknown},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
}

func TestAccounts(t *testing.T) {
	s := open(t, Options{})
	s.RemoveKey(alice)
	if got := s.Accounts(); len(got) != 1 || got[0].Key != bob || got[0].Currency != "EUR" || got[0].Balance.String() != "5" {
		t.Errorf("%+v", got)
	}
	if !s.Balance("nobody").IsZero() {
		t.Error("an unknown key has money")
	}
}

func TestSetCodeAfter(t *testing.T) {
	s := open(t, Options{})
	s.SetCodeAfter(time.Nanosecond)
	n := addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")[0]
	if n, _ := s.Number(n.Order); n.Code == "" {
		t.Errorf("no code arrived: %+v", n)
	}
}

func TestSetRentalTime(t *testing.T) {
	s := open(t, Options{})
	s.SetRentalTime(-time.Nanosecond)
	n := addSMS(t, s, "project_id", ProjectOpenAI, "country", "us")[0]
	if n, _ := s.Number(n.Order); n.Open {
		t.Errorf("it has not expired: %+v", n)
	}
}

// TestPricesOfAnAccount checks that all prices of an account are multiplied, and what
// it pays.
func TestPricesOfAnAccount(t *testing.T) {
	s := open(t, Options{})
	if err := s.SetPriceFactor("no such key", "2"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	before := askAs(t, s, bob, "inventory", "service", "2")
	must(t, s.SetPriceFactor(bob, "0.5"))
	row, _ := s.Row(2)
	half := row.Rate.Mul(decimal.RequireFromString("0.5"))
	if after := askAs(t, s, bob, "inventory", "service", "2"); after == before || !strings.Contains(after, `"rate":"`+money(half, 4)+`"`) {
		t.Errorf("inventory %s, then %s", before, after)
	}
	if services := askAs(t, s, bob, "services", "productIds", "2"); !strings.Contains(services, `"rate":"`+money(half, 2)+`"`) {
		t.Errorf("services %s, want the rate %s", services, half)
	}
	if inventory := ask(t, s, "inventory", "service", "2"); inventory != before {
		t.Errorf("another account: %s, want %s", inventory, before)
	}
	balance := s.Balance(bob)
	askAs(t, s, bob, "add", "service", "2", "quantity", "1")
	if paid := balance.Sub(s.Balance(bob)); !paid.Equal(half) {
		t.Errorf("paid %s, want %s", paid, half)
	}
}

func TestOrderIDsOfText(t *testing.T) {
	s := open(t, Options{})
	s.SetOrderIDs(func(number int64) string { return fmt.Sprint("order-", number) })
	must(t, s.Hold(2, true))
	if answer := ask(t, s, "add", "service", "2", "quantity", "1"); answer != `{"order":"order-23501"}` {
		t.Errorf("add answers %s", answer)
	}
	for _, form := range [][]string{{"status", "order", "order-23501"}, {"cancel", "orders", "order-23501"}} {
		if answer := ask(t, s, form[0], form[1:]...); strings.Contains(answer, "error") {
			t.Errorf("%s answers %s", form[0], answer)
		}
	}
	if answer := ask(t, s, "status", "order", "23501"); !strings.Contains(answer, "Order not found") {
		t.Errorf("status of the number answers %s", answer)
	}
}

func TestTypeOfARow(t *testing.T) {
	s := open(t, Options{})
	must(t, s.SetType(1, "Custom Comments"))
	if services := ask(t, s, "services", "entityType", "smm"); !strings.Contains(services, `"type":"Custom Comments"`) {
		t.Errorf("services %.300s", services)
	}
}
