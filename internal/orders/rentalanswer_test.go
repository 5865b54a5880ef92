package orders

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"

	"hstockbot/internal/hstock"
	"hstockbot/internal/outbox"
	"hstockbot/storage"
)

// TestAnswersAboutAPhone are combined: an SMS of either action counts, with its text where one
// is known, and the end of which sms_status knows more.
func TestAnswersAboutAPhone(t *testing.T) {
	waiting, received := hstock.SMSStatus{State: hstock.SMSWaiting}, hstock.SMSStatus{State: hstock.SMSReceived, Code: "1"}
	for name, test := range map[string]struct {
		status *hstock.SMSStatus // nil: it failed
		code   *hstock.SMSCode
		state  hstock.SMSState
		want   []SMS
	}{
		"waits":                        {&waiting, &hstock.SMSCode{State: hstock.SMSWaiting}, hstock.SMSWaiting, nil},
		"code and text":                {&received, &hstock.SMSCode{State: hstock.SMSReceived, Code: "1", Content: "code 1"}, hstock.SMSReceived, []SMS{{Code: "1", Text: "code 1"}}},
		"code, sms_code fails":         {&received, nil, hstock.SMSReceived, []SMS{{Code: "1"}}},
		"code, sms_code has none":      {&received, &hstock.SMSCode{State: hstock.SMSWaiting}, hstock.SMSWaiting, []SMS{{Code: "1"}}},
		"code, sms_status has none":    {&waiting, &hstock.SMSCode{State: hstock.SMSReceived, Code: "1"}, hstock.SMSReceived, []SMS{{Code: "1"}}},
		"code, sms_status fails":       {nil, &hstock.SMSCode{State: hstock.SMSReceived, Code: "1"}, hstock.SMSReceived, []SMS{{Code: "1"}}},
		"text without a code":          {nil, &hstock.SMSCode{State: hstock.SMSReceived, Content: "call us"}, hstock.SMSReceived, []SMS{{Text: "call us"}}},
		"an SMS twice":                 {nil, &hstock.SMSCode{State: hstock.SMSReceived, Code: "2", Earlier: []hstock.SMS{{Code: "1"}, {Code: "2"}}}, hstock.SMSReceived, []SMS{{Code: "1"}, {Code: "2"}}},
		"refunded, sms_code: expired":  {&hstock.SMSStatus{State: hstock.SMSRefunded}, &hstock.SMSCode{State: hstock.SMSExpired}, hstock.SMSRefunded, nil},
		"canceled, sms_code: waits":    {&hstock.SMSStatus{State: hstock.SMSCanceled}, &hstock.SMSCode{State: hstock.SMSWaiting}, hstock.SMSCanceled, nil},
		"unknown, sms_code: cancelled": {&hstock.SMSStatus{State: hstock.SMSUnknown}, &hstock.SMSCode{State: hstock.SMSCanceled}, hstock.SMSCanceled, nil},
	} {
		var a rentalAnswer
		if test.status != nil {
			a.addStatus(*test.status)
		}
		if test.code != nil {
			a.addCode(*test.code)
		}
		if a.state != test.state || !slices.Equal(a.received, test.want) {
			t.Errorf("%s: %s, %q; want %s, %q", name, a.state, revealed(a.received), test.state, revealed(test.want))
		}
	}

	// sms_status is read after sms_code where that says that the phone has ended.
	for _, test := range []struct{ code, status, want hstock.SMSState }{
		{hstock.SMSExpired, hstock.SMSRefunded, hstock.SMSRefunded}, // it knows more
		{hstock.SMSExpired, hstock.SMSWaiting, hstock.SMSExpired},   // it is late
	} {
		var a rentalAnswer
		a.addCode(hstock.SMSCode{State: test.code, RawStatus: "of sms_code"})
		a.addStatus(hstock.SMSStatus{State: test.status, RawStatus: "of sms_status"})
		if a.state != test.want || (a.rawStatus == "of sms_status") != (test.want == test.status) {
			t.Errorf("%s, then %s: it is %s, %q", test.code, test.status, a.state, a.rawStatus)
		}
	}
}

