-- Orders that were placed elsewhere and taken in by their number, and reminders
-- of orders that can be cancelled later.

-- +goose Up
ALTER TABLE orders ADD COLUMN elsewhere BIGINT NOT NULL DEFAULT 0; -- taken in, not bought through the bot
CREATE UNIQUE INDEX orders_elsewhere ON orders (user_id, kind, number) WHERE elsewhere = 1;

CREATE TABLE reminders (
    order_id        BIGINT NOT NULL PRIMARY KEY REFERENCES orders (id),
    user_id         BIGINT NOT NULL,
    at              BIGINT NOT NULL -- when the order can be cancelled
);
CREATE INDEX reminders_due ON reminders (at);
CREATE INDEX reminders_user ON reminders (user_id);
-- What is kept about a person is found, and deleted, by the person.
CREATE INDEX searches_user ON searches (user_id);

-- +goose Down
DROP INDEX searches_user;
DROP TABLE reminders;
DROP INDEX orders_elsewhere;
ALTER TABLE orders DROP COLUMN elsewhere;
