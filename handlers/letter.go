package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"hstockbot/bot"
	"hstockbot/internal/outbox"
	"hstockbot/keyboards"
	"hstockbot/locales"
	"hstockbot/storage"
)

const (
	stepLetter = "letter"
	// messageLetter is the kind of a message that staff write to one person.
	messageLetter = "letter"
	// letterLength limits its text, in UTF-16 units: the title above it and what is
	// around it in the preview fit in the same message.
	letterLength = 3500
)

// letter is the body of a messageLetter.
type letter struct {
	Author int64  `json:"author"`
	Text   string `json:"text"`
}

// letterText returns a letter as the person gets it.
func letterText(l *locales.Localizer, text string) string {
	return l.T("letter_title") + "\n\n" + locales.Escape(text)
}

// letterView renders a stored letter. Where support is an @name, a button opens the chat in
// which the person can answer.
func letterView(l *locales.Localizer, message storage.Message, support string) (bot.View, error) {
	var content letter
	if err := json.Unmarshal(message.Body, &content); err != nil {
		return bot.View{}, fmt.Errorf("%w: decode letter: %w", outbox.ErrRejected, err)
	}
	return bot.View{Text: letterText(l, content.Text), Keyboard: keyboards.WriteToSupportKeyboard(l, chatAddress(support, ""), support)}, nil
}

// addressee returns the person whom a letter is for, or an error that says why they
// can't get one.
func (s *Screens) addressee(ctx context.Context, l *locales.Localizer, id int64) (storage.User, error) {
	user, err := s.DB.User(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return user, userErr("person_none", locales.Args{"ID": personCode(l, id)})
	case err != nil:
		return user, err
	case user.Blocked && !s.IsAdmin(id), !s.Allows(id):
		return user, userErr("letter_unserved")
	case !user.Private:
		return user, userErr("person_external")
	case user.Unreachable:
		return user, userErr("person_unreachable")
	}
	return user, nil
}

func letterArgs(l *locales.Localizer, user storage.User) locales.Args {
	return locales.Args{"Name": l.Name(locales.Shorten(user.Name, wordLength)), "ID": personCode(l, user.ID), "Most": l.Number(letterLength)}
}

// personWrite asks for the text of a letter.
func (s *Screens) personWrite(ctx context.Context, req *bot.Request, args keyboards.PersonArgs) (bot.View, error) {
	user, err := s.addressee(ctx, req.L, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	person := keyboards.Person.Data(args)
	return bot.View{
		Text:     req.L.T("letter_ask", letterArgs(req.L, user)),
		Keyboard: keyboards.Foot(req.L, person),
		Dialog:   dialog(stepLetter, person),
	}, nil
}

// letterTyped stores a letter and shows it as the person will get it.
func (s *Screens) letterTyped(ctx context.Context, req *bot.Request) (bot.View, error) {
	args, err := parse(keyboards.Person, req.Data)
	if err != nil {
		return bot.View{}, err
	}
	user, err := s.addressee(ctx, req.L, args.Person)
	if err != nil {
		return bot.View{}, err
	}
	text := strings.TrimSpace(req.Text)
	if text == "" || bot.Length(locales.Escape(text)) > letterLength {
		return askAgain(req.L.T("letter_bad", letterArgs(req.L, user)), keyboards.Foot(req.L, req.Data)), nil
	}
	body, err := json.Marshal(letter{Author: req.User.ID, Text: text})
	if err != nil {
		return bot.View{}, fmt.Errorf("encode letter: %w", err)
	}
	id, err := s.DB.AddMessageDraft(ctx, storage.Message{
		UserID: user.ID, Kind: messageLetter, Priority: outbox.PriorityReply, Body: body, CreatedAt: time.Now(),
	})
	if err != nil {
		return bot.View{}, err
	}
	return bot.View{
		Text:     req.L.T("letter_preview", letterArgs(req.L, user)) + "\n\n<blockquote>" + letterText(s.Localizer(user), text) + "</blockquote>",
		Keyboard: keyboards.LetterKeyboard(req.L, keyboards.LetterArgs{Letter: id}, args),
	}, nil
}

// letterSend sends a letter of one's own that was previewed. A repeated tap does not send
// it again. The log says who wrote to whom, but not what: it is kept for a year, and what
// a person was told about their order is not every admin's to read.
func (s *Screens) letterSend(ctx context.Context, req *bot.Request, args keyboards.LetterArgs) (bot.View, error) {
	draft, err := s.DB.MessageDraft(ctx, messageLetter, args.Letter)
	if err != nil {
		return bot.View{}, err
	}
	if !draft.Sent() {
		var content letter
		if err := json.Unmarshal(draft.Body, &content); err != nil {
			return bot.View{}, fmt.Errorf("decode letter: %w", err)
		}
		if content.Author != req.User.ID {
			return bot.View{}, storage.ErrNotFound
		}
		if _, err := s.addressee(ctx, req.L, draft.UserID); err != nil {
			return bot.View{}, err
		}
		now := time.Now()
		_, err := s.DB.SendMessageDraft(ctx, draft.ID, now, storage.AuditEntry{
			AdminID: req.User.ID, Action: actionLetter, Subject: draft.UserID, Detail: strconv.Itoa(bot.Length(locales.Escape(content.Text))), At: now,
		})
		if err != nil {
			return bot.View{}, err
		}
		s.Wake()
	}
	view, err := s.person(ctx, req, keyboards.PersonArgs{Person: draft.UserID})
	view.Toast = req.L.Label("letter_sent_toast")
	view.Text = "✉️ " + req.L.T("letter_sent_toast") + "\n\n" + view.Text // a toast is soon gone
	return view, err
}
