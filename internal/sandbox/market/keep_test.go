package market

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// What is kept and restored is the same marketplace, and counts on.
func TestKeep(t *testing.T) {
	options := Options{Seed: 7, DeliverAfter: time.Hour}
	s := open(t, options)
	ask(t, s, "add", "service", "2", "quantity", "3")
	ask(t, s, "add", "service", "3", "quantity", "2", "link", "me@mail.example")
	ask(t, s, "add_sms", "project_id", ProjectOpenAI, "country", CountryUS)
	ask(t, s, "add_sms", "project_id", ProjectTwoNumbers, "country", CountryUS)
	ok(t, s.Deliver(FirstOrder, 2))
	ok(t, s.SetStatus(FirstOrder+1, "On hold"))
	ok(t, s.SendTwice(FirstOrder+2, "4711"))
	ask(t, s, "sms_code", "order", "23503")
	ok(t, s.SetStock(OneLeft, 9))
	ok(t, s.SetRate(OneLeft, "3.25"))
	ok(t, s.Hold(GmailUSA, true))
	s.AddKey("gone", "1.00", "EUR")
	s.RemoveKey("gone")

	data, err := s.Keep()
	ok(t, err)
	if seed, err := KeptSeed(data); err != nil || seed != 7 {
		t.Errorf("seed %d, %v", seed, err)
	}
	again := New(options)
	t.Cleanup(again.Close)
	ok(t, again.Restore(data))
	for what, pair := range map[string][2]any{
		"accounts": {s.Accounts(), again.Accounts()},
		"orders":   {s.Orders(), again.Orders()},
		"numbers":  {s.Numbers(), again.Numbers()},
		"rows":     {s.Rows(), again.Rows()},
	} {
		if diff := cmp.Diff(pair[0], pair[1], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-kept +restored):\n%s", what, diff)
		}
	}
	twice, err := again.Keep()
	ok(t, err)
	if !bytes.Equal(data, twice) {
		t.Errorf("kept again it differs:\n%s\n%s", data, twice)
	}
	if !bytes.Contains(data, []byte(`"next":{`)) || bytes.Count(data, []byte(`"next_at":"0001`)) != 1 {
		t.Errorf("what follows an SMS, and when, is not kept:\n%s", data)
	}
	// The next order has a number and goods that nobody has.
	if got := ask(t, again, "add", "service", "2", "quantity", "1"); got != `{"order":23505}` {
		t.Errorf("the next order: %s", got)
	}
	ok(t, again.Finish(FirstOrder))
	ok(t, again.Finish(FirstOrder+4))
	seen := map[string]bool{}
	for _, o := range again.Orders() {
		for _, account := range o.Accounts {
			if seen[account] {
				t.Errorf("%s was delivered twice", account)
			}
			seen[account] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d accounts were delivered", len(seen))
	}

	if err := New(Options{Seed: 8}).Restore(data); err == nil {
		t.Error("another seed is taken")
	}
	if err := New(options).Restore([]byte("{")); err == nil {
		t.Error("half a file is taken")
	}
	if err := New(options).Restore([]byte(`{"seed":7,"orders":[{"number":1,"key":"nobody's"}]}`)); err == nil {
		t.Error("an order of nobody is taken")
	}
}

func TestClearFault(t *testing.T) {
	s := open(t, Options{})
	s.Fault(Fault{Kind: Slow, Times: Always})
	s.Fault(Fault{Kind: Cut})
	s.ClearFault(func(f Fault) bool { return f.Kind == Slow })
	if left := s.Faults(); len(left) != 1 || left[0].Kind != Cut {
		t.Errorf("left are %+v", left)
	}
}
