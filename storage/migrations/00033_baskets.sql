-- Baskets: what a person buys with one confirmation, line by line. A line that was begun
-- refers to its purchase. Sets are lines without a link that are kept under a name.

-- +goose Up
CREATE TABLE baskets (
    id         BIGINT NOT NULL PRIMARY KEY,
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    state      TEXT   NOT NULL, -- 'open', 'running' or 'ended'
    reason     TEXT   NOT NULL, -- why it has ended before its last line, '' if it has not
    revision   BIGINT NOT NULL, -- grows with every change of a line or a price; a card shows one
    key_id     BIGINT NOT NULL, -- that pays; 0 while no prices were read
    epoch      BIGINT NOT NULL, -- when prices were read last (storage/epoch.go)
    stopping   BIGINT NOT NULL, -- 1: the person has stopped it
    message_id BIGINT NOT NULL, -- Telegram's id of the card that was confirmed
    thread_id  BIGINT NOT NULL, -- of the topic in which the card is; 0 = none
    due_at     BIGINT NOT NULL, -- when the next line is due
    priced_at  BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX baskets_user ON baskets (user_id) WHERE state IN ('open', 'running');
CREATE INDEX baskets_due ON baskets (due_at) WHERE state = 'running';

CREATE TABLE basket_lines (
    id          BIGINT NOT NULL PRIMARY KEY,
    basket_id   BIGINT NOT NULL REFERENCES baskets (id) ON DELETE CASCADE,
    user_id     BIGINT NOT NULL,
    place       BIGINT NOT NULL, -- in the basket, from 1
    kind        TEXT   NOT NULL,
    service     BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    category    TEXT   NOT NULL,
    quantity    BIGINT NOT NULL,
    link_sealed TEXT   NOT NULL,
    link_misfit TEXT   NOT NULL,
    rate        TEXT   NOT NULL, -- decimal, as the card shows it
    rate_per    BIGINT NOT NULL,
    currency    TEXT   NOT NULL,
    fault       TEXT   NOT NULL, -- why it can't be bought, '' if it can
    purchase_id BIGINT NOT NULL  -- 0: not begun
);
CREATE INDEX basket_lines_basket ON basket_lines (basket_id, place);
CREATE INDEX basket_lines_user ON basket_lines (user_id);

CREATE TABLE basket_sets (
    id          BIGINT NOT NULL PRIMARY KEY,
    user_id     BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name_sealed TEXT   NOT NULL,
    lines       TEXT   NOT NULL, -- service, a space, quantity; one a line
    created_at  BIGINT NOT NULL
);
CREATE INDEX basket_sets_user ON basket_sets (user_id);

-- +goose Down
DROP TABLE basket_sets;
DROP TABLE basket_lines;
DROP TABLE baskets;
