-- Purchases, the orders they became, what of them was delivered, and what is
-- still to be said. Money is the marketplace's own decimal text, times are unix
-- milliseconds, columns named *_sealed hold ciphertext.

-- +goose Up
CREATE TABLE purchases (
    id              BIGINT PRIMARY KEY,
    user_id         BIGINT NOT NULL,
    key_id          BIGINT NOT NULL,
    key_print       TEXT   NOT NULL,
    kind            TEXT   NOT NULL,
    service         BIGINT NOT NULL,
    name            TEXT   NOT NULL,
    quantity        BIGINT NOT NULL,
    link_sealed     TEXT   NOT NULL,
    rate            TEXT   NOT NULL,
    rate_per        BIGINT NOT NULL,
    currency        TEXT   NOT NULL,
    stock           BIGINT NOT NULL,
    variants        BIGINT NOT NULL,
    balance         TEXT   NOT NULL,
    origin          TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    refusal_sealed  TEXT   NOT NULL,
    lease_owner     TEXT   NOT NULL,
    lease_until     BIGINT NOT NULL,
    checks          BIGINT NOT NULL,
    next_check_at   BIGINT NOT NULL,
    balance_seen    TEXT,
    verdict         TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    sent_at         BIGINT NOT NULL,
    settled_at      BIGINT NOT NULL
);
-- One purchase per API key is on its way at a time, across people and replicas.
CREATE UNIQUE INDEX purchases_in_flight ON purchases (key_print) WHERE state IN ('claimed', 'sending');
CREATE INDEX purchases_leases ON purchases (lease_until) WHERE state IN ('claimed', 'sending');
CREATE INDEX purchases_checks ON purchases (next_check_at) WHERE state = 'unknown';
CREATE INDEX purchases_key ON purchases (key_print, sent_at);
CREATE INDEX purchases_user ON purchases (user_id, created_at);
CREATE INDEX purchases_drafts ON purchases (expires_at) WHERE state IN ('draft', 'retired');

CREATE TABLE orders (
    id              BIGINT PRIMARY KEY,
    user_id         BIGINT NOT NULL,
    purchase_id     BIGINT NOT NULL REFERENCES purchases (id),
    key_id          BIGINT NOT NULL,
    key_print       TEXT   NOT NULL,
    kind            TEXT   NOT NULL,
    number          BIGINT NOT NULL,
    adopted         BIGINT NOT NULL,
    service         BIGINT NOT NULL,
    name            TEXT   NOT NULL,
    quantity        BIGINT NOT NULL,
    link_sealed     TEXT   NOT NULL,
    origin          TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    word            TEXT   NOT NULL,
    charge          TEXT,
    currency        TEXT   NOT NULL,
    remains         BIGINT,
    start_count     BIGINT,
    auto_delivery   BIGINT NOT NULL,
    delivered       BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    closed_at       BIGINT NOT NULL,
    next_poll_at    BIGINT NOT NULL,
    polls           BIGINT NOT NULL,
    failures        BIGINT NOT NULL,
    lease_owner     TEXT   NOT NULL,
    lease_until     BIGINT NOT NULL
);
-- A number that a person typed in may be taken for one purchase only.
CREATE UNIQUE INDEX orders_adopted ON orders (number) WHERE adopted = 1;
CREATE INDEX orders_number ON orders (number);
CREATE INDEX orders_user ON orders (user_id, created_at);
CREATE INDEX orders_due ON orders (next_poll_at) WHERE closed_at = 0;
CREATE INDEX orders_key ON orders (key_print, updated_at);
CREATE INDEX orders_key_open ON orders (key_id) WHERE closed_at = 0;
CREATE INDEX orders_purchase ON orders (purchase_id);

-- How many copies of each delivered account (as a keyed digest) a person was
-- sent: what is new in the next answer is told by the difference.
CREATE TABLE deliveries (
    order_id        BIGINT NOT NULL REFERENCES orders (id),
    digest          TEXT   NOT NULL,
    copies          BIGINT NOT NULL,
    PRIMARY KEY (order_id, digest)
);

CREATE TABLE outbox (
    id              BIGINT PRIMARY KEY,
    user_id         BIGINT NOT NULL,
    purchase_id     BIGINT NOT NULL,
    order_id        BIGINT NOT NULL,
    kind            TEXT   NOT NULL,
    class           BIGINT NOT NULL,
    body_sealed     TEXT   NOT NULL,
    state           TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    next_try_at     BIGINT NOT NULL,
    tries           BIGINT NOT NULL,
    lease_owner     TEXT   NOT NULL,
    lease_until     BIGINT NOT NULL,
    sent_at         BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (next_try_at) WHERE state = 'waiting';
CREATE INDEX outbox_user ON outbox (user_id, state);
CREATE INDEX outbox_done ON outbox (created_at) WHERE state <> 'waiting';

-- +goose Down
DROP TABLE outbox;
DROP TABLE deliveries;
DROP TABLE orders;
DROP TABLE purchases;
