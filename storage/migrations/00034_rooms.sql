-- The group and the channel that an admin chose. In the room, the group, each purchase has
-- a line that is edited on, and what admins are told is posted there: until it is posted,
-- the message waits in room_messages, and goes to the admins where the room is lost.

-- +goose Up
CREATE TABLE rooms (
    kind         TEXT   NOT NULL PRIMARY KEY, -- 'room' or 'channel'
    id           BIGINT NOT NULL, -- of this choice; another chat has another one
    chat_id      BIGINT NOT NULL, -- Telegram's
    title_sealed TEXT   NOT NULL, -- of the chat
    alerts_topic BIGINT NOT NULL, -- Telegram's ids of the topics; 0 = the chat as it is
    orders_topic BIGINT NOT NULL,
    daily_topic  BIGINT NOT NULL,
    bound_by     BIGINT NOT NULL,
    bound_at     BIGINT NOT NULL,
    fault        TEXT   NOT NULL, -- why the chat can't be reached, '' if it can
    daily_hour   BIGINT NOT NULL, -- of the daily figures, in TIME_ZONE; -1 = none
    daily_day    TEXT   NOT NULL, -- on which the last ones were due, like 2026-11-29
    sent_until   BIGINT NOT NULL  -- purchases sent until then have lines
);
CREATE UNIQUE INDEX rooms_chat ON rooms (chat_id);

CREATE TABLE room_lines (
    purchase_id BIGINT NOT NULL PRIMARY KEY,
    room_id     BIGINT NOT NULL,
    message_id  BIGINT NOT NULL, -- Telegram's; 0: not posted
    shown       TEXT   NOT NULL, -- a digest of what the message shows, '' for none
    finished_at BIGINT NOT NULL  -- 0: the line may change
);
CREATE INDEX room_lines_finished ON room_lines (finished_at);

CREATE TABLE room_messages (
    id          BIGINT NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL, -- as in outbox
    priority    BIGINT NOT NULL,
    body_sealed TEXT   NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE INDEX purchases_sent ON purchases (sent_at) WHERE sent_at > 0;

-- +goose Down
DROP INDEX purchases_sent;
DROP TABLE room_messages;
DROP TABLE room_lines;
DROP TABLE rooms;
