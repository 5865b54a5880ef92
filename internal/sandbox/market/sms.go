package market

import (
	"time"
)

// Numbers returns all rented numbers as they stand, oldest first.
func (s *Server) Numbers() []Number {
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers, now := make([]Number, len(s.numberList)), time.Now()
	for i, n := range s.numberList {
		s.settleNumber(n, now)
		numbers[i] = n.snapshot()
	}
	return numbers
}

// Number returns one rented number as it stands; false when there is none.
func (s *Server) Number(order int64) (Number, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.numbers[order]
	if n == nil {
		return Number{}, false
	}
	s.settleNumber(n, time.Now())
	return n.snapshot(), true
}

// SendCode lets an SMS of this text come in. Its code is the first run of four
// to eight digits in it; where the text is nothing else, a sentence is made
// around it, and "" makes up both. It may come again, and after the expiry.
func (s *Server) SendCode(order int64, text string) error {
	return s.commandSMS(order, func(n *number, now time.Time) error {
		n.receive(n.read(text), now)
		s.changed()
		return nil
	})
}

// SendTwice is SendCode and, nextAfter the first SMS was asked for by sms_code,
// another one that is made up: the marketplace keeps only the last, so two that
// came at once would be one.
func (s *Server) SendTwice(order int64, text string) error {
	return s.commandSMS(order, func(n *number, now time.Time) error {
		n.receive(n.read(text), now)
		n.follow(n.madeUp())
		s.changed()
		return nil
	})
}

// SendLate is ExpireSMS and, nextAfter sms_code has told of the end, SendCode.
// Where the number has ended before, the SMS comes now.
func (s *Server) SendLate(order int64, text string) error {
	return s.commandSMS(order, func(n *number, now time.Time) error {
		if n.open {
			n.end(wordExpired)
			n.follow(n.read(text))
		} else {
			n.receive(n.read(text), now)
		}
		s.changed()
		return nil
	})
}

// NeverCode lets no code come by itself to a waiting number.
func (s *Server) NeverCode(order int64) error {
	return s.commandSMS(order, func(n *number, _ time.Time) error {
		if !n.open {
			return ErrClosed
		}
		n.codeAt = time.Time{}
		s.changed()
		return nil
	})
}

// SendSMS lets sms_code and sms_status answer just this code and content.
func (s *Server) SendSMS(order int64, code, content string) error {
	return s.commandSMS(order, func(n *number, now time.Time) error {
		n.receive(SMS{Code: code, Content: content}, now)
		s.changed()
		return nil
	})
}

// ExpireSMS lets a waiting number expire now; its price is given back.
func (s *Server) ExpireSMS(order int64) error { return s.endSMS(order, wordExpired) }

// CancelSMS cancels a waiting number, whatever its age; its price is given back.
func (s *Server) CancelSMS(order int64) error { return s.endSMS(order, wordSMSCanceled) }

// RefundSMS gives the price back, also after the code has come.
func (s *Server) RefundSMS(order int64) error {
	return s.commandSMS(order, func(n *number, _ time.Time) error {
		if n.refunded.Equal(n.charge) {
			return ErrClosed
		}
		n.end(wordSMSRefunded)
		s.changed()
		return nil
	})
}

// SetSMSStatus lets sms_code and sms_status answer any word at all from now on.
func (s *Server) SetSMSStatus(order int64, word string) error {
	return s.commandSMS(order, func(n *number, _ time.Time) error {
		n.forced = word
		s.changed()
		return nil
	})
}

// SetExpiry moves the end of a waiting number; the zero time takes it away
// (sms_status then answers null, and the number waits for ever).
func (s *Server) SetExpiry(order int64, at time.Time) error {
	return s.commandSMS(order, func(n *number, _ time.Time) error {
		n.expires = at
		s.changed()
		return nil
	})
}

// SetNumbers says how many numbers of a project are left in a country.
func (s *Server) SetNumbers(project, country string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.offerOf(project, country)
	if o == nil {
		return ErrUnknown
	}
	o.left = n
	s.changed()
	return nil
}

// SetSMSPrice changes what a number of a project costs in a country ("0.5000").
func (s *Server) SetSMSPrice(project, country, price string) error {
	amount, err := parsePrice(price)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.offerOf(project, country)
	if o == nil {
		return ErrUnknown
	}
	o.price = amount
	s.changed()
	return nil
}

// RemoveProject takes a project from every country. Its numbers go on.
func (s *Server) RemoveProject(project string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.removeProject(project) {
		return ErrUnknown
	}
	s.changed()
	return nil
}

func (s *Server) endSMS(order int64, word string) error {
	return s.commandSMS(order, func(n *number, _ time.Time) error {
		if !n.open {
			return ErrClosed
		}
		n.end(word)
		s.changed()
		return nil
	})
}

func (s *Server) commandSMS(order int64, do func(*number, time.Time) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.numbers[order]
	if n == nil {
		return ErrUnknown
	}
	now := time.Now()
	s.settleNumber(n, now)
	return do(n, now)
}
