-- What people say about delivered goods, when they are asked, and which SMM services refill.
-- Older programs neither ask nor store an answer.

-- +goose Up
ALTER TABLE purchases ADD COLUMN refill BIGINT NOT NULL DEFAULT 0; -- 1: the service had refill when it was bought
ALTER TABLE orders ADD COLUMN refill BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN feedback TEXT NOT NULL DEFAULT ''; -- storage.Order
ALTER TABLE orders ADD COLUMN feedback_of BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN feedback_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN feedback_due BIGINT NOT NULL DEFAULT 0; -- when the person is asked; 0: not, or not again
ALTER TABLE users ADD COLUMN skips_feedback BIGINT NOT NULL DEFAULT 0; -- 1: the person is never asked
CREATE INDEX orders_feedback ON orders (feedback_due) WHERE feedback_due > 0;

-- +goose Down
DROP INDEX orders_feedback;
ALTER TABLE users DROP COLUMN skips_feedback;
ALTER TABLE orders DROP COLUMN feedback_due;
ALTER TABLE orders DROP COLUMN feedback_at;
ALTER TABLE orders DROP COLUMN feedback_of;
ALTER TABLE orders DROP COLUMN feedback;
ALTER TABLE orders DROP COLUMN refill;
ALTER TABLE purchases DROP COLUMN refill;
