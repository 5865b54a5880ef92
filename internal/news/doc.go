// Package news finds out what is new in the catalogue: restocks, price drops and new
// goods.
//
// The package owns the rounds that ask the marketplace, the comparison, and what admins
// have selected. It contains neither Telegram nor languages.
//
// # A round
//
// A round starts every five minutes, with the operator's API key. Without one there are no
// news. It asks for the complete catalogue in English and compares it with the one that is
// stored. What has changed is stored with its news in transactions of a few hundred
// services; a service that has not changed is not written.
//
//	the stored catalogue says                the marketplace says                    then
//	sold out, or not listed for an hour      in stock                                a restock
//	a price                                  in stock, a lower price in the same     a price drop, from the
//	                                         currency                                selected percentage on
//	nothing                                  in stock                                new goods, of a selected category
//
// In stock means that the smallest order can be filled, and that the bot can place it.
// What is not listed for less than an hour counts as if it had been listed all the time.
// A service is in the news once in six hours as a restock, and once as a price drop.
//
// # What is no news
//
// The first comparison only stores the catalogue. So does one after a day without a round,
// and one in another currency or with another API key. An answer that is empty, that lacks
// what it counts, or that has less than half of what is stored, changes nothing.
//
// # The clock
//
// How long a service is not listed, and when it was in the news, is measured on a clock of
// the rounds, in milliseconds. It advances by the time between two rounds: in one process
// by elapsed time, and between two by the wall clock. So a step of the wall clock moves
// nothing.
//
// A round writes its number into a setting, and each transaction of the round checks that
// it is still there. So of two processes, as during a failover, one stores what it finds.
package news
