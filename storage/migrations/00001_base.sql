-- Ids are made by the program or by Telegram; times are unix milliseconds, 0
-- for none; truth is 0 or 1; *_sealed columns hold "v1.<key id>.<base64url>" or ''.
-- Only SQL that SQLite and PostgreSQL both read.

-- +goose Up
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE users (
    id            BIGINT  NOT NULL PRIMARY KEY, -- Telegram's
    name          TEXT    NOT NULL,
    telegram_lang TEXT    NOT NULL,
    lang          TEXT    NOT NULL, -- chosen by hand, '' if none was
    unreachable   BIGINT NOT NULL,
    created_at    BIGINT  NOT NULL,
    seen_at       BIGINT  NOT NULL
);

CREATE TABLE api_keys (
    id            BIGINT  NOT NULL PRIMARY KEY,
    user_id       BIGINT  NOT NULL REFERENCES users (id),
    secret_sealed TEXT    NOT NULL, -- '' once dropped
    print         TEXT    NOT NULL, -- keyed digest of the secret
    state         TEXT    NOT NULL CHECK (state IN ('active', 'replaced', 'removed')),
    invalid       BIGINT NOT NULL,
    created_at    BIGINT  NOT NULL,
    UNIQUE (user_id, print)
);

CREATE UNIQUE INDEX api_keys_active ON api_keys (user_id) WHERE state = 'active';

CREATE TABLE dialogs (
    user_id     BIGINT NOT NULL PRIMARY KEY,
    step        TEXT   NOT NULL,
    data_sealed TEXT   NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE TABLE inbox (
    update_id      BIGINT  NOT NULL PRIMARY KEY, -- Telegram's; not monotonic for ever
    chat_id        BIGINT  NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('received', 'done', 'parked')),
    attempts       INTEGER NOT NULL,
    payload_sealed TEXT    NOT NULL, -- '' once done
    received_at    BIGINT  NOT NULL,
    position       INTEGER NOT NULL, -- within the batch it came in
    finished_at    BIGINT            -- when it was done or parked
);

CREATE INDEX inbox_unfinished ON inbox (received_at, position) WHERE finished_at IS NULL;
CREATE INDEX inbox_finished ON inbox (finished_at) WHERE finished_at IS NOT NULL;
