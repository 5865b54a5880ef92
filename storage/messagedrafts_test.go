package storage

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestMessageDraft: a draft is neither due nor the recipient's, and is sent once, with one
// audit entry.
func TestMessageDraft(t *testing.T) {
	db := openTest(t)
	ctx, now := t.Context(), time.Now().Truncate(time.Millisecond)
	if _, _, err := db.TouchUser(ctx, 7, "Anna", "en", true); err != nil {
		t.Fatal(err)
	}
	id, err := db.AddMessageDraft(ctx, Message{UserID: 7, Kind: "letter", Body: []byte("canary of a letter"), CreatedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	if stored := selectStrings(t, db, `SELECT body_sealed FROM outbox`); len(stored) != 1 || strings.Contains(stored[0], "canary") {
		t.Errorf("the body is stored as %q", stored)
	}
	if err := db.SetUnreachable(ctx, 7); err != nil { // holds what is pending
		t.Fatal(err)
	}
	if _, released, err := db.TouchUser(ctx, 7, "Anna", "en", true); err != nil || released {
		t.Errorf("a draft was released (%v)", err)
	}
	summary, err := db.DataSummary(ctx, 7)
	data, dataErr := db.PersonalData(ctx, 7)
	if err := errors.Join(err, dataErr); err != nil || summary.Waiting != 0 || len(data.Messages) != 0 {
		t.Errorf("the recipient sees a draft: %+v, %+v (%v)", summary, data.Messages, err)
	}
	claim := func() []Message {
		messages, err := db.ClaimMessages(ctx, "test", now.Add(time.Hour), now.Add(2*time.Hour), 10)
		if err != nil {
			t.Fatal(err)
		}
		return messages
	}
	if messages := claim(); len(messages) != 0 {
		t.Errorf("drafts are due: %+v", messages)
	}
	draft, err := db.MessageDraft(ctx, "letter", id)
	if err != nil || draft.Sent() || draft.UserID != 7 || string(draft.Body) != "canary of a letter" {
		t.Errorf("the draft is %+v (%v)", draft, err)
	}
	if _, err := db.MessageDraft(ctx, "goods", id); !errors.Is(err, ErrNotFound) {
		t.Errorf("a draft of another kind: %v", err)
	}
	for _, want := range []bool{true, false} {
		sent, err := db.SendMessageDraft(ctx, id, now, AuditEntry{AdminID: 9, Action: "write", Subject: 7, At: now})
		if err != nil || sent != want {
			t.Errorf("sent: %v (%v), want %v", sent, err, want)
		}
	}
	if _, total, err := db.AuditLog(ctx, 8, 0); err != nil || total != 1 {
		t.Errorf("%d audit entries (%v), want one", total, err)
	}
	messages := claim()
	if len(messages) != 1 || messages[0].ID != id || string(messages[0].Body) != "canary of a letter" {
		t.Fatalf("due are %+v", messages)
	}
	if err := db.MarkSent(ctx, messages[0], 0, now); err != nil {
		t.Fatal(err)
	}
	if draft, err := db.MessageDraft(ctx, "letter", id); err != nil || !draft.Sent() || len(draft.Body) != 0 {
		t.Errorf("the sent draft is %+v (%v)", draft, err)
	}
	if err := db.Forget(ctx, 7, now); err != nil {
		t.Fatal(err)
	}
	if _, err := db.MessageDraft(ctx, "letter", id); !errors.Is(err, ErrNotFound) {
		t.Errorf("a draft to a forgotten person: %v", err)
	}
}