func revealed(all []SMS) (texts []string) {
	for _, sms := range all {
		texts = append(texts, sms.Code.Reveal()+"|"+sms.Text.Reveal())
	}
	return texts
}

// TestNeedsStatus: sms_status is read until the charge or the expiry is known, in five polls at
// most, and at the end of the phone's time. The first two polls look for a code if they are late.
func TestNeedsStatus(t *testing.T) {
	const minute = time.Minute
	polled := func(polls int64, change func(o *storage.Order)) storage.Order {
		o := storage.Order{Kind: storage.KindSMS, State: storage.OrderOpen, CreatedAt: start.Add(-10 * minute), UpdatedAt: start.Add(-5 * time.Second), NextPollAt: start, Polls: polls}
		if change != nil {
			change(&o)
		}
		return o
	}
	late := func(by time.Duration) func(o *storage.Order) {
		return func(o *storage.Order) { o.NextPollAt = start.Add(-by) }
	}
	ends := func(after time.Duration) func(o *storage.Order) {
		return func(o *storage.Order) { o.ExpiresAt = start.Add(after) }
	}
	charged := func(o *storage.Order) { o.Charge = decimal.NewNullDecimal(decimal.New(9, -1)) }
	for name, test := range map[string]struct {
		order storage.Order
		want  bool
	}{
		"first":                         {polled(0, nil), true},
		"first, a bit late":             {polled(0, late(2*time.Second-1)), true},
		"first, late":                   {polled(0, late(2*time.Second)), false},
		"first, everything is known":    {polled(0, ends(minute)), true},
		"second, late":                  {polled(1, late(minute)), false},
		"third, late":                   {polled(2, late(minute)), true},
		"second, the charge is known":   {polled(1, charged), false},
		"second, the expiry is known":   {polled(1, ends(minute)), false},
		"fifth":                         {polled(4, nil), true},
		"sixth":                         {polled(5, nil), false},
		"a moment before the end":       {polled(9, ends(1)), false},
		"at the end":                    {polled(9, ends(0)), true},
		"at the end, late":              {polled(1, func(o *storage.Order) { late(minute)(o); ends(0)(o) }), true},
		"after the end":                 {polled(9, ends(-time.Second)), true},
		"polled since the end":          {polled(9, ends(-minute)), false},
		"polled at the end":             {polled(9, ends(-5*time.Second)), false},
		"at the end of the grace":       {polled(9, ends(-5*minute)), true},
		"after the grace":               {polled(9, ends(-6*minute)), false},
		"an end from before the rental": {polled(9, ends(-15*minute)), false},
	} {
		if got := needsStatus(test.order, start); got != test.want {
			t.Errorf("%s: %t, want %t", name, got, test.want)
		}
	}
}

