// Package funds reads the balances of people's keys for them: after a purchase that
// they could not pay, until the money has arrived, and to warn of a low balance.
//
// The package owns the loop that reads the balances, and the decision what follows.
// It contains neither Telegram nor languages: it stores messages, and the outbox
// sends them. It never buys: when the money has arrived it draws a new confirm card,
// with the price and stock of that moment.
//
// # Waiting for a top-up
//
// A person waits for one purchase at most. The balance is read every 15 seconds for
// ten minutes, then more and more slowly, for at most six hours. The wait ends when
// the balance suffices, when the same was bought meanwhile, when the key is refused,
// removed or replaced, and, with a message, when purchases are stopped for maintenance
// or it is no longer sold. A price that has risen above the balance makes it go on.
//
// # A low balance
//
// The balance is read every ten minutes. A message is sent once when it is below the
// person's amount, and again only after it was not. Balances in another currency than
// that of the amount are not compared.
//
// # Guarantees
//
// A message and the change of its watch are one transaction, a compare-and-set. The
// calls are made as background work, behind all taps.
package funds
