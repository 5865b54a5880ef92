-- The unfinished updates of one chat, in order: what memory has no room for is read
-- from here. Older programs can use the database.

-- +goose Up
CREATE INDEX inbox_chat ON inbox (chat_id, received_at, position) WHERE finished_at IS NULL;

-- +goose Down
DROP INDEX inbox_chat;
