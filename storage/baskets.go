package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/shopspring/decimal"
)

// BasketState is the state of a Basket.
type BasketState string

const (
	// BasketOpen is being filled.
	BasketOpen BasketState = "open"
	// BasketRunning is confirmed: its lines are bought one after another.
	BasketRunning BasketState = "running"
	// BasketEnded begins no further line; Reason says why if there were any.
	BasketEnded BasketState = "ended"
)

// ErrBasketRunning is returned for a change of a basket that is being bought.
var ErrBasketRunning = errors.New("the basket is being bought")

// Basket is what a person buys with one confirmation. A person has at most one that is
// open or running.
type Basket struct {
	ID        int64           `db:"id"`
	UserID    int64           `db:"user_id"`
	State     BasketState     `db:"state"`
	Reason    string          `db:"reason"`   // defined by the orders package
	Revision  int64           `db:"revision"` // grows with every change of a line or a price
	KeyID     int64           `db:"key_id"`   // that pays, from when the prices were read
	Stopping  bool            `db:"stopping"` // the person has stopped it
	MessageID int64           `db:"message_id"`
	Thread    int64           `db:"thread_id"`
	House     bool            `db:"house" from:"COALESCE((SELECT api_keys.house FROM api_keys WHERE api_keys.id = baskets.key_id), 0)"` // the operator's key pays
	Markup    decimal.Decimal `db:"markup"`                                                                                             // in percent, when the prices were read, where the operator's key pays
	DueAt     time.Time       `db:"due_at"`
	PricedAt  time.Time       `db:"priced_at"`
	ChangedAt time.Time       `db:"changed_at"`
	// Restored: the database was restored since the prices were read. Whether lines were
	// bought after that is not known.
	Restored bool         `db:"restored" from:"CASE WHEN baskets.epoch = COALESCE((SELECT CAST(value AS BIGINT) FROM settings WHERE name = 'epoch'), 0) OR baskets.priced_at = 0 THEN 0 ELSE 1 END"`
	Lines    []BasketLine // by their place
}

// BasketLine is one purchase of a basket. Rate and Currency are what the card shows.
type BasketLine struct {
	ID         int64           `db:"id"`
	BasketID   int64           `db:"basket_id"`
	UserID     int64           `db:"user_id"`
	Place      int64           `db:"place"`
	Kind       Kind            `db:"kind"`
	Service    int64           `db:"service"`
	Name       string          `db:"name"`
	Category   string          `db:"category"`
	Quantity   int64           `db:"quantity"`
	Link       string          `db:"link_sealed" seal:"basket_lines.link"` // "" for none
	LinkMisfit string          `db:"link_misfit"`
	Rate       decimal.Decimal `db:"rate"`
	RatePer    int64           `db:"rate_per"`
	Currency   string          `db:"currency"`
	Fault      string          `db:"fault"`                                                                                                       // why it can't be bought, defined by the orders package
	PurchaseID int64           `db:"purchase_id"`                                                                                                 // 0: not begun
	Markup     decimal.Decimal `db:"markup" from:"COALESCE((SELECT baskets.markup FROM baskets WHERE baskets.id = basket_lines.basket_id), '0')"` // as stored with the basket
	// Of its purchase, "" before there is one.
	State      PurchaseState `db:"state" from:"COALESCE((SELECT state FROM purchases WHERE purchases.id = basket_lines.purchase_id), '')"`
	Reason     string        `db:"reason" from:"COALESCE((SELECT reason FROM purchases WHERE purchases.id = basket_lines.purchase_id), '')"`
	ExternalID string        `db:"external_id" from:"COALESCE((SELECT MIN(external_id) FROM orders WHERE orders.purchase_id = basket_lines.purchase_id), '')"`
	Damaged    error         // why Link can't be read, nil where it can
}

// Total is the price of the line without a markup.
func (l BasketLine) Total() decimal.Decimal { return PriceOf(l.Rate, l.Quantity, max(l.RatePer, 1)) }

// Shown is the price of a line as the card shows it: Purchase.Shown of what it buys.
func (b Basket) Shown(l BasketLine) decimal.Decimal {
	return Purchase{Quantity: l.Quantity, Rate: l.Rate, RatePer: max(l.RatePer, 1), Markup: b.Markup}.Shown()
}

