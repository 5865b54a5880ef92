-- The balances that are watched for people: until one suffices for a purchase ('topup'),
-- or while it must not fall below an amount ('low').

-- +goose Up
CREATE TABLE balance_watches (
    user_id     BIGINT NOT NULL REFERENCES users (id),
    kind        TEXT   NOT NULL, -- 'topup' or 'low'
    key_id      BIGINT NOT NULL, -- of the key whose balance is read; 0: the person's present one
    purchase_id BIGINT NOT NULL, -- the draft that the money is for; 0 with 'low'
    amount      TEXT   NOT NULL, -- decimal: what suffices, or the least amount
    currency    TEXT   NOT NULL, -- of amount
    seen        TEXT   NOT NULL, -- decimal: the balance when it began
    fired       BIGINT NOT NULL, -- 1: the message about a low balance was sent, and it was not higher since
    started_at  BIGINT NOT NULL,
    next_at     BIGINT NOT NULL, -- when the balance is read next
    PRIMARY KEY (user_id, kind)
);
CREATE INDEX balance_watches_next ON balance_watches (next_at);
CREATE INDEX balance_watches_purchase ON balance_watches (purchase_id);

-- +goose Down
DROP TABLE balance_watches;
