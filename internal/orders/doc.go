// Package orders owns the life of a purchase: from the draft on a confirm card,
// through the one request that buys, to the orders it became, the polling of those
// orders, and the messages that deliver them.
//
// It guarantees that nothing is bought twice and nothing is lost. A purchase is a
// row before it is a request, every transition is a compare-and-set, and a message
// is stored in the transaction that made it true. The package contains neither
// Telegram nor languages: screens call it, and the outbox sends what it stores.
//
// # Confirming
//
// A purchase is what a person confirmed, an order is what the marketplace gave for
// it. A card that is older than ten minutes, or that was drawn with another key, is
// drawn again. Otherwise Confirm claims the draft. A unique index lets one purchase
// of an API key be claimed or sending, across people and processes; a second one
// waits up to 5 seconds for the slot and then stays a draft. With the claim, price,
// stock and balance are read once more. The state "sending" is committed right
// before the request, which hstock sends once and never repeats.
//
// What an answer to the request means:
//
//	an order id                                      placed
//	a documented {"error"} with a status under 500,  rejected, with the marketplace's sentence
//	  except 408 and 429
//	"Invalid API key" with such a status             rejected; the key's orders pause
//	another {"error"} with such a status             rejected if the balance has not fallen, else unknown
//	not sent (name, dial, TLS, or no slot under      rejected
//	  the rate limit)
//	5xx, 408, 429, a redirect, a timeout, cut off,   outcome unknown
//	  empty, too large, or malformed
//
// The states claimed and sending are leased for 60 seconds each: reading the terms
// takes at most 15, the request at most 30. The answer is written with a context of
// its own, so that neither a stop nor a timeout prevents it. A lease belongs to a
// process and a purchase, so a process that wakes up late can't send. An order
// number that can't be written (the disk is full) is kept in memory and written as
// soon as the database accepts it.
//
// When the process ends between two steps (the tests do it with SIGKILL):
//
//	the process ends                       stored                   afterwards
//	after the card is drawn                draft                    the card works until it expires
//	after the claim                        claimed                  lease over: rejected, person notified
//	after "sending" is committed, before   sending                  lease over: outcome unknown,
//	  or after the request                                            person notified
//	after the order id is written      placed                   polled after the next start
//	after a poll was answered, before      the order as before      polled again when the poll's
//	  the answer is written                                           lease of 30 s is over
//	after the answer is written            the order, its messages  sent after the next start
//	after a message was sent, before it    a leased message         sent again when the lease is over
//	  is marked
//
// Telegram repeats the tap after the crash, which then finds no draft.
//
// # Outcome unknown
//
// The person is notified by a message that is stored with the state. The balance is
// read 15 s, 60 s and 5 min after the request. The verdict is:
//
//   - bought, when the balance fell by the price, give or take 2 %;
//   - not bought, when all three readings show the balance of before the request;
//   - unclear in every other case: a reading failed, the currency is another one, the
//     price is below the last decimal of the balance, the fall has another size,
//     another purchase of this key was sent since or is unknown too, or an order
//     ended with money back. SMM services and goods with variants are always
//     unclear, because their price is an estimate.
//
// Only the person decides: Adopt records that the purchase is a certain order,
// Dismiss that it was not placed. The order must not be stored here already, and the
// key that bought must know it. That proves the order is the key's, not that it is
// this purchase, so the screen shows it and asks. Several rented phones are adopted
// one by one.
//
// # Polling
//
// Due orders are leased, fetched outside any transaction, and updated in one that
// stores the new state, the digests of the goods, and the messages. Most answers
// change nothing; these are written many at a time, in the transaction that leases
// the next orders. When an order is polled:
//
//	new                                     after 1 s; a phone at once
//	automatic goods, in the first hour      after 1 s, then 1.5 times longer each time, at most 1 min
//	manual goods, SMM, late automatic goods after 5 % of its age, from 30 s to 10 min
//	a phone that waits for its code         every 2-3.5 s for two minutes, then every 0.5·√age s, at
//	                                        most 15 s; after an hour 0.5 % of its age, at most 1 min;
//	                                        at the end of its time and for 5 minutes after it
//	a phone whose code has arrived          like manual goods, until its time is over
//	after a failure                         5 s, doubling, at most 10 min; a phone 2 s, at most 30 s
//	older than 30 days; a phone a day       only by Refresh
//	  after its time
//
// All pauses vary by ±10 %. The queue is max-min fair between keys: the key whose
// last poll is longest ago is next. Within a key the order is next that has waited
// longest in proportion to its interval. At most 1,024 polls are in flight, 16 of one
// key; a key gets 2 polls a second in bursts of 5, all keys together 80 % of the rate
// limit. A key that is answered "too many requests" is left alone for 5 s, doubling,
// at most a minute.
//
// "Completed" with fewer accounts than were bought keeps the order open. Partial is
// final for SMM only. Only new goods are sent: the difference of two multisets of
// keyed digests, so the same account delivered twice is two accounts. Goods and codes
// are not kept after they were sent; Accounts and Code fetch them again.
//
// An order is polled with the key that bought it. If that key was removed or refused,
// the owner's present key is used; without one the order waits. "Order not found"
// does not end an order. A refused key is reported once, tried again every hour (every
// minute if it has rented phones), and used as soon as the marketplace accepts it.
//
// # Cancelling
//
// A cancel is sent once. A mark on the order is committed before the request and
// removed only when the request surely had no effect; if the answer was lost, the
// order's state shows the outcome. All open orders are cancelled in requests of up to
// 100 orders of one key.
//
// # Importing
//
// An order that was placed outside the bot is looked up by its number with the
// person's key, as goods and as a phone at the same time. An imported order has a
// purchase that was never a draft and never sent, so it affects no verdict and no
// sum of what was spent. Its number is unique for each person only: another person
// who shares the key may still adopt it.
package orders