// Bought reports whether the line was bought, or may have been.
func (l BasketLine) Bought() bool { return l.PurchaseID != 0 && l.State != PurchaseRejected }

// Next returns the line that is begun next, false where none is left.
func (b Basket) Next() (BasketLine, bool) {
	for _, line := range b.Lines {
		if line.PurchaseID == 0 && line.Fault == "" && line.Damaged == nil {
			return line, true
		}
	}
	return BasketLine{}, false
}

// Rest returns what was certainly not bought, without damaged lines.
func (b Basket) Rest() (rest []BasketLine) {
	for _, line := range b.Lines {
		if !line.Bought() && line.Damaged == nil {
			rest = append(rest, line)
		}
	}
	return rest
}

// Basket returns a person's basket, or ErrNotFound; id 0 is the one that is open or
// running.
func (db *DB) Basket(ctx context.Context, userID, id int64) (Basket, error) {
	where, args := `user_id = ? AND state IN ('open', 'running')`, []any{userID}
	if id != 0 {
		where, args = `user_id = ? AND id = ?`, append(args, id)
	}
	b, err := selectRow[Basket](ctx, db, db.reader, `SELECT `+columnsOf[Basket]()+` FROM baskets WHERE `+where, args...)
	if err == nil {
		b.Lines, err = db.basketLines(ctx, db.reader, `basket_id = ? ORDER BY place`, b.ID)
	}
	if err != nil {
		return Basket{}, fmt.Errorf("read basket: %w", err)
	}
	return b, nil
}

// HasBasket reports whether a person has a basket that is open or running.
func (db *DB) HasBasket(ctx context.Context, userID int64) (bool, error) {
	n, err := db.countRows(ctx, "look for a basket", `SELECT COUNT(*) FROM baskets WHERE user_id = ? AND state IN ('open', 'running')`, userID)
	return n > 0, err
}

func (db *DB) basketLines(ctx context.Context, q sqlx.QueryerContext, where string, args ...any) ([]BasketLine, error) {
	return selectRows[BasketLine](ctx, db, q, `SELECT `+columnsOf[BasketLine]()+` FROM basket_lines WHERE `+where, args...)
}

// AddToBasket adds lines to a person's open basket, which is created if there is none. An
// update of Telegram adds lines once, however often it is handled. The error is ErrFull if the
// basket would have more than limit lines, and ErrBasketRunning.
func (db *DB) AddToBasket(ctx context.Context, userID, update int64, lines []BasketLine, limit int64, now time.Time) error {
	lines = newLines(lines)
	for i := range lines {
		lines[i].ID = namedID("line", userID, update, i)
	}
	added := lineExists(ctx, lines)
	err := db.writeOnce(ctx, added, func(tx *sqlx.Tx) error {
		if done, err := added(tx); done || err != nil {
			return err
		}
		return db.addLines(ctx, tx, userID, lines, limit, now)
	})
	if err != nil {
		return fmt.Errorf("add to basket: %w", err)
	}
	return nil
}

// MoveToBasket discards a draft, and adds the line that it becomes to the person's basket. Where
// there is no draft, it changes nothing. The errors are those of AddToBasket.
func (db *DB) MoveToBasket(ctx context.Context, userID, purchaseID int64, line BasketLine, limit int64, now time.Time) error {
	lines := newLines([]BasketLine{line})
	_, err := db.transitionOnce(ctx, "move to basket", lineExists(ctx, lines), func(tx *sqlx.Tx) error {
		return errors.Join(db.endWaits(ctx, tx, userID, purchaseID), db.addLines(ctx, tx, userID, lines, limit, now))
	}, supersedeDraft, purchaseID, userID)
	return err
}

