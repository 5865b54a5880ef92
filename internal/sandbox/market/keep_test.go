package market

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestKeepAndRestore(t *testing.T) {
	options := Options{Seed: 7, DeliverAfter: time.Hour}
	s := open(t, options)
	ask(t, s, "add", "service", "2", "quantity", "3")
	ask(t, s, "add", "service", "3", "quantity", "2", "link", "me@mail.example")
	ask(t, s, "add_sms", "project_id", ProjectOpenAI, "country", CountryUS)
	ask(t, s, "add_sms", "project_id", ProjectTwoNumbers, "country", CountryUS)
	must(t, s.Deliver(FirstOrder, 2))
	must(t, s.SetStatus(FirstOrder+1, "On hold"))
	must(t, s.SendTwice(FirstOrder+2, "4711"))
	ask(t, s, "sms_code", "order", "23503")
	must(t, s.SetStock(OneLeft, 9))
	must(t, s.SetRate(OneLeft, "3.25"))
	must(t, s.Hold(GmailUSA, true))
	s.AddKey("removed", "1.00", "EUR")
	s.RemoveKey("removed")

	data, err := s.Keep()
	must(t, err)
	if seed, err := KeptSeed(data); err != nil || seed != 7 {
		t.Errorf("seed %d, %v", seed, err)
	}
	restored := New(options)
	t.Cleanup(restored.Close)
	must(t, restored.Restore(data))
	for what, pair := range map[string][2]any{
		"accounts": {s.Accounts(), restored.Accounts()},
		"orders":   {s.Orders(), restored.Orders()},
		"numbers":  {s.Numbers(), restored.Numbers()},
		"rows":     {s.Rows(), restored.Rows()},
	} {
		if diff := cmp.Diff(pair[0], pair[1], cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-kept +restored):\n%s", what, diff)
		}
	}
	second, err := restored.Keep()
	must(t, err)
	if !bytes.Equal(data, second) {
		t.Errorf("the second Keep differs:\n%s\n%s", data, second)
	}
	if !bytes.Contains(data, []byte(`"next":{`)) || bytes.Count(data, []byte(`"next_at":"0001`)) != 1 {
		t.Errorf("the follow-up SMS is not kept:\n%s", data)
	}
	// The next order has a new number and new goods.
	if got := ask(t, restored, "add", "service", "2", "quantity", "1"); got != `{"order":23505}` {
		t.Errorf("the next order: %s", got)
	}
	must(t, restored.Finish(FirstOrder))
	must(t, restored.Finish(FirstOrder+4))
	if n := uniqueGoods(t, restored); n != 4 {
		t.Errorf("%d goods, want 4", n)
	}

	if err := New(Options{Seed: 8}).Restore(data); err == nil {
		t.Error("another seed was accepted")
	}
	if err := New(options).Restore([]byte("{")); err == nil {
		t.Error("truncated JSON was accepted")
	}
	if err := New(options).Restore([]byte(`{"seed":7,"orders":[{"number":1,"key":"unknown"}]}`)); err == nil {
		t.Error("an order of an unknown key was accepted")
	}
}
