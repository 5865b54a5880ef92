// Package monitor alerts admins to what is wrong with the bot and its
// marketplace account: once when a problem starts, and once when it has ended.
//
// The package owns the checks, the alerts in the database, and the decision when
// admins are notified. It contains neither Telegram nor languages: it stores
// messages, and the outbox sends them. An alert is put into words when it is sent.
//
// # Alerts
//
// All checks run every 15 seconds. A check returns the problems that exist now,
// or that it can't tell, which leaves its alerts as they are. The difference to
// the stored alerts is stored, so a restart neither repeats nor forgets one.
//
//	alert                  starts                                       ends
//	market_down            no call to the marketplace was answered for  a call is answered; with an operator's
//	                       a minute, at least three failed              key, one is made every minute
//	key_refused            "balance" with the operator's key is         the key is accepted
//	                       refused; it is called every 5 minutes
//	balance_low            the operator's balance is below the          the balance is at the threshold or above
//	                       threshold that /balance sets
//	rival                  another process polls for the bot's updates: Telegram answered no 409 for a minute
//	                       Telegram answers 409 for 30 seconds
//	unknown                the outcome of a purchase is unknown, one    the purchase is settled or dismissed
//	                       alert per purchase
//	outbox_stuck           a message has been due for 5 minutes, or     there is no such message
//	                       was tried five times
//	updates_parked         an update was dead-lettered                  none was for an hour
//	smm_rate               a charge shows that SMM_RATE_PER is wrong    SMM_RATE_PER has another value
//
// # Notifications
//
// A message to every reachable admin sums up what admins have not been notified
// of. There is at most one per minute. A problem that ended before that is never
// mentioned. While no admin is reachable, alerts wait. The message and the mark
// that admins were notified are stored in one transaction. A person who is no
// longer an admin when the message is sent does not get it.
//
// An alert contains no goods, codes, links, keys or anything that a person typed.
package monitor
