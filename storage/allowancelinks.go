package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
)

// ErrLinkGone says that a link to an allowance does not exist, has expired, was revoked, or
// was used by another person.
var ErrLinkGone = errors.New("storage: this link gives nothing")

// AllowanceLinkAge is how long a link to an allowance can be used.
const AllowanceLinkAge = 7 * day

const allowanceLinkDomain = "allowance-link" // of the digests of codes

// AllowanceLink is a link that gives one person an allowance. Its code is not kept.
type AllowanceLink struct {
	ID int64 `db:"id"`
	AllowanceTerms
	GivenBy   int64     `db:"given_by"` // the admin
	CreatedAt time.Time `db:"created_at"`
	ExpiresAt time.Time `db:"expires_at"`
	UserID    int64     `db:"user_id"` // who has used it, 0: nobody
}

func (db *DB) linkDigest(code string) string { return db.Digest(allowanceLinkDomain, []byte(code)) }

// AddAllowanceLink stores a link that gives an allowance on these terms for AllowanceLinkAge,
// with the audit entry. It returns the code, which is kept nowhere: letters and digits of 130
// random bits. The error is ErrNoOperatorKey or ErrBadTerms.
func (db *DB) AddAllowanceLink(ctx context.Context, terms AllowanceTerms, entry AuditEntry) (code string, err error) {
	if db.operator().key == "" {
		return "", ErrNoOperatorKey
	}
	if !terms.Valid() {
		return "", ErrBadTerms
	}
	entry.ID, code = newID(), rand.Text()
	link := AllowanceLink{ID: newID(), AllowanceTerms: terms, GivenBy: entry.AdminID, CreatedAt: entry.At, ExpiresAt: entry.At.Add(AllowanceLinkAge)}
	err = db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		return errors.Join(db.insert(ctx, tx, "allowance_links", &link, "digest", db.linkDigest(code)), db.insertAudit(ctx, tx, entry))
	})
	if err != nil {
		return "", fmt.Errorf("add a link to an allowance: %w", err)
	}
	return code, nil
}

// AllowanceLinks returns the links that can be used at a time, the latest first.
func (db *DB) AllowanceLinks(ctx context.Context, now time.Time) ([]AllowanceLink, error) {
	links, err := selectRows[AllowanceLink](ctx, db, db.reader, `SELECT `+columnsOf[AllowanceLink]()+` FROM allowance_links
		WHERE user_id = 0 AND expires_at > ? ORDER BY created_at DESC, id`, toMillis(now))
	if err != nil {
		return nil, fmt.Errorf("read links to allowances: %w", err)
	}
	return links, nil
}

// RevokeAllowanceLink deletes a link that nobody has used, with the audit entry. It reports
// whether there was one.
func (db *DB) RevokeAllowanceLink(ctx context.Context, id int64, entry AuditEntry) (bool, error) {
	return db.transitionAudited(ctx, "revoke a link to an allowance", entry, `DELETE FROM allowance_links WHERE id = ? AND user_id = 0`, id)
}

// UseAllowanceLink gives a person the allowance of a link, once for all people and taps. A
// repeat by the same person returns the allowance that they have. entry is the audit entry;
// its admin is the one who made the link. The error is ErrLinkGone, ErrHasAllowance,
// ErrNoOperatorKey or ErrHouseKey; then the link can still be used.
func (db *DB) UseAllowanceLink(ctx context.Context, userID int64, code string, entry AuditEntry) (Allowance, error) {
	entry.ID, entry.Subject = newID(), userID
	err := db.writeOnce(ctx, auditExists(ctx, entry), func(tx *sqlx.Tx) error {
		link, err := selectRow[AllowanceLink](ctx, db, tx, `SELECT `+columnsOf[AllowanceLink]()+` FROM allowance_links WHERE digest = ?`, db.linkDigest(code))
		if errors.Is(err, ErrNotFound) {
			return ErrLinkGone
		}
		if err != nil {
			return err
		}
		_, err = selectRow[Allowance](ctx, db, tx, `SELECT `+columnsOf[Allowance]()+` FROM allowances WHERE user_id = ?`, userID)
		switch {
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		case link.UserID == userID && err == nil:
			return nil
		case link.UserID != 0 || !link.ExpiresAt.After(entry.At):
			return ErrLinkGone
		case err == nil:
			return ErrHasAllowance
		}
		used, err := db.transitionTx(ctx, tx, `UPDATE allowance_links SET user_id = ? WHERE id = ? AND user_id = 0`, userID, link.ID)
		if err != nil {
			return err
		}
		if !used {
			return ErrLinkGone
		}
		if err := db.giveAllowance(ctx, tx, userID, link.AllowanceTerms, link.GivenBy, entry.At); err != nil {
			return err
		}
		entry := entry
		entry.AdminID = link.GivenBy
		return db.insertAudit(ctx, tx, entry)
	})
	if err != nil {
		return Allowance{}, fmt.Errorf("use a link to an allowance: %w", err)
	}
	return db.Allowance(ctx, userID, entry.At)
}
