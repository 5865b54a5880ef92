-- The topic of the chat in which a purchase was confirmed: its goods and codes go there.
-- Older programs can use the database.

-- +goose Up
ALTER TABLE purchases ADD COLUMN thread_id BIGINT NOT NULL DEFAULT 0; -- Telegram's message_thread_id, 0 = none

-- +goose Down
ALTER TABLE purchases DROP COLUMN thread_id;