// TestOrderAfterAnAnswerAboutAPhone: what becomes of it, and whether it is still polled. It was
// rented ten minutes ago.
func TestOrderAfterAnAnswerAboutAPhone(t *testing.T) {
	const (
		minute = time.Minute
		now    = 10 * minute
	)
	rented := start.Add(-now)
	phone := func(state storage.OrderState, expiry time.Duration) storage.Order {
		o := storage.Order{Kind: storage.KindSMS, State: state, CreatedAt: rented, UpdatedAt: start.Add(-5 * time.Second), Polls: 300}
		if expiry != 0 {
			o.ExpiresAt = rented.Add(expiry)
		}
		return o
	}
	closed := func(o storage.Order) storage.Order {
		o.ClosedAt = start.Add(-time.Second)
		return o
	}
	aDayOld := func(o storage.Order) storage.Order {
		o.CreatedAt = start.Add(-rentalStaleAfter)
		return o
	}
	of := func(state hstock.SMSState, received ...SMS) rentalAnswer {
		return rentalAnswer{state: state, received: received}
	}
	until := func(expiry time.Duration, a rentalAnswer) rentalAnswer {
		a.expiresAt = rented.Add(expiry)
		return a
	}
	code := SMS{Code: "1"}
	const stillOpen = time.Duration(-1)
	for name, test := range map[string]struct {
		before storage.Order
		answer rentalAnswer
		state  storage.OrderState
		expiry time.Duration // since it was rented; 0: not known
		closed time.Duration // since when
	}{
		"waits":                          {phone(storage.OrderOpen, 20*minute), of(hstock.SMSWaiting), storage.OrderOpen, 20 * minute, stillOpen},
		"waits, the expiry is new":       {phone(storage.OrderOpen, 0), until(20*minute, of(hstock.SMSWaiting)), storage.OrderOpen, 20 * minute, stillOpen},
		"waits, although its time is up": {phone(storage.OrderOpen, 5*minute), of(hstock.SMSWaiting), storage.OrderOpen, 5 * minute, stillOpen},
		"no known word, in the grace":    {phone(storage.OrderOpen, 5*minute+1), of(hstock.SMSUnknown), storage.OrderOpen, 5*minute + 1, stillOpen},
		"no known word, after the grace": {phone(storage.OrderOpen, 5*minute), of(hstock.SMSUnknown), storage.OrderExpired, 5 * minute, 0},
		"no known word, for a day":       {aDayOld(phone(storage.OrderOpen, 0)), of(hstock.SMSUnknown), storage.OrderStale, 0, 0},
		"waits for a day":                {aDayOld(phone(storage.OrderOpen, 0)), of(hstock.SMSWaiting), storage.OrderStale, 0, 0},
		"expired":                        {phone(storage.OrderOpen, 9*minute), of(hstock.SMSExpired), storage.OrderExpired, 9 * minute, stillOpen},
		"expired too early":              {phone(storage.OrderOpen, 20*minute), of(hstock.SMSExpired), storage.OrderExpired, now, stillOpen},
		"ended, no expiry":               {phone(storage.OrderOpen, 0), of(hstock.SMSEnded), storage.OrderExpired, now, stillOpen},
		"expired for the grace":          {phone(storage.OrderExpired, 5*minute), of(hstock.SMSExpired), storage.OrderExpired, 5 * minute, 0},
		"expired, then a later expiry":   {phone(storage.OrderExpired, 9*minute), until(20*minute, of(hstock.SMSWaiting)), storage.OrderExpired, 9 * minute, stillOpen},
		"refunded, then no known word":   {closed(phone(storage.OrderRefunded, 5*minute)), of(hstock.SMSUnknown), storage.OrderRefunded, 5 * minute, time.Second},
		"canceled a day ago":             {closed(aDayOld(phone(storage.OrderCancelled, 0))), of(hstock.SMSWaiting), storage.OrderCancelled, 0, time.Second},
		"canceled":                       {phone(storage.OrderOpen, 20*minute), of(hstock.SMSCanceled), storage.OrderCancelled, 20 * minute, 0},
		"canceled with a code":           {phone(storage.OrderOpen, 20*minute), of(hstock.SMSCanceled, code), storage.OrderCancelled, 20 * minute, 0},
		"refunded after its code":        {phone(storage.OrderDelivered, 20*minute), of(hstock.SMSRefunded, code), storage.OrderRefunded, 20 * minute, 0},
		"a code":                         {phone(storage.OrderOpen, 20*minute), of(hstock.SMSReceived, code), storage.OrderDelivered, 20 * minute, stillOpen},
		"a code, and its end":            {phone(storage.OrderOpen, 20*minute), of(hstock.SMSExpired, code), storage.OrderDelivered, 20 * minute, 0},
		"a code, when its time is up":    {phone(storage.OrderOpen, now), of(hstock.SMSReceived, code), storage.OrderDelivered, now, 0},
		"a code in the grace":            {phone(storage.OrderExpired, 9*minute), of(hstock.SMSReceived, code), storage.OrderDelivered, 9 * minute, 0},
		"a code, a day old":              {aDayOld(phone(storage.OrderDelivered, 20*minute)), of(hstock.SMSReceived, code), storage.OrderDelivered, 20 * minute, 0},
		"the code is gone":               {phone(storage.OrderDelivered, 20*minute), of(hstock.SMSWaiting), storage.OrderDelivered, 20 * minute, stillOpen},
		"the code is gone at the end":    {phone(storage.OrderDelivered, 20*minute), of(hstock.SMSExpired), storage.OrderDelivered, 20 * minute, 0},
		"closed, remains so":             {closed(phone(storage.OrderDelivered, 9*minute)), of(hstock.SMSReceived, code), storage.OrderDelivered, 9 * minute, time.Second},
		"closed, its time goes on":       {closed(phone(storage.OrderDelivered, 9*minute)), until(20*minute, of(hstock.SMSReceived, code)), storage.OrderDelivered, 20 * minute, stillOpen},
	} {
		got := afterRental(test.before, test.answer, start)
		var expires time.Time
		if test.expiry != 0 {
			expires = rented.Add(test.expiry)
		}
		since := stillOpen
		if !got.Open() {
			since = start.Sub(got.ClosedAt)
		}
		if got.State != test.state || !got.ExpiresAt.Equal(expires) || since != test.closed {
			t.Errorf("%s: it is %s, expires at %s, closed for %s; want %s, %s, %s", name, got.State, got.ExpiresAt, since, test.state, expires, test.closed)
		}
	}
}

