// Package telegram is a strict pretend Bot API server, with the people who use
// the bot, for tests and for the demo.
//
// The package owns Telegram's side of the conversation. It checks every call
// against the field tables of Bot API 10.1 (botapi.json), refuses what Telegram
// refuses with Telegram's error descriptions, keeps chats, delivers updates by
// long polling or webhook, and lets people type and tap. Tests can order faults
// (Server.Fault): delays, refusals, cut connections, lost answers and HTML pages.
//
// The package imports nothing of the bot. Shared code would repeat a mistake of
// the client in the server that tests it.
//
// The server is stricter than Telegram where strictness finds mistakes: an
// unknown parameter or field, a value of the wrong JSON type, a button with two
// actions, and a method or parameter that the sandbox does not implement are
// answered with error 400.
//
// The server works over loopback and, inside a testing/synctest bubble, over
// net.Pipe. It starts a goroutine only while a webhook is set.
package telegram
