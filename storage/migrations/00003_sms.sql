-- Numbers for SMS codes: what is rented by, when it ends, and the message that
-- shows it; cancelling; and what people searched for.

-- +goose Up
ALTER TABLE purchases ADD COLUMN project TEXT NOT NULL DEFAULT ''; -- of numbers: the marketplace's id
ALTER TABLE purchases ADD COLUMN country TEXT NOT NULL DEFAULT '';
ALTER TABLE purchases ADD COLUMN country_name TEXT NOT NULL DEFAULT '';
ALTER TABLE purchases ADD COLUMN phone_sealed TEXT NOT NULL DEFAULT ''; -- the number to rent again

ALTER TABLE orders ADD COLUMN project TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN country TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN country_name TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN phone_sealed TEXT NOT NULL DEFAULT ''; -- the number itself
ALTER TABLE orders ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN message_id BIGINT NOT NULL DEFAULT 0; -- Telegram's, of the message that shows it
ALTER TABLE orders ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0; -- the last poll, answered or not
ALTER TABLE orders ADD COLUMN cancel_sent_at BIGINT NOT NULL DEFAULT 0; -- a cancel may have arrived

-- Numbers for codes may be counted apart from other orders.
DROP INDEX orders_adopted;
CREATE UNIQUE INDEX orders_adopted ON orders (number) WHERE adopted = 1 AND kind <> 'sms';
CREATE UNIQUE INDEX orders_adopted_sms ON orders (number) WHERE adopted = 1 AND kind = 'sms';
-- Polls without news write updated_at: it stands in no index.
DROP INDEX orders_key;
CREATE INDEX orders_key ON orders (key_print, closed_at);
CREATE INDEX orders_rented ON orders (user_id, country) WHERE kind = 'sms';

-- What people searched for, so that pages of results outlive a restart.
CREATE TABLE searches (
    id              BIGINT PRIMARY KEY,
    user_id         BIGINT NOT NULL,
    query_sealed    TEXT   NOT NULL,
    created_at      BIGINT NOT NULL
);
CREATE INDEX searches_old ON searches (created_at);

-- +goose Down
DROP TABLE searches;
DROP INDEX orders_rented;
DROP INDEX orders_key;
CREATE INDEX orders_key ON orders (key_print, updated_at);
DROP INDEX orders_adopted_sms;
DROP INDEX orders_adopted;
CREATE UNIQUE INDEX orders_adopted ON orders (number) WHERE adopted = 1;
ALTER TABLE orders DROP COLUMN cancel_sent_at;
ALTER TABLE orders DROP COLUMN asked_at;
ALTER TABLE orders DROP COLUMN message_id;
ALTER TABLE orders DROP COLUMN expires_at;
ALTER TABLE orders DROP COLUMN phone_sealed;
ALTER TABLE orders DROP COLUMN country_name;
ALTER TABLE orders DROP COLUMN country;
ALTER TABLE orders DROP COLUMN project;
ALTER TABLE purchases DROP COLUMN phone_sealed;
ALTER TABLE purchases DROP COLUMN country_name;
ALTER TABLE purchases DROP COLUMN country;
ALTER TABLE purchases DROP COLUMN project;
