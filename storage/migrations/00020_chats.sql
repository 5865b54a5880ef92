-- The chats that have unfinished updates, each with the replica that handles them. A chat
-- whose owner is no replica is adopted.

-- +goose Up
CREATE TABLE chats (
    chat_id BIGINT NOT NULL PRIMARY KEY,
    owner   TEXT   NOT NULL
);
INSERT INTO chats (chat_id, owner) SELECT DISTINCT chat_id, '' FROM inbox WHERE finished_at IS NULL;
CREATE INDEX inbox_of_chat ON inbox (chat_id, update_id) WHERE finished_at IS NULL;
DROP INDEX inbox_chat;

-- +goose Down
CREATE INDEX inbox_chat ON inbox (chat_id, received_at, position) WHERE finished_at IS NULL;
DROP INDEX inbox_of_chat;
DROP TABLE chats;
