package market

import (
	"errors"
	"testing"
	"time"
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
