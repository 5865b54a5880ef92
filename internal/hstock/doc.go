// Package hstock is the client of the HStockPlus API v2, with one method for each
// of its 16 actions. It owns the wire format, deadlines, retries of reads, and the
// rule that a purchase is sent once. It contains no caching, no Telegram and no
// storage.
//
// Reads are tried up to three times, 10 s each, behind a circuit breaker. Add,
// AddSMS and Cancel move money or orders and are sent once: net/http repeats a
// request by itself on reused connections, over HTTP/2, after redirects, with
// GetBody or with an Idempotency-Key, so a purchase uses a transport without any
// of these (purchase.go). Whether the request left is known, not guessed: its body
// is a gate that net/http opens when it writes the headers. If the gate is still
// unopened when the call fails, it is closed for good, and nothing was sent.
//
// What the answer to a purchase means:
//
//	an order id                                           success
//	a documented {"error"}                                Refused, InvalidKey
//	another {"error"}                                     RefusedOther
//	no request: name, dial, TLS, no slot under the limit  NotSent
//	5xx, 408, 429, a redirect, a timeout, a broken
//	connection; an empty, too large or unreadable answer  OutcomeUnknown
//
// The marketplace's document leaves much open, so answers are decoded leniently
// (lenient.go): numbers may be strings, fields may be missing, lists may come in
// undocumented envelopes. Money is decimal. Values of requests and answers appear in
// no error, except a refusal's text without the key.
package hstock
