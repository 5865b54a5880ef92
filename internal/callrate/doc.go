// Package callrate decides how many calls a second the marketplace gets, and which call
// is next.
//
// The marketplace does not document its limit, so the rate is found out (Rate). It begins
// at 20 calls a second, doubles each 5 s while calls wait for it, and is halved when the
// marketplace asks for fewer: by a 429 for several accounts, by a 503, or by answers that
// take twice as long as usual. After that it returns quickly to just below the limit that
// it met, and then grows slowly, because a limit may have changed. What was learned is
// stored, is shared by all processes on a database, and survives a restart (Sync).
//
// Calls that somebody waits for are made before background calls, and may use calls of the
// next quarter of a second; the background calls make up for them (Limiter). A background
// job asks Room how many calls it may begin, so that few of them wait here.
//
// A page of a firewall stops all background calls for a minute, doubling up to an hour:
// a marketplace that bans the bot is worse than one that is asked late.
//
// The package does not decide how often an order is polled (package orders), and does not
// pause single accounts (package hstock).
package callrate
