package telegram

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Press taps the button of a message that carries data, as an app does: it sends
// what the button carried when it was drawn. A button that the message has lost
// since, or a message that is gone, is tapped all the same. It is an error where
// the message never was and where the bot is blocked.
func (c *Client) Press(messageID int, data string) error {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if messageID < 1 || messageID > len(c.c.messages) || data == "" {
		return fmt.Errorf("message %d has no such button", messageID)
	}
	if c.c.gone {
		return errors.New("the bot is blocked")
	}
	for _, row := range c.c.messages[messageID-1].Keyboard {
		for _, b := range row {
			if b.CallbackData == data {
				return c.press(&c.c.messages[messageID-1], b)
			}
		}
	}
	c.c.lastTap = c.s.ask(c.c, messageID, data, "taps a button of before, "+strconv.Quote(data))
	return nil
}

// ClearFault takes back those of Faults that fit, and leaves the others.
func (s *Server) ClearFault(fits func(Fault) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return fits(*f) })
	s.changed(nil)
}
