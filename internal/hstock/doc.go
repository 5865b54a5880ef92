// Package hstock is the client of the HStockPlus API v2, with one method for each
// of its 16 actions. It owns the wire format, deadlines, retries of reads, and the
// rule that a purchase is sent once. It contains no caching, no Telegram and no
// storage.
//
// Reads are tried up to three times, 10 s each, behind a circuit breaker, which opens
// only when several keys fail. A key that gets a 429, or a firewall's 403, is held for
// a while: its reads wait or fail without being sent (hold.go). Add,
// AddSMS and Cancel move money or orders and are sent once: net/http repeats a
// request by itself on reused connections, over HTTP/2, after redirects, with
// GetBody or with an Idempotency-Key, so a purchase uses a transport without any
// of these (purchase.go). Whether the request left is known, not guessed: its body
// is a gate that net/http opens when it writes the headers. If the gate is still
// unopened when the call fails, it is closed for good, and nothing was sent. Before the
// headers and before the body it closes itself where it is too late to send, by the
// caller's deadline or by Options.MaySend.
//
// What the answer to a purchase means:
//
//	an order id                                           success
//	a documented refusal                                  Refused, InvalidKey
//	another refusal                                       RefusedOther
//	no request: name, dial, TLS, no slot under the limit  NotSent
//	5xx, 408, 429, a redirect, a timeout, a broken
//	connection; an empty, too large or unreadable answer  OutcomeUnknown
//
// Money is decimal. Values of requests and answers appear in no error, except a
// refusal's text without the key.
//
// # Forms
//
// The marketplace's document leaves much open, so answers are read in many forms. Each
// kind of value has one reader, and is read in these forms wherever it stands. What
// has none of its forms is like a missing value. Nothing is guessed: a value that could
// mean two things is not read, and FuzzDecode checks that no answer makes a reader
// panic or return an order, an account or a code that the answer does not contain.
//
// Encoding (answer.go). UTF-8 with or without a byte order mark, UTF-16 with one; gzip,
// also without the header; deflate with the header, also without that of zlib. The
// limits of size hold after decompression.
//
// JSON in text (findJSON). The whole answer; or JSON in a JSON string; or, in a text
// that is no HTML page, exactly one object or list of objects that is complete: behind
// the warnings of PHP, before or behind a comment, in a callback.
//
// Envelope (unwrap). An object under data, result, response or payload, beside members
// about the answer only (status, success, message, code, time, …).
//
// Refusal (refusals.go). A value of error or errors other than null, false, 0, an empty
// one or "none"; success, ok or status false; the status error, failure, fail or failed,
// if the action has no status of its own; a message with HTTP status 400, 402, 409 or
// 422, or with such a code. Its words are a string; those of a list, joined; those under
// message, msg, error, reason, detail, description, title or code; or those of all
// members, each after its name. A refusal without words is quoted itself. Of a number
// one that says that the code has not come yet is no refusal, but SMSWaiting.
//
// List (lists.go). An array; an object whose names are whole numbers, as PHP writes a
// list with gaps; an object with nothing but an array; {}; a string with an array in
// JSON; one object in place of a list of objects. An element of the wrong type keeps its
// position.
//
// Accounts. A list; or a string with an account in each line, or in blocks of as many
// lines each between empty ones. Lines end with \n, \r\n, \r or <br>. A string in a list
// is one account, byte for byte. An object is one account, as JSON in one line with its
// members sorted, without empty ones and without those about the answer (isPassing: ts,
// fetched_at, views, status, …; dates with a time of day, except those since or until
// when the account is good). A single string beside ids is the account itself.
//
// Text, number or flag as one string. A string; a JSON number or true as its text; the
// extended JSON of MongoDB ({"$oid": …}, {"$date": …}, {"$numberDecimal": …}).
//
// Name (PlainName). A text in one line, without controls, direction characters and
// format characters; refusals and states likewise, at most 200 characters.
//
// Money (numbers.go). A plain or scientific number; thousands separated by comma, point,
// space or apostrophe, also as in India, if a decimal point or comma or a second
// separator tells them from decimals ("1,250.00", "1.250,00", "1,250,000"); a decimal
// comma that can't separate thousands ("12,5", "0,125"); a sign or code of a currency
// on one side; {"amount": …, "currency": …}. "1,250" could mean two amounts and is not
// read; a balance whose two currencies differ neither. Charges, prices, refunds and
// counts are not negative: a negative one is missing, a negative count is 0.
//
// Whole number. Likewise; "10,000" is one, because a whole number has no decimals. A
// stock of -1, in words or missing is unknown, which is not sold out; less is 0.
//
// Order id (ParseOrderID), under order, order_id or orderId. A text of the marketplace,
// which is sent back byte for byte: digits, as they stand in the answer, with # before or
// .0 behind them, which are dropped; or another string of at most 128 bytes with a digit
// in it, a UUID for example: a word without one ("pending") may be a state. It has no
// space, comma or semicolon, because cancel lists ids with commas; no characters that
// PlainName removes and no digits but 0 to 9, because people type it. A number with a
// sign, decimals or separators is none, nor are zeros.
//
// Service number (id). Digits, as they stand in the answer, with # before or .0 behind
// them.
//
// Flag. true, 1, yes, y, on, ok, success; false, 0, no, n, off; without case.
//
// Time (parseTime). RFC 3339; a date and a time of day with -, / or a space or T between
// them, with or without seconds and a zone, in UTC without; RFC 1123; Unix time in 9 or 10
// digits of seconds, in milliseconds or in microseconds. A date alone is none, and so is
// a time before 1990.
//
// Code and phone number (smsCode, phone). A string, or a number in digits, also in
// scientific notation if that has all its digits. A placeholder is none: null, 0, -,
// "none", "N/A", what has no letter or digit. Codes come alone or in a list, beside
// their texts in the same order. A code without the zeros that it has in its text gets
// them. What a "waiting" number has received is none, and of an "active" one only what
// has a digit other than 0.
//
// State (states.go). Words without case, "_", "-" and a leading "status". An unknown one
// counts as open.
//
// Item. Without entityType it is of the type that was requested, else a product if it
// has a subcategoryId, description, imageUrl or isRecommended, else an SMM service.
package hstock
