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
//	another {"error"} with such a status             rejected if two balances 15 s apart are as before, else unknown
//	not sent (name, dial, TLS, or no slot under      rejected
//	  the rate limit)
//	5xx, 408, 429, a redirect, a timeout, cut off,   outcome unknown
//	  empty, too large, or malformed
//
// The states claimed and sending are leased for 60 seconds each: reading the terms
// takes at most 15, the request at most 30. The answer is written with a context of
// its own, so that neither a stop nor a timeout prevents it. A stop leaves the background
// work (a basket, a turn, a swap) a second for the answer to a request that has left. A lease
// belongs to a process and a purchase. Half a minute after the sending lease began, by the wall
// clock, the request is closed (package hstock). So it is as soon as others may count the
// process as dead and end its leases (package replica). So a process that wakes up late
// can't send, and what others have settled meanwhile stays. An order id that can't be
// written (the disk is full) is kept in memory and written as soon as the database accepts
// it. So is one that comes after the person has adopted another order: it is imported.
//
// When the process ends between two steps (the tests do it with SIGKILL):
//
//	the process ends                       stored                   afterwards
//	after the card is drawn                draft                    the card works until it expires
//	after the claim                        claimed                  rejected, person notified
//	after "sending" is committed, before   sending                  outcome unknown, person notified
//	  or after the request
//	after the order id is written      placed                   polled after the next start
//	after a poll was answered, before      the order as before      polled again
//	  the answer is written
//	after the answer is written            the order, its messages  sent after the next start
//	after a message was sent, before it    a leased message         sent again
//	  is marked
//
// The next process does all this at once: it is alone on the database and ends the
// leases of its predecessor (package app) before the Service starts.
//
// Telegram repeats the tap after the crash, which then finds no draft.
//
// # Outcome unknown
//
// The person is notified by a message that is stored with the state. The balance is
// read 15 s after that, 45 s after the first reading and 4 min after the second, in
// elapsed time; while a firewall bans background calls, or the key is held, later. The verdict
// is:
//
//   - bought, when the balance fell by the price, give or take 2 %;
//   - not bought, when all three readings show the balance of before the request;
//   - unclear in every other case: a reading failed, the currency is another one, the
//     price is below the last decimal of the balance, the fall has another size,
//     another purchase of this key was sent since or is unknown too, an order ended
//     with money back, or the clock was set back. SMM services and goods with variants are always
//     unclear, because their price is an estimate.
//
// A balance belongs to an account, and keys of one account can't be told from others. A
// person's keys count as of one account, and so do keys with which purchases showed one
// balance within 10 minutes; a refund of just this price to any other key makes a
// reading unclear, too. A top-up or a refund that the bot does not see, or another key
// that is used elsewhere, may still make the reading worthless.
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
//	completed with fewer accounts           at least once a minute, for ten minutes
//	a phone that waits for its code         every 2-3.5 s for two minutes, then every 0.5·√age s, at
//	                                        most 15 s; after an hour 0.5 % of its age, at most 1 min;
//	                                        at the end of its time and for 5 minutes after it
//	automatic goods and phones with a       where the first account or code is likely; after 1 s to
//	  forecast                              1 min, and a phone as well at the end of its time
//	a phone whose code has arrived          like manual goods, until its time is over
//	after a failure                         5 s, doubling, at most 10 min; a phone 2 s, at most 30 s
//	older than 30 days; a phone a day       only by Refresh
//	  after its time
//
// All pauses vary by ±10 %. A poll of a phone is one call: the first one and those at the
// end are sms_status, which says until when it is rented, the others sms_code, which has
// the texts. If the first poll is late, because many wait, a code may be there already, and
// sms_status would make it two calls: so it is sms_code, and the second one as well if that
// is late, too.
//
// A forecast is made for a product, and for a project in a country, of the last outcomes
// of orders that the bot has placed and polled itself, if there are ten (forecast.go). It
// is kept in memory for 5 minutes, so that polls make no queries.
//
// The queue is max-min fair between keys: the key whose
// last poll is longest ago is next. Within a key the order is next that has waited
// longest in proportion to its interval. At most 1,024 polls are in flight, 16 of one
// key; a key gets 2 polls a second in bursts of 5, all keys together 80 % of the rate
// limit. A key that is answered "too many requests" is left alone for 5 s, doubling,
// at most a minute.
//
// The clock may be set, or wrong until the first answer of a time server. At the start
// and after a step (loop.Clock) stored times that lie further ahead than the pauses
// above allow are pulled to now, and leases begin anew. In the minute after a step times
// are pulled again, for what was in flight. An age counts only once as many polls as it
// takes were made, and a phone that the marketplace still calls waiting
// does not expire by the clock. The process that made a draft measures its age; a draft
// that another process has stored with a clock that was ahead has expired. A reminder is
// sent when the marketplace says that the order can be cancelled, not when a clock does:
// the wait is measured by the Date of its answer, and at the end it is asked again.
//
// "Completed" with fewer accounts than were bought keeps the order open; after ten
// minutes of such polls the person is notified once. Partial is final for SMM only. Only
// new goods are sent: the difference of two multisets of keyed digests, so the same
// account delivered twice is two accounts. What the last answer holds counts as
// delivered, and a new account in place of a missing one is a replacement. Goods and
// codes are not kept after they were sent; Accounts and Codes fetch them again.
//
// An order is polled with the key that bought it. If that key was removed or refused,
// the owner's present key is used; without one the order waits. "Order not found"
// does not end an order. A refused key is reported once, tried again every hour (every
// minute if it has rented phones), and used as soon as the marketplace accepts it.
//
// # Cancelling
//
// A cancel is sent once, within half a minute like a purchase. A mark on the order is
// committed before the request and removed only when the request surely had no effect; if
// the answer was lost, or the process was killed, the order's state shows the outcome. When
// the mark is 65 s old, which is longer than a cancel lives, the person may ask again. If
// the marketplace says then that the order can be cancelled, the lost cancel had no effect:
// the mark is removed, and the person's next confirmation sends another. Nothing else
// removes it, so a tap that is handled again after a crash sends nothing. All open orders
// are cancelled in requests of up to 100 orders of one key.
//
// # Swapping
//
// A swap gives a rented phone back and rents another one. OfferSwap reads the refund and
// the price, and stores both: the price as a draft. StartSwap records the person's tap;
// everything else is done in the background, each step once, by a compare-and-set:
//
//	offered     the question is drawn; it is as old as its draft
//	armed       waits until allowcancel allows the cancel, then it is sent once
//	cancelling  the cancel may have been sent; committed together with its mark on the order
//	ending      waits until sms_status says that the phone is cancelled, and what it has cost
//	renting     one transaction has ended the waiting and claimed the draft: from here on
//	            it is a purchase like any other, but on worse terms it is rejected
//	stopped     nothing is rented, and the reason is stored
//
// When the process ends in "cancelling", the answer is lost and the next process stops the
// swap. In "ending" and before, nothing was rented, and it goes on. The message about the
// outcome is stored in the transaction that stops the swap or claims the draft.
//
// # Baskets
//
// A basket is lines that are bought with one confirmation. PriceBasket reads the prices that
// the card shows, and StartBasket starts the basket in the revision of that card. The
// background work buys one line after the other: one transaction stores the purchase of a
// line, claims it and writes its id into the line (storage.ClaimLine), so no line is begun
// twice. From then on it is a purchase like any other, but on worse terms it is rejected.
//
// What comes next follows from the rows, so a restart changes nothing: the basket waits
// while the last line is claimed or sending, ends if its outcome is unknown, the money does
// not suffice, the key is refused, the marketplace can't be reached, buying is paused, or
// the person has stopped it, and else begins the next line. The transaction that ends it
// copies what was certainly not bought into a new open basket.
//
// # Allowances
//
// A person who has an allowance buys with the operator's key (storage.Key.House). Each
// purchase is as above; its claim also takes its hold from the allowance, and each later
// change of the purchase or its orders computes what it takes (storage.LedgerEntry).
//
// All of these people share one key, and so one slot. A Confirm that finds the slot taken, or
// others waiting, makes the purchase wait for its turn: a row (storage.Turn) beside the draft,
// which does not expire then. The background work takes one turn after the other, in the order
// of arrival, but who has had a turn is behind everybody who waits by then. One transaction
// deletes the row and claims the draft, with the message that redraws the card; from then on
// it is a purchase like any other, but on worse terms it is rejected. While buying is paused
// turns wait, half an hour at most. They let a swap pass whose number is given back already.
//
// What a person gets never tells of the operator's account: quotes have what is available of
// the allowance in place of the balance, ReasonOperator stands for a refused key and a low
// balance, ErrOperator marks the marketplace's errors about the key. Only admins decide what
// became of a purchase of unknown outcome (HouseAdopt, HouseDismiss). Nobody imports orders
// with the operator's key.
//
// # Importing
//
// An order that was placed outside the bot is looked up by its number with the
// person's key, as goods and as a phone at the same time. An imported order has a
// purchase that was never a draft and never sent, so it affects no verdict and no
// sum of what was spent. Its number is unique for each person only: another person
// who shares the key may still adopt it. If it turns out to be the order of a purchase whose
// answer is late, it becomes that one.
package orders
