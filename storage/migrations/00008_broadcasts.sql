-- Messages to everybody: what admins write, how far it has come, and whom it is
-- just being sent to.

-- +goose Up
CREATE TABLE broadcasts (
    id              BIGINT NOT NULL PRIMARY KEY,
    author_id       BIGINT NOT NULL, -- Telegram's, of an admin
    state           TEXT   NOT NULL CHECK (state IN ('draft', 'waiting', 'sending', 'done', 'stopped')),
    revision        BIGINT NOT NULL, -- counts the changes of a draft: what was previewed is what is sent
    total           BIGINT NOT NULL, -- people, when it was confirmed
    sent            BIGINT NOT NULL,
    unreachable     BIGINT NOT NULL, -- have blocked the bot
    failed          BIGINT NOT NULL, -- surely did not get it
    unsure          BIGINT NOT NULL, -- may have got it
    cursor_id       BIGINT NOT NULL, -- the last person who was looked at
    chat_id         BIGINT NOT NULL, -- where the message stands that shows how far it is
    message_id      BIGINT NOT NULL,
    stopped_by      BIGINT NOT NULL, -- the admin who stopped it; 0: it ended with its author's rights
    reported        BIGINT NOT NULL, -- that message shows the end
    lease_owner     TEXT   NOT NULL,
    lease_until     BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    confirmed_at    BIGINT NOT NULL,
    started_at      BIGINT NOT NULL,
    ended_at        BIGINT NOT NULL
);
-- An admin writes one at a time, and one at a time is sent.
CREATE UNIQUE INDEX broadcasts_draft ON broadcasts (author_id) WHERE state = 'draft';
CREATE UNIQUE INDEX broadcasts_sending ON broadcasts (state) WHERE state = 'sending';
CREATE INDEX broadcasts_confirmed ON broadcasts (confirmed_at);

CREATE TABLE broadcast_texts (
    broadcast_id    BIGINT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE,
    lang            TEXT   NOT NULL, -- of whoever reads it, '' for all who have none of their own
    body            TEXT   NOT NULL,
    PRIMARY KEY (broadcast_id, lang)
);

-- Those in hand only: a row goes when it is known what became of it.
CREATE TABLE broadcast_recipients (
    broadcast_id    BIGINT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE,
    user_id         BIGINT NOT NULL,
    lang            TEXT   NOT NULL, -- of the text that they get
    state           TEXT   NOT NULL CHECK (state IN ('sending', 'waiting')),
    tries           BIGINT NOT NULL, -- that failed
    next_try_at     BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, user_id)
);
CREATE INDEX broadcast_recipients_user ON broadcast_recipients (user_id);

-- +goose Down
DROP TABLE broadcast_recipients;
DROP TABLE broadcast_texts;
DROP TABLE broadcasts;