// TestDetailsOfAPhone: an answer without a detail leaves the known one, and the phone that was
// rented stays the one that is shown.
func TestDetailsOfAPhone(t *testing.T) {
	known := storage.Order{
		Kind: storage.KindSMS, State: storage.OrderOpen, CreatedAt: start, Failures: 3, Polls: 7,
		RawStatus: "active", Currency: "USD", ExpiresAt: start.Add(time.Hour), Charge: decimal.NewNullDecimal(decimal.New(9, -1)), Rental: storage.Rental{Phone: "+1"},
	}
	full := rentalAnswer{
		state: hstock.SMSWaiting, rawStatus: "waiting", phone: "+2", currency: "EUR", expiresAt: start.Add(2 * time.Hour), charge: decimal.NewNullDecimal(decimal.New(8, -1)),
	}
	for name, test := range map[string]struct {
		before                       storage.Order
		answer                       rentalAnswer
		raw, currency, phone, charge string
		expiry                       time.Duration
	}{
		"nothing new":         {known, rentalAnswer{state: hstock.SMSWaiting}, "active", "USD", "+1", "0.9", time.Hour},
		"all new":             {known, full, "waiting", "EUR", "+1", "0.8", 2 * time.Hour},
		"of an unknown phone": {storage.Order{Kind: storage.KindSMS, State: storage.OrderOpen, CreatedAt: start}, full, "waiting", "EUR", "+2", "0.8", 2 * time.Hour},
	} {
		got := afterRental(test.before, test.answer, start.Add(time.Minute))
		if got.RawStatus != test.raw || got.Currency != test.currency || got.Rental.Phone != test.phone || got.Charge.Decimal.String() != test.charge || got.ExpiresAt.Sub(start) != test.expiry {
			t.Errorf("%s: got %+v", name, got)
		}
		if got.Polls != test.before.Polls+1 || got.Failures != 0 || !got.UpdatedAt.Equal(start.Add(time.Minute)) {
			t.Errorf("%s: %d polls, %d failures, at %s", name, got.Polls, got.Failures, got.UpdatedAt)
		}
	}
}

