package hstock

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// sleepy is a connection on which each write takes a while.
type sleepy struct {
	net.Conn
	pause time.Duration
}

func (s sleepy) Write(p []byte) (int, error) {
	time.Sleep(s.pause)
	return s.Conn.Write(p)
}

// TestPurchaseIsNotSentLate: a deadline that is over before the request, or passes while
// the connection is made or the headers are written, lets no body out. Nor does MaySend.
func TestPurchaseIsNotSentLate(t *testing.T) {
	for action, call := range map[string]func(ctx context.Context, c *Client, before time.Time) error{
		"add": func(ctx context.Context, c *Client, before time.Time) error {
			_, err := c.Add(ctx, secretKey, AddRequest{Service: 2, Quantity: 1, SendBefore: before})
			return err
		},
		"add_sms": func(ctx context.Context, c *Client, before time.Time) error {
			_, err := c.AddSMS(ctx, secretKey, AddSMSRequest{ProjectID: "tg", SendBefore: before})
			return err
		},
		"cancel": func(ctx context.Context, c *Client, before time.Time) error {
			_, err := c.Cancel(ctx, secretKey, []string{"23501"}, before)
			return err
		},
	} {
		for name, test := range map[string]struct {
			before, dialing, writing time.Duration
			sent                     bool
			maySend                  time.Duration // how long; 0: always
		}{
			"over before":           {before: -time.Second},
			"over now":              {},
			"while dialing":         {before: time.Second, dialing: 2 * time.Second},
			"after headers":         {before: 3 * time.Second, dialing: time.Second, writing: 4 * time.Second},
			"may not":               {before: time.Minute, maySend: -time.Second},
			"may not after dialing": {before: time.Minute, dialing: 2 * time.Second, maySend: time.Second},
			"may not after headers": {before: time.Minute, dialing: time.Second, writing: 2 * time.Second, maySend: 2 * time.Second},
			"in time":               {before: 3 * time.Second, dialing: time.Second, writing: time.Second, sent: true},
		} {
			t.Run(action+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var sent bytes.Buffer
					began, dialed := time.Now(), false
					maySend := func() bool { return test.maySend == 0 || time.Since(began) < test.maySend }
					c := newClient(t, Options{URL: "http://market.test", MaySend: maySend, Dial: func(context.Context, string, string) (net.Conn, error) {
						dialed = true
						time.Sleep(test.dialing)
						client, server := net.Pipe()
						go func() {
							_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
							_, _ = io.Copy(&sent, server)
							_ = server.Close()
						}()
						return sleepy{client, test.writing}, nil
					}})
					err := call(t.Context(), c, time.Now().Add(test.before))
					kind, _ := KindOf(err)
					synctest.Wait()
					if left := bytes.Contains(sent.Bytes(), []byte("action=")); left != test.sent || (kind == NotSent) == test.sent {
						t.Errorf("got %v, body sent: %v", err, left)
					}
					if dialed != (test.dialing > 0) {
						t.Errorf("a connection was made: %v", dialed)
					}
				})
			})
		}
	}
}
