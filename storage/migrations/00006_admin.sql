-- Whom admins have blocked, who can be written to, and what admins have done.

-- +goose Up
ALTER TABLE users ADD COLUMN blocked BIGINT NOT NULL DEFAULT 0; -- by an admin: gets no answer, but what they bought
-- Somebody who was only seen elsewhere (inline mode, a group) can't be written to.
ALTER TABLE users ADD COLUMN private_chat BIGINT NOT NULL DEFAULT 1;
CREATE INDEX users_seen ON users (seen_at);

CREATE TABLE admin_log (
    id              BIGINT NOT NULL PRIMARY KEY,
    admin_id        BIGINT NOT NULL, -- Telegram's
    deed            TEXT   NOT NULL, -- a word of the handlers package
    subject         BIGINT NOT NULL, -- the person or the broadcast that it was done to, 0 for none
    detail          TEXT   NOT NULL, -- what was set, never a secret
    at              BIGINT NOT NULL
);
CREATE INDEX admin_log_at ON admin_log (at);

-- +goose Down
DROP TABLE admin_log;
DROP INDEX users_seen;
ALTER TABLE users DROP COLUMN private_chat;
ALTER TABLE users DROP COLUMN blocked;
