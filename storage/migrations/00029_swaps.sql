-- Numbers that are given back for new ones. A draft that was not bought takes its row along.

-- +goose Up
CREATE TABLE swaps (
    purchase_id BIGINT NOT NULL PRIMARY KEY REFERENCES purchases (id) ON DELETE CASCADE, -- of the new number
    order_id    BIGINT NOT NULL, -- the number that is given back
    user_id     BIGINT NOT NULL,
    place       BIGINT NOT NULL, -- in a row of swaps, from 1
    charge      TEXT   NOT NULL, -- of the number, before it is given back
    refund      TEXT   NOT NULL, -- what has to come back at least
    state       TEXT   NOT NULL,
    reason      TEXT   NOT NULL, -- why it has stopped
    at          BIGINT NOT NULL, -- from when the marketplace takes the number back; 0: at once
    due_at      BIGINT NOT NULL, -- when the next step is due
    give_up_at  BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX swaps_active ON swaps (order_id) WHERE state IN ('armed', 'cancelling', 'ending', 'renting');
CREATE INDEX swaps_due ON swaps (due_at) WHERE state IN ('armed', 'cancelling', 'ending');
CREATE INDEX swaps_order ON swaps (order_id, created_at);
CREATE INDEX swaps_user ON swaps (user_id);

-- +goose Down
DROP TABLE swaps;
