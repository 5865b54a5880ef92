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
// For 5 minutes after a start or a step of the clock the times of messages do not
// show whether one is stuck.
//
//	alert                  starts                                       ends
//	market_down            no call to the marketplace was answered for  a call is answered; with an operator's
//	                       a minute, at least three failed              key, one is made every minute
//	market_blocked         a page of a firewall came instead of an      a call is answered
//	                       answer, and background calls pause
//	key_refused            "balance" with the operator's key is         the key is accepted
//	                       refused; it is called every 5 minutes
//	balance_low            the operator's balance is below the          the balance is at the threshold or above
//	                       threshold that /balance sets
//	rival                  another process polls for the bot's updates: Telegram answered no 409 for a minute
//	                       Telegram answers 409 for 30 seconds
//	webhook_taken          another program changed or deleted the       it was not changed for 10 minutes
//	                       bot's webhook, which was set again
//	database_unsafe        a standby replicates asynchronously, so nobody   replication is synchronous, or there
//	                       can buy                                      is no standby
//	database_restored      the database was replaced by one that may lack   an admin has looked
//	                       its last commits
//	backup_restored        the database was restored from a backup      an admin has looked
//	backup_failed          the last daily backup failed, or the last    a backup is made
//	                       good one is two days old
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
// mentioned. The message and the mark that admins were notified are stored in one
// transaction. A person who is no longer an admin when the message is sent does not
// get it. Support gets a message of its own at the same time, with the alerts about
// purchases only: unknown, outbox_stuck, updates_parked. Alerts that nobody
// reachable may get wait.
//
// An alert contains no goods, codes, links, keys or anything that a person typed.
package monitor