// TestMessagesAboutAPhone: each new SMS, the end once, and a redrawing where what is shown has changed.
func TestMessagesAboutAPhone(t *testing.T) {
	open := storage.Order{ID: 7, UserID: 1, Kind: storage.KindSMS, State: storage.OrderOpen, CreatedAt: start, UpdatedAt: start.Add(time.Minute), ExpiresAt: start.Add(20 * time.Minute)}
	in := func(state storage.OrderState) storage.Order {
		o := open
		o.State = state
		return o
	}
	longer := open
	longer.ExpiresAt = start.Add(time.Hour)
	for name, test := range map[string]struct {
		before, after storage.Order
		received      []SMS
		age           time.Duration
		want          []string
	}{
		"nothing":       {open, open, nil, 2 * time.Minute, nil},
		"expiry":        {open, longer, nil, 2 * time.Minute, []string{MessageRedraw}},
		"half its time": {open, open, nil, 10 * time.Minute, []string{MessageRedraw}},
		"a code":        {open, in(storage.OrderDelivered), []SMS{{Code: "1", Text: "code 1"}}, 2 * time.Minute, []string{MessageCode, MessageRedraw}},
		"two codes":     {open, in(storage.OrderDelivered), []SMS{{Code: "1"}, {Code: "2"}}, 2 * time.Minute, []string{MessageCode, MessageCode, MessageRedraw}},
		"another code":  {in(storage.OrderDelivered), in(storage.OrderDelivered), []SMS{{Code: "2"}}, 2 * time.Minute, []string{MessageCode}},
		"expired":       {open, in(storage.OrderExpired), nil, 2 * time.Minute, []string{MessageEnded, MessageRedraw}},
		"still expired": {in(storage.OrderExpired), in(storage.OrderExpired), nil, 2 * time.Minute, nil},
		"a late code":   {in(storage.OrderExpired), in(storage.OrderDelivered), []SMS{{Code: "1"}}, 2 * time.Minute, []string{MessageCode, MessageRedraw}},
		"refunded":      {in(storage.OrderDelivered), in(storage.OrderRefunded), nil, 2 * time.Minute, []string{MessageEnded, MessageRedraw}},
	} {
		now := start.Add(test.age)
		messages, err := rentalMessages(test.before, test.after, test.received, now, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		var codes []SMS
		for _, message := range messages {
			got = append(got, message.Kind)
			if message.OrderID != 7 || message.UserID != 1 || message.Kind == MessageRedraw != message.CreatedAt.After(now) {
				t.Errorf("%s: got %+v", name, message)
			}
			if sms, err := DecodeSMS(message); message.Kind == MessageCode && err == nil {
				codes = append(codes, sms)
			}
		}
		if !slices.Equal(got, test.want) || !slices.Equal(codes, test.received) {
			t.Errorf("%s: messages %q with %q, want %q", name, got, revealed(codes), test.want)
		}
	}
}

// TestMomentsOfRedrawing: the message of a phone is redrawn as its time passes while it waits,
// and when a swap is offered, which is of phones only that were rented here.
func TestMomentsOfRedrawing(t *testing.T) {
	open := storage.Order{State: storage.OrderOpen, CreatedAt: start, ExpiresAt: start.Add(20 * time.Minute), Rental: storage.Rental{Project: "tg"}}
	for name, test := range map[string]struct {
		change func(o *storage.Order)
		want   []time.Duration
	}{
		"rented here":  {func(*storage.Order) {}, []time.Duration{3 * time.Minute, 10 * time.Minute, 18 * time.Minute, 20 * time.Minute}},
		"no expiry":    {func(o *storage.Order) { o.ExpiresAt = time.Time{} }, []time.Duration{3 * time.Minute}},
		"imported":     {func(o *storage.Order) { o.External = true }, []time.Duration{10 * time.Minute, 18 * time.Minute, 20 * time.Minute}},
		"no project":   {func(o *storage.Order) { o.Rental.Project = "" }, []time.Duration{10 * time.Minute, 18 * time.Minute, 20 * time.Minute}},
		"has its code": {func(o *storage.Order) { o.State = storage.OrderDelivered }, nil},
		"it has ended": {func(o *storage.Order) { o.State = storage.OrderExpired }, nil},
	} {
		order := open
		test.change(&order)
		for i := range len(test.want) + 1 {
			before, at := 29*time.Minute, 30*time.Minute
			if i < len(test.want) {
				before, at = test.want[i]-1, test.want[i]
			}
			stage := func(after time.Duration) int { return redrawStage(order, start.Add(after), 3*time.Minute) }
			if stage(before) != i && i < len(test.want) || stage(at) != min(i+1, len(test.want)) {
				t.Errorf("%s: stages %d and %d around %s", name, stage(before), stage(at), at)
			}
		}
	}
}

// TestAnnouncementOfAPhone: a second after it was rented, so that its first poll has been made;
// for one that was adopted later, a second after that.
func TestAnnouncementOfAPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rented := range []time.Duration{0, -time.Second, -time.Hour} {
			want := time.Now().Add(max(rented, -time.Second) + time.Second)
			if rented < -time.Second {
				want = time.Now().Add(time.Second)
			}
			messages := announceRental(storage.Order{ID: 7, UserID: 1, Kind: storage.KindSMS, CreatedAt: time.Now().Add(rented)})
			if len(messages) != 1 || !messages[0].CreatedAt.Equal(want) || messages[0].Priority != outbox.PriorityGoods || messages[0].OrderID != 7 {
				t.Errorf("rented %s ago: %+v, want it at %s", -rented, messages, want)
			}
		}
		if messages := announceRental(storage.Order{Kind: storage.KindProduct}); len(messages) > 0 {
			t.Errorf("for goods: %+v", messages)
		}
	})
}

