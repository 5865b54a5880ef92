// Package watches notifies people about products that they watch: a restock
// watch fires when a product is back in stock, a price watch when its price
// falls to the target price. A person may have 100 watches.
//
// The package owns the rounds that ask the marketplace, and the decision when a
// watch fires. It contains neither Telegram nor languages: it stores messages,
// and the outbox sends them.
//
// # A round
//
// A round starts every three minutes and serves all people together: up to 100
// watched products share one "products" call, all SMM services share one
// "services" call. The calls use the operator's API key. Without one, or where
// the marketplace refuses it, they use the keys of randomly chosen watchers.
// Watches of people who have blocked the bot, or whom an admin has blocked, stay
// stored but are skipped.
//
// Prices are compared only in the currency in which the watch was set. If the answer
// is in another one, the marketplace is asked again with a key of somebody who
// watches in that currency.
//
//	watch              the marketplace says              then
//	restock, armed     in stock                          it fires and is disarmed
//	restock, disarmed  out of stock                      it is re-armed
//	price              in stock, at the target or below  it fires and is deleted
//
// In stock means that the smallest order can be filled. Everything else changes
// nothing.
//
// # Guarantees
//
// A watch fires once. Its change is a compare-and-set in the transaction that
// also stores its message, so a process that is killed in between leaves the watch
// unchanged for the next round. Of several processes, one makes each round: a
// setting in the database holds the time of the next. Because the clock may be set, a
// process goes by the time that has passed since it read the setting, and makes a
// round at its start.
//
// While the marketplace is unreachable, watches neither fire nor re-arm.
//
// A service that is missing from an answer counts as out of stock only if the
// answer is complete: it has every item that it counts, and at least one. An
// empty answer proves nothing; the marketplace may have lost its catalogue for a
// moment, and every restock watch would fire when it returns.
//
// A watch that is set while an answer is on its way is left to the next round,
// because the answer is older than the watch.
package watches
