// Package broadcasts sends an admin's text to all people who use the bot, and
// counts what became of each message.
//
// The package owns the order of broadcasts, the pace at which recipients are
// taken, the retries and the counts. It contains neither Telegram nor languages:
// Options has functions for both. The draft, its preview and its confirmation are
// screens in the handlers package.
//
//	draft ──confirmed──▶ waiting ──its turn──▶ sending ──no recipient is left──▶ done
//	                        │                     │
//	                        └──────────┬──────────┘
//	                                   └──an admin stops it, or its author is no longer an admin──▶ stopped
//
// # At most one copy
//
// No recipient gets two copies, even if a process is killed. Recipients are taken
// first: in one transaction they become rows in flight, and the broadcast's cursor
// over the ids of people moves past them. Then the message is sent. Then the
// recipient is settled: the row is deleted and its outcome counted. A row in
// flight that a claim finds after a crash may have been sent, so it is counted as
// uncertain and never sent again. A crash therefore leaves out at most as many
// people as there are senders: 15, or half the rate if that is more.
//
// A recipient whose message was surely not sent becomes pending and is tried
// again: after a connection failure (20 attempts), after retry_after, or when a
// stop came before the message's slot in the pacer. A stop never cancels a
// request that has started, because its outcome would be uncertain.
//
// # Pace
//
// Fifteen senders keep 30 messages a second while each message takes half a
// second. Everything else that the bot sends goes first in its pacer. After
// retry_after nothing is sent for that time, because Telegram does not say whose
// limit was exceeded. While no message gets through, one recipient at a time is
// tried with growing pauses, so that an outage does not use up the attempts.
//
// One broadcast is sent at a time, by one process: its row has a lease of 30
// seconds, and the others wait. Only one page of people is in memory.
//
// # Rights and progress
//
// Whether the author is still an admin is checked each time recipients are taken.
// Starts, stops and revocations are in the audit log.
//
// One message shows the progress. It is edited every five seconds; an edit that
// fails is not repeated, except for the final one, which is repeated until it
// succeeds, also by the next process.
package broadcasts