// TestNextQuestionAboutACancel: at the time that the marketplace names, in ten minutes at the latest.
// Where that has passed by its clock, in half a minute at the earliest.
func TestNextQuestionAboutACancel(t *testing.T) {
	for _, test := range []struct {
		after time.Duration // the time that it names, by its clock
		ahead time.Duration // of this machine's clock
		want  time.Duration
	}{
		{3 * time.Minute, 0, 3 * time.Minute},
		{time.Hour, 0, 10 * time.Minute},
		{5 * time.Second, 0, 5 * time.Second},
		{0, 0, 30 * time.Second},
		{-time.Second, 0, 30 * time.Second},
		{-5 * time.Minute, 0, 5 * time.Minute},
		{-time.Hour, 0, 10 * time.Minute},
		{3 * time.Minute, time.Hour, 3 * time.Minute},
		{3 * time.Minute, -time.Hour, 3 * time.Minute},
	} {
		now := start.Add(test.ahead)
		allowance := hstock.CancelAllowance{EligibleAfter: start.Add(test.after).Format(time.RFC3339), AnsweredAt: start}
		if got := nextAsk(allowance, now).Sub(now); got != test.want {
			t.Errorf("%s before, %s ahead: asked after %s, want %s", test.after, test.ahead, got, test.want)
		}
		allowance.AnsweredAt = time.Time{}
		if got := nextAsk(allowance, now).Sub(now); test.ahead == 0 && got != test.want {
			t.Errorf("%s before, without a Date: asked after %s, want %s", test.after, got, test.want)
		}
	}
	if got := nextAsk(hstock.CancelAllowance{EligibleAfter: "tomorrow"}, start).Sub(start); got != 10*time.Minute {
		t.Errorf("without a time: asked after %s", got)
	}
}

// TestMalformedSMS: a body that can't be read is an error, which does not quote it, as it is
// secret; it is not an SMS without a code.
func TestMalformedSMS(t *testing.T) {
	for _, body := range []string{"", `{"code":"canary!"}`, `{"code":`, `canary`} {
		sms, err := DecodeSMS(storage.Message{Body: []byte(body)})
		if err == nil || !sms.empty() || err.Error() != "decode SMS: malformed body" {
			t.Errorf("%q: %v", body, err)
		}
	}
}