// addLines adds lines to a person's open basket, which is created if there is none.
func (db *DB) addLines(ctx context.Context, tx *sqlx.Tx, userID int64, lines []BasketLine, limit int64, now time.Time) error {
	b, err := selectRow[Basket](ctx, db, tx, `SELECT `+columnsOf[Basket]()+` FROM baskets WHERE user_id = ? AND state IN ('open', 'running')`, userID)
	switch {
	case errors.Is(err, ErrNotFound):
		return db.insertBasket(ctx, tx, userID, lines, now)
	case err != nil:
		return err
	case b.State == BasketRunning:
		return ErrBasketRunning
	}
	var count, last int64
	if err := tx.QueryRowxContext(ctx, `SELECT COUNT(*), COALESCE(MAX(place), 0) FROM basket_lines WHERE basket_id = ?`, b.ID).Scan(&count, &last); err != nil {
		return err
	}
	if count+int64(len(lines)) > limit {
		return ErrFull
	}
	if _, err := tx.ExecContext(ctx, `UPDATE baskets SET revision = revision + 1, changed_at = ? WHERE id = ?`, toMillis(now), b.ID); err != nil {
		return err
	}
	return db.insertLines(ctx, tx, userID, b.ID, last, lines)
}

// newLines returns lines of the same goods that are not begun, with new ids.
func newLines(lines []BasketLine) []BasketLine {
	fresh := make([]BasketLine, len(lines))
	for i, line := range lines {
		line.ID, line.PurchaseID = newID(), 0
		fresh[i] = line
	}
	return fresh
}

// lineExists recognizes a transaction by the lines that it has stored.
func lineExists(ctx context.Context, lines []BasketLine) committed {
	if len(lines) == 0 {
		return repeatable
	}
	return finds(ctx, `SELECT 1 FROM basket_lines WHERE id = ?`, lines[0].ID)
}

func (db *DB) insertBasket(ctx context.Context, tx *sqlx.Tx, userID int64, lines []BasketLine, now time.Time) error {
	b := Basket{ID: newID(), UserID: userID, State: BasketOpen, ChangedAt: now}
	if err := db.insert(ctx, tx, "baskets", &b, "epoch", 0); err != nil {
		return err
	}
	return db.insertLines(ctx, tx, userID, b.ID, 0, lines)
}

func (db *DB) insertLines(ctx context.Context, tx *sqlx.Tx, userID, basketID, last int64, lines []BasketLine) error {
	for i, line := range lines {
		line.UserID, line.BasketID, line.Place = userID, basketID, last+int64(i)+1
		if err := db.insert(ctx, tx, "basket_lines", &line); err != nil {
			return err
		}
	}
	return nil
}

// RemoveFromBasket removes a line of a person's open basket, or with line 0 the whole
// basket. It reports whether there was one.
func (db *DB) RemoveFromBasket(ctx context.Context, userID, basketID, lineID int64, now time.Time) (bool, error) {
	if lineID == 0 {
		return db.transition(ctx, "empty basket", `DELETE FROM baskets WHERE id = ? AND user_id = ? AND state = 'open'`, basketID, userID)
	}
	return db.transitionOnce(ctx, "remove from basket", repeatable, func(tx *sqlx.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM basket_lines WHERE id = ? AND basket_id = ?`, lineID, basketID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM baskets WHERE id = ? AND NOT EXISTS (SELECT 1 FROM basket_lines WHERE basket_id = baskets.id)`, basketID)
		return err
	}, `UPDATE baskets SET revision = revision + 1, changed_at = ? WHERE id = ? AND user_id = ? AND state = 'open'`, toMillis(now), basketID, userID)
}

// PriceBasket stores the prices and faults of the lines of b, which a card shows from then
// on, and returns it with its new revision. False: it has changed since it was read.
func (db *DB) PriceBasket(ctx context.Context, b Basket, keyID int64, now time.Time) (Basket, bool, error) {
	made := finds(ctx, `SELECT 1 FROM baskets WHERE id = ? AND revision = ? AND priced_at = ?`, b.ID, b.Revision+1, toMillis(now))
	priced, err := db.transitionOnce(ctx, "price basket", made, func(tx *sqlx.Tx) error {
		for _, line := range b.Lines {
			set, args := db.assignments(&line, "rate", "rate_per", "currency", "fault")
			if _, err := tx.ExecContext(ctx, `UPDATE basket_lines SET `+set+` WHERE id = ? AND basket_id = ?`, append(args, line.ID, b.ID)...); err != nil {
				return err
			}
		}
		return nil
	}, `UPDATE baskets SET revision = revision + 1, key_id = ?, markup = ?, epoch = `+selectEpoch+`, priced_at = ?, changed_at = ? WHERE id = ? AND user_id = ? AND state = 'open' AND revision = ?`,
		keyID, money(b.Markup), toMillis(now), toMillis(now), b.ID, b.UserID, b.Revision)
	b.Revision, b.KeyID, b.PricedAt, b.ChangedAt = b.Revision+1, keyID, now, now
	return b, priced, err
}

