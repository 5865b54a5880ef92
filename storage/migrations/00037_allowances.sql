-- Allowances: people buy with the operator's key, and a ledger says what each purchase
-- takes from its allowance. The key is a row of the person's that older programs take for
-- a replaced key: they never buy with it.

-- +goose Up
ALTER TABLE api_keys ADD COLUMN house BIGINT NOT NULL DEFAULT 0; -- 1: it is the operator's
ALTER TABLE api_keys ADD COLUMN pays BIGINT NOT NULL DEFAULT 0; -- 1: a key of the house that pays, instead of the active one
ALTER TABLE purchases ADD COLUMN house BIGINT NOT NULL DEFAULT 0; -- 1: paid by a key of the house
ALTER TABLE purchases ADD COLUMN markup TEXT NOT NULL DEFAULT '0'; -- in percent, as the card showed it
ALTER TABLE baskets ADD COLUMN markup TEXT NOT NULL DEFAULT '0'; -- likewise

CREATE TABLE allowances (
    user_id    BIGINT NOT NULL PRIMARY KEY REFERENCES users (id),
    grant_id   BIGINT NOT NULL, -- another one after the allowance was removed
    amount     TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    monthly    BIGINT NOT NULL, -- 1: each month, 0: once
    markup     TEXT   NOT NULL, -- in percent
    given_by   BIGINT NOT NULL, -- the admin
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);

-- Links that give an allowance to one person.
CREATE TABLE allowance_links (
    id         BIGINT NOT NULL PRIMARY KEY,
    digest     TEXT   NOT NULL UNIQUE, -- keyed, of the code
    amount     TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    monthly    BIGINT NOT NULL,
    markup     TEXT   NOT NULL,
    given_by   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    user_id    BIGINT NOT NULL -- who has used it, 0: nobody
);
CREATE INDEX allowance_links_user ON allowance_links (user_id);

-- What each purchase with a key of the house takes from its allowance. A row stays after
-- its purchase and its person are gone.
CREATE TABLE ledger (
    purchase_id BIGINT NOT NULL PRIMARY KEY,
    user_id     BIGINT NOT NULL, -- 0 once forgotten
    grant_id    BIGINT NOT NULL, -- of the allowance; 0: it was gone
    period      TEXT   NOT NULL, -- the month of the claim, '2026-11'
    day         BIGINT NOT NULL, -- of the claim
    currency    TEXT   NOT NULL,
    markup      TEXT   NOT NULL, -- in percent
    hold        TEXT   NOT NULL, -- what the card showed, with the markup
    held        TEXT   NOT NULL, -- what of it is not settled
    cost        TEXT   NOT NULL, -- the marketplace's, without refunds
    charged     TEXT   NOT NULL, -- with the markup
    refunded    TEXT   NOT NULL, -- with the markup
    state       TEXT   NOT NULL, -- 'held', 'settled' or 'released'
    reported    BIGINT NOT NULL, -- 1: admins were told that it has cost more than its hold
    at          BIGINT NOT NULL  -- of the claim
);
CREATE INDEX ledger_grant ON ledger (grant_id, period);
CREATE INDEX ledger_user ON ledger (user_id, at);
CREATE INDEX ledger_at ON ledger (at);

-- Confirmed purchases that wait for their turn to use the operator's key.
CREATE TABLE turns (
    purchase_id BIGINT NOT NULL PRIMARY KEY REFERENCES purchases (id) ON DELETE CASCADE,
    user_id     BIGINT NOT NULL,
    message_id  BIGINT NOT NULL, -- Telegram's id of the card, 0: not known
    queued_at   BIGINT NOT NULL,
    turn_at     BIGINT NOT NULL  -- the least is next; that of a person grows with each of their turns
);
CREATE INDEX turns_next ON turns (turn_at);
CREATE INDEX turns_user ON turns (user_id);

-- +goose Down
DROP TABLE turns;
DROP TABLE ledger;
DROP TABLE allowance_links;
DROP TABLE allowances;
ALTER TABLE baskets DROP COLUMN markup;
ALTER TABLE purchases DROP COLUMN markup;
ALTER TABLE purchases DROP COLUMN house;
ALTER TABLE api_keys DROP COLUMN pays;
ALTER TABLE api_keys DROP COLUMN house;
