// Package handlers owns what people and admins see and do: one file per screen,
// the sentences for errors (errors.go), and the notifier, which turns stored
// messages into chat messages. It contains no money logic: purchases and
// cancellations are in internal/orders.
//
// # Screens
//
// A screen is a function of its button. Routes are declared in package keyboards
// and listed in Screens.Register. A handler reads everything it shows again at
// every tap and trusts nothing in the callback data: queries are scoped by the
// person, and prices, limits and rights are read again. So old buttons work after
// a restart, and forged ones are "out of date".
//
// Callback data names things of unknown length by a route.Hash of their canonical
// English name. A hash that matches no name, or more than one, is out of date.
//
// Typed input belongs to a dialog: a step, its data and a time limit, one per
// person. A tap, a command or an accepted answer replaces the dialog. An answer
// that is not accepted keeps it, so the question can be answered again.
//
// Errors are returned as they are. errorView turns each into a sentence: what
// happened, whether money was spent, and what to do. An error that it does not
// know is logged and shown as "something went wrong".
//
// A message that people may want to keep (goods, an SMS, an unknown outcome) is a
// message of its own, and no button on it replaces it by another screen.
//
// # Keys
//
// A message with an API key is deleted before the key is checked. Browsing uses
// the person's own key, else the operator's. Buying uses only the person's own.
//
// # Languages
//
// The language that a person chose has priority over that of their Telegram. Each
// screen reads it again, so a choice applies at once, also to old messages when
// they are tapped and to stored messages when they are sent. What the marketplace
// says only in English (documented refusals, reasons, states) is translated where
// it is known (translate.go).
//
// # Admins
//
// Routes of admins are registered through adminScreen and adminAction, those that are
// support's as well through staffScreen and staffAction. They check the right on every
// call. To anyone else the button is out of date, the command is unknown, and an open
// question is forgotten. Screens about everyone's orders show nothing that people typed
// or received: the storage types they read have no field for it.
package handlers