// StartBasket begins to buy an open basket in the revision that the person has confirmed,
// if its prices are not older than since. The first line is due at the given time. Of
// concurrent calls one is told true.
func (db *DB) StartBasket(ctx context.Context, userID, id, revision, messageID, thread int64, now, due, since time.Time) (bool, error) {
	made := finds(ctx, `SELECT 1 FROM baskets WHERE id = ? AND state = ? AND revision = ? AND changed_at = ?`, id, BasketRunning, revision, toMillis(now))
	return db.transitionOnce(ctx, "start basket", made, nil,
		`UPDATE baskets SET state = ?, message_id = ?, thread_id = ?, due_at = ?, changed_at = ?
		  WHERE id = ? AND user_id = ? AND state = ? AND revision = ? AND priced_at >= ? AND priced_at <= changed_at AND `+inEpoch,
		BasketRunning, messageID, thread, toMillis(due), toMillis(now), id, userID, BasketOpen, revision, toMillis(since))
}

// StopBasket makes a running basket begin no further line.
func (db *DB) StopBasket(ctx context.Context, userID, id int64, now time.Time) (bool, error) {
	return db.transition(ctx, "stop basket", `UPDATE baskets SET stopping = 1, due_at = ? WHERE id = ? AND user_id = ? AND state = 'running' AND stopping = 0`, toMillis(now), id, userID)
}

// DueBaskets returns running baskets whose next line is due, without their lines.
func (db *DB) DueBaskets(ctx context.Context, now time.Time, limit int) ([]Basket, error) {
	due, err := selectRows[Basket](ctx, db, db.reader, `SELECT `+columnsOf[Basket]()+` FROM baskets WHERE state = 'running' AND due_at <= ? ORDER BY due_at LIMIT ?`, toMillis(now), limit)
	if err != nil {
		return nil, fmt.Errorf("read due baskets: %w", err)
	}
	return due, nil
}

// NextBasket returns when the next line of a running basket is due, zero where none is.
func (db *DB) NextBasket(ctx context.Context) (time.Time, error) {
	return db.readTime(ctx, "read next basket", `SELECT MIN(due_at) FROM baskets WHERE state = 'running'`)
}

// MoveBasket makes the next line of a running basket due at the given time.
func (db *DB) MoveBasket(ctx context.Context, id int64, due time.Time) error {
	_, err := db.transition(ctx, "move basket", `UPDATE baskets SET due_at = ? WHERE id = ? AND state = 'running'`, toMillis(due), id)
	return err
}

// ClaimLine begins a line of a running basket: in one transaction it stores p, which the
// line refers to from then on, and claims it as ClaimPurchase does. False: the line was
// begun by another call, or the basket may not go on. The key of p must be the person's
// active one. owner names the lease.
func (db *DB) ClaimLine(ctx context.Context, line BasketLine, p Purchase, owner func(purchaseID int64) string, now, until time.Time) (Purchase, bool, error) {
	p.ID, p.State, p.CreatedAt, p.ExpiresAt = newID(), PurchaseDraft, now, until
	claimed := false
	err := db.writeOnce(ctx, purchaseExists(ctx, p), func(tx *sqlx.Tx) error {
		if err := db.holdMaintenance(ctx, tx); err != nil {
			return err
		}
		begun, err := db.transitionTx(ctx, tx, `UPDATE basket_lines SET purchase_id = ? WHERE id = ? AND purchase_id = 0
			AND EXISTS (SELECT 1 FROM baskets WHERE baskets.id = basket_id AND baskets.user_id = ? AND state = 'running' AND stopping = 0 AND key_id = ? AND `+inEpoch+`)
			AND EXISTS (SELECT 1 FROM api_keys WHERE api_keys.id = ? AND `+paysNow+` AND invalid = 0)`,
			p.ID, line.ID, line.UserID, p.KeyID, p.KeyID)
		if err != nil || !begun {
			return err
		}
		if err := db.insertPurchase(ctx, tx, p); err != nil {
			return err
		}
		found, err := db.claimDraft(ctx, tx, p.UserID, p.ID, owner(p.ID), now, until)
		if err == nil && !found {
			err = errOutdated // it would leave a line that refers to a draft
		}
		if err == nil {
			claimed = true
		}
		return err
	})
	switch {
	case errors.Is(err, errOutdated):
		return p, false, nil
	case isUnique(err):
		return p, false, ErrKeyBusy
	case err != nil:
		return p, false, fmt.Errorf("claim line: %w", err)
	}
	return p, claimed, nil
}

