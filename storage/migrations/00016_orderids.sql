-- The id of an order is the marketplace's text. '' stands where it was 0: the person
-- was forgotten. Older programs can't read ids that are not numbers.

-- +goose Up
UPDATE settings SET value = '16' WHERE name = 'schema_min';
DROP INDEX orders_adopted;
DROP INDEX orders_adopted_sms;
DROP INDEX orders_external_id;
DROP INDEX orders_external;
ALTER TABLE orders RENAME COLUMN external_id TO number;
ALTER TABLE orders ADD COLUMN external_id TEXT NOT NULL DEFAULT '';
UPDATE orders SET external_id = CAST(number AS TEXT) WHERE number <> 0;
ALTER TABLE orders DROP COLUMN number;
CREATE INDEX orders_external_id ON orders (external_id);
CREATE UNIQUE INDEX orders_adopted ON orders (external_id) WHERE adopted = 1 AND kind <> 'sms';
CREATE UNIQUE INDEX orders_adopted_sms ON orders (external_id) WHERE adopted = 1 AND kind = 'sms';
CREATE UNIQUE INDEX orders_external ON orders (user_id, kind, external_id) WHERE external = 1;

-- +goose Down
-- An id that is no number of up to 18 digits becomes the negative id of its row.
DROP INDEX orders_external;
DROP INDEX orders_adopted_sms;
DROP INDEX orders_adopted;
DROP INDEX orders_external_id;
ALTER TABLE orders RENAME COLUMN external_id TO text_id;
ALTER TABLE orders ADD COLUMN external_id BIGINT NOT NULL DEFAULT 0;
UPDATE orders SET external_id = CASE WHEN text_id GLOB '[1-9]*' AND NOT text_id GLOB '*[^0-9]*' AND LENGTH(text_id) <= 18
    THEN CAST(text_id AS INTEGER) ELSE -id END WHERE text_id <> '';
ALTER TABLE orders DROP COLUMN text_id;
CREATE INDEX orders_external_id ON orders (external_id);
CREATE UNIQUE INDEX orders_adopted ON orders (external_id) WHERE adopted = 1 AND kind <> 'sms';
CREATE UNIQUE INDEX orders_adopted_sms ON orders (external_id) WHERE adopted = 1 AND kind = 'sms';
CREATE UNIQUE INDEX orders_external ON orders (user_id, kind, external_id) WHERE external = 1;
UPDATE settings SET value = '10' WHERE name = 'schema_min';
