-- Which of the sent accounts are still in the marketplace's answer, how many were
-- replaced, and for how long an order is called complete with fewer accounts than were
-- bought. Older programs can use the database.

-- +goose Up
ALTER TABLE orders ADD COLUMN present BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN replaced BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN incomplete_for BIGINT NOT NULL DEFAULT 0; -- nanoseconds
UPDATE orders SET present = delivered WHERE kind = 'product';

-- +goose Down
ALTER TABLE orders DROP COLUMN incomplete_for;
ALTER TABLE orders DROP COLUMN replaced;
ALTER TABLE orders DROP COLUMN present;