// EndBasket ends a running basket with the messages to the person. What was certainly not
// bought is their new open basket.
func (db *DB) EndBasket(ctx context.Context, b Basket, reason string, now time.Time, messages ...Message) (bool, error) {
	messages = withIDs(messages...)
	return db.transitionOnce(ctx, "end basket", messagesExist(ctx, messages), func(tx *sqlx.Tx) error {
		lines, err := db.basketLines(ctx, tx, `basket_id = ? ORDER BY place`, b.ID) // those of b may be older
		if rest := newLines(Basket{Lines: lines}.Rest()); err == nil && len(rest) > 0 {
			err = db.insertBasket(ctx, tx, b.UserID, rest, now)
		}
		if err != nil {
			return err
		}
		return db.insertMessages(ctx, tx, messages)
	}, `UPDATE baskets SET state = ?, reason = ?, changed_at = ? WHERE id = ? AND state = ?`, BasketEnded, reason, toMillis(now), b.ID, BasketRunning)
}

// BasketSet is lines without a link that a person has saved under a name.
type BasketSet struct {
	ID        int64     `db:"id"`
	UserID    int64     `db:"user_id"`
	Name      string    `db:"name_sealed" seal:"basket_sets.name"`
	Lines     string    `db:"lines"` // service, a space, quantity; one a line
	CreatedAt time.Time `db:"created_at"`
	Damaged   error     // why Name can't be read, nil where it can
}

// SaveBasketSet stores a set, as AddToBasket once for an update. The error is ErrFull if the
// person has limit others.
func (db *DB) SaveBasketSet(ctx context.Context, update int64, set BasketSet, limit int) error {
	set.ID = namedID("set", set.UserID, update)
	saved := finds(ctx, `SELECT 1 FROM basket_sets WHERE id = ?`, set.ID)
	err := db.writeOnce(ctx, saved, func(tx *sqlx.Tx) error {
		if done, err := saved(tx); done || err != nil {
			return err
		}
		var count int
		if err := tx.GetContext(ctx, &count, `SELECT COUNT(*) FROM basket_sets WHERE user_id = ?`, set.UserID); err != nil {
			return err
		}
		if count >= limit {
			return ErrFull
		}
		return db.insert(ctx, tx, "basket_sets", &set)
	})
	if err != nil {
		return fmt.Errorf("save basket set: %w", err)
	}
	return nil
}

// BasketSets returns a person's sets, the newest first.
func (db *DB) BasketSets(ctx context.Context, userID int64) ([]BasketSet, error) {
	sets, err := selectRows[BasketSet](ctx, db, db.reader, `SELECT `+columnsOf[BasketSet]()+` FROM basket_sets WHERE user_id = ? ORDER BY created_at DESC, id`, userID)
	if err != nil {
		return nil, fmt.Errorf("read basket sets: %w", err)
	}
	return sets, nil
}

// RemoveBasketSet removes a person's set, if there is one.
func (db *DB) RemoveBasketSet(ctx context.Context, userID, id int64) error {
	_, err := db.transition(ctx, "remove basket set", `DELETE FROM basket_sets WHERE id = ? AND user_id = ?`, id, userID)
	return err
}
