// Package room posts what happens in the shop in the group that an admin chose: a line for
// each purchase, which is edited on as its state changes, what admins are told, and the
// figures of each day.
//
// It owns the loop that posts, the choice of the chat, and what becomes of it when the chat
// can't be reached. It contains neither Telegram nor languages: a Poster renders and sends.
// The row of the room, its topics and its lines are package storage's.
//
// What admins are told waits in the database until it is posted. If the room is lost, the
// transaction that records it gives these messages to the admins, together with the one
// that says why. Nothing is lost in between, and each admin is told once.
//
// Lines are posted at the pace that Telegram allows in a group. A round reads the newest
// state of each line, so changes that come faster are gathered. A line's row says which
// message shows it and what that shows. The row is written after Telegram's answer: if the
// process is killed in between, or the answer is lost, the line or the alert is posted once
// more. That is better than a loss. If the second answer is lost, too, the line counts as
// posted, and the alert goes to the admins. Figures whose answer is lost count as posted.
//
// A line is finished a day after all orders of its purchase were closed, or when nothing
// was bought. Only unfinished lines are read.
package room
