// Package bot is the Telegram runtime: it receives updates, handles them, routes
// them to screens, and draws what the screens return.
//
// It owns everything that the Bot API requires of a bot: storing updates before
// they are acknowledged, the order within each chat, answering taps in time, the
// limits on messages, and retries. It contains no shop-specific logic: texts come
// in Views, and decisions through Hooks.
//
// # The way of an update
//
//  1. receive.go (long polling) or webhook.go receives updates. update.go decodes
//     the fields that are used; the rest is neither kept nor stored.
//  2. The batch is stored in the Inbox in one commit. Known ids are skipped. A chat
//     without unfinished updates now belongs to this process.
//  3. Only then is the batch acknowledged: by the offset of the next getUpdates, or
//     by status 200 of the webhook.
//  4. dispatch.go appends each update to the queue of its chat, or leaves it in the
//     Inbox, as where memory does not have all that came before. Updates of a chat are handled in order, and chats in parallel.
//  5. handle.go drops taps outside private chats and people who are not allowed.
//     Hooks.Identify records the person and returns their language.
//  6. router.go splits callback data into the name of a route and its arguments, and
//     looks up the screen. Unknown routes and arguments that can't be decoded are
//     outdated.
//  7. The screen returns a View, or redirects to another screen.
//  8. The tap is answered with the toast, and the message is edited, in parallel
//     (tap.go, send.go). Without a toast it is answered after the edit, so that the
//     answer can say that Telegram wants a pause. If the screen takes longer than
//     500 ms, the tap is answered empty.
//  9. One transaction marks the update as done, deletes its payload, and replaces
//     the person's dialog. After the last update the chat belongs to no process.
//
// # Receiving
//
// An update is handled at least once: one that was not finished is handled again, by this
// process in a second, or by the next one. Handling an update twice is harmless by design
// of the screens. An update that can't be decoded is dead-lettered.
//
// An update is not finished, but handled three times at most, if the deadline of drawing
// has cut off its answer: it passes also while the process is stopped. A message that may
// have been sent is not repeated.
//
// Several processes may share an Inbox. Each handles the updates of its chats, in the
// order of their ids, whichever process has stored them: a process that finishes an update
// learns whether the chat has further ones. One process leads (Lead): it asks Telegram
// for updates or keeps the webhook set, and adopts the chats of processes that have ended.
//
// An update may also end the process. It must not take others with it, and updates are
// not to be blamed for other ends of the process:
//
//   - A process that adopts chats records that in the Inbox, and handles their updates
//     as usual. The record is deleted when they are handled, after a minute, or by Stop.
//   - One that finds the record knows that the last process ended early. It handles
//     the unfinished updates one after another, one of each chat in turn, those with the
//     fewest attempts first, and counts an attempt at each before it is handled. After
//     three attempts an update is dead-lettered, after Hooks.DeadLettered has stored what
//     the person is told. As everywhere, one that has waited in a handler for half a
//     second does not delay the next one.
//   - New updates of other chats are handled as usual meanwhile.
//
// No highest id is kept, because Telegram may restart its ids after a quiet week;
// for the same reason the offset is dropped after an empty poll.
//
// # The queue
//
// One chat never delays another one, whatever it sends:
//
//   - Memory holds at most 4,096 updates, of them 32 of one chat and 4 of one group.
//     The last tenth of the places is for chats that have nothing pending; people whom
//     Hooks.Urgent names always have a place.
//   - An update without a place stays in the Inbox, and so do all later ones of its
//     chat, until the chat's queue is short and the next ones are read, in order.
//     Receiving does not wait.
//   - 256 workers handle chats in parallel; one that has waited in a handler for half a
//     second no longer counts. A worker takes one update of a chat and then goes to the
//     next chat. Chats that had nothing pending come before those that have more, which
//     get every fourth worker, but never the last tenth of them. Urgent chats get a
//     worker at once.
//   - Adopted chats are handled as chats that have more: new updates of other people come
//     first.
//
// What is pointless is skipped, that is, marked as done without being handled:
//
//   - A tap on a Screen, if the person has tapped a Screen of the same message since,
//     with nothing but taps in between. It is answered empty. Taps on an Action or a
//     MessageScreen are never skipped.
//   - A text outside dialogs that is followed directly by another one: of sixty
//     forwarded texts the last is answered. The first of them may be answered as well,
//     because it can be handled before the others arrive. Commands, answers in a dialog
//     and texts that Hooks.Keep names are never skipped.
//   - The pictures of an album after the first that was answered.
//   - An inline query, if the person has typed more since.
//   - Commands in a group beyond 15 a minute.
//
// A panic in a screen is recovered, counted, and logged under a reference that the
// person is shown too. The update is then done.
//
// Inline queries are in order with what the same person does in private. They are
// stored with the time of their receipt, because Telegram sends none, and are
// skipped after 10 seconds. Inline results that people post are not received.
//
// # Sending
//
// All calls use one client with HTTP/1.1, enough kept connections for all workers,
// bounded responses, and no token in any error. What people wait for is sent as JSON,
// and files by the library. New messages pass the pacer:
// Config.Rate in all, 1 a second with a burst of 3 in a chat, 20 a minute in a
// group or channel, where edits count as well; the most urgent message goes first. With Config.Pace all processes that send keep
// to these limits together. Edits after
// taps, and answers to taps, have a rate of their own: 1 a second with a burst of 10 in a chat; of the answers
// that wait only the newest is sent. A retry_after delays the same kind of call to the same chat, also without
// a rate.
//
// A call that certainly was not executed is repeated: messages and edits up to three
// attempts, other calls two. If the response was lost, a message is not repeated;
// edits and other calls are repeated once, because that changes nothing. What a Bot API
// server refuses because it is old (copy buttons, local times), or because it no longer exists (the
// topic of a chat), is left out, and the call is repeated once. Retries
// beyond that are up to the outbox.
package bot
