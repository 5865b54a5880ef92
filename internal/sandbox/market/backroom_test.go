package market

import (
	"errors"
	"testing"
	"time"
)

func TestChangedShelves(t *testing.T) {
	s := open(t, Options{})
	ok(t, s.SetStock(NetflixVariants, 0))
	ok(t, s.SetVariantStock(NetflixVariants, 2, 5))
	ok(t, s.SetRate(NetflixVariants, "1.2345"))
	got := read[inventoryAnswer](t, s, "inventory", "service", "4")
	if got.Stock != 5 || !got.Available || got.Rate != "1.2345" || (*got.Subproducts)[2].Stock != 5 {
		t.Errorf("%+v", got)
	}
	ok(t, s.SetStock(InstagramFollowers, 0))
	if got := read[inventoryAnswer](t, s, "inventory", "service", "1"); got.Available || got.Stock != 0 {
		t.Errorf("%+v", got)
	}
	exact(t, "SMM without stock", ask(t, s, "add", "service", "1", "quantity", "100", "link", "https://x.y"), `{"error":"Not enough stock"}`)
	ok(t, s.Remove(GmailUSA))
	exact(t, "removed", ask(t, s, "inventory", "service", "2"), `{"error":"Service not found"}`)
	if _, found := s.Row(GmailUSA); found {
		t.Error("the row is still there")
	}
}

func TestChangedProjects(t *testing.T) {
	s := open(t, Options{})
	ok(t, s.SetNumbers(ProjectNoNumbers, CountryUS, 1))
	ok(t, s.SetSMSPrice(ProjectNoNumbers, CountryUS, "1.5"))
	if got := rented(t, s, "project_id", ProjectNoNumbers, "country", CountryUS); len(got) != 1 || s.Balance(alice).String() != "98.5" {
		t.Errorf("%+v for %s", got, s.Balance(alice))
	}
	if got := rented(t, s, "project_id", ProjectOpenAI, "country", CountryUnknown); len(got) != 1 || got[0].Country != "any" {
		t.Errorf("a country that is none: %+v", got)
	}
	ok(t, s.RemoveProject(ProjectOpenAI))
	exact(t, "gone", ask(t, s, "add_sms", "project_id", ProjectOpenAI, "country", CountryUS), `{"error":"Project not found"}`)
	for _, p := range read[[]projectAnswer](t, s, "sms_projects") {
		if p.ProjectID == ProjectOpenAI {
			t.Fatalf("still in %s", p.CountryTitle)
		}
	}
}

func TestRefusedCommands(t *testing.T) {
	s := open(t, Options{})
	rented(t, s, "project_id", ProjectOpenAI, "country", "us")
	ok(t, s.CancelSMS(23501))
	for name, tt := range map[string]struct{ err, want error }{
		"balance of an unknown key": {s.SetBalance("nobody", "1"), ErrUnknown},
		"balance of words":          {s.SetBalance(alice, "much"), ErrAmount},
		"rate of nothing":           {s.SetRate(GmailUSA, "0"), ErrAmount},
		"unknown service":           {s.SetStock(999, 1), ErrUnknown},
		"unknown variant":           {s.SetVariantStock(GmailUSA, 1, 1), ErrUnknown},
		"unknown row":               {s.Remove(999), ErrUnknown},
		"unknown order":             {s.Deliver(1, 1), ErrUnknown},
		"a number is no order":      {s.Finish(23501), ErrUnknown},
		"unknown number":            {s.SendCode(1, "1234"), ErrUnknown},
		"unknown number, made up":   {s.SendCode(1, ""), ErrUnknown},
		"expire after cancel":       {s.ExpireSMS(23501), ErrClosed},
		"refund after cancel":       {s.RefundSMS(23501), ErrClosed},
		"unknown project":           {s.SetNumbers("65f", "us", 1), ErrUnknown},
		"unknown project's price":   {s.SetSMSPrice("65f", "us", "1"), ErrUnknown},
		"unknown project removed":   {s.RemoveProject("65f"), ErrUnknown},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
}

func TestAccounts(t *testing.T) {
	s := open(t, Options{})
	s.RemoveKey(alice)
	if got := s.Accounts(); len(got) != 1 || got[0].KeyTail != "…0002" || got[0].Currency != "EUR" || got[0].Balance.String() != "5" {
		t.Errorf("%+v", got)
	}
	if !s.Balance("nobody").IsZero() {
		t.Error("nobody has money")
	}
}

func TestHabitsChangeForWhatComes(t *testing.T) {
	s := open(t, Options{DeliverAfter: time.Hour})
	ask(t, s, "add", "service", "2", "quantity", "1")
	s.SetDeliverAfter(0)
	s.SetCodeAfter(time.Nanosecond)
	ask(t, s, "add", "service", "2", "quantity", "1")
	rented(t, s, "project_id", ProjectOpenAI, "country", "us")
	orders := s.Orders()
	if orders[0].Status != "In progress" || orders[1].Status != "Completed" {
		t.Errorf("%s, then %s", orders[0].Status, orders[1].Status)
	}
	ok(t, s.Cancel(orders[0].Number))
	if o, _ := s.Order(orders[0].Number); o.Status != "Canceled" || o.Open || !o.Refunded.Equal(o.Charge) {
		t.Errorf("%+v", o)
	}
	if n, _ := s.Number(23503); n.Code == "" {
		t.Errorf("no code came: %+v", n)
	}
}
