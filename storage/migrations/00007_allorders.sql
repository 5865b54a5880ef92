-- Everyone's orders, as admins list them: of what category, and when something
-- was delivered and told.

-- +goose Up
ALTER TABLE purchases ADD COLUMN category TEXT NOT NULL DEFAULT ''; -- in English; '' where it is not known, and of numbers
ALTER TABLE orders ADD COLUMN category TEXT NOT NULL DEFAULT '';
ALTER TABLE orders ADD COLUMN delivered_at BIGINT NOT NULL DEFAULT 0; -- the last of it
ALTER TABLE orders ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0; -- the last message about it that arrived

-- Newest first, by each filter. Polls without news write none of these columns.
CREATE INDEX orders_newest ON orders (created_at, id);
CREATE INDEX orders_state ON orders (state, created_at, id);
CREATE INDEX orders_category ON orders (category, created_at, id);
CREATE INDEX orders_sms ON orders (created_at, id) WHERE kind = 'sms';
-- What a day brought in: equal charges stand side by side, so that they are
-- counted by the database and multiplied, exactly, by the program.
CREATE INDEX orders_charged ON orders ((created_at / 86400000), currency, charge)
    WHERE charge IS NOT NULL AND state <> 'refunded' AND elsewhere = 0;
CREATE INDEX orders_charged_state ON orders (state, (created_at / 86400000), currency, charge)
    WHERE charge IS NOT NULL AND state <> 'refunded' AND elsewhere = 0;

-- +goose Down
DROP INDEX orders_charged_state;
DROP INDEX orders_charged;
DROP INDEX orders_sms;
DROP INDEX orders_category;
DROP INDEX orders_state;
DROP INDEX orders_newest;
ALTER TABLE orders DROP COLUMN told_at;
ALTER TABLE orders DROP COLUMN delivered_at;
ALTER TABLE orders DROP COLUMN category;
ALTER TABLE purchases DROP COLUMN category;
