-- Tables, columns, indexes and states take the names that the program uses for
-- them. Sealed values are bound to the table and column names of their time
-- (associated data): no value is sealed again.

-- +goose Up
-- The lowest schema version that a program must know to use this database. A
-- migration that older programs can't work with raises it to its own number.
INSERT INTO settings (name, value) VALUES ('schema_min', '10')
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
UPDATE settings SET name = 'watch_round' WHERE name = 'alerts_round';
UPDATE settings SET name = 'monitor_notified_at' WHERE name = 'alarms_told_at';

ALTER TABLE api_keys RENAME COLUMN print TO fingerprint;

ALTER TABLE purchases RENAME COLUMN key_print TO key_fingerprint;
DROP INDEX purchases_checks;
DROP INDEX purchases_drafts;
UPDATE purchases SET state = 'outcome_unknown' WHERE state = 'unknown';
UPDATE purchases SET state = 'superseded' WHERE state = 'retired';
CREATE INDEX purchases_checks ON purchases (next_check_at) WHERE state = 'outcome_unknown';
CREATE INDEX purchases_drafts ON purchases (expires_at) WHERE state IN ('draft', 'superseded');

ALTER TABLE orders RENAME COLUMN key_print TO key_fingerprint;
ALTER TABLE orders RENAME COLUMN number TO external_id; -- the marketplace's
ALTER TABLE orders RENAME COLUMN word TO raw_status; -- the marketplace's
ALTER TABLE orders RENAME COLUMN elsewhere TO external; -- imported, not bought through the bot
ALTER TABLE orders RENAME COLUMN asked_at TO last_poll_at; -- answered or not
ALTER TABLE orders RENAME COLUMN told_at TO notified_at; -- the last message about the order that arrived
DROP INDEX orders_number;
CREATE INDEX orders_external_id ON orders (external_id);
DROP INDEX orders_elsewhere;
CREATE UNIQUE INDEX orders_external ON orders (user_id, kind, external_id) WHERE external = 1;

ALTER TABLE outbox RENAME COLUMN class TO priority;
DROP INDEX outbox_due;
DROP INDEX outbox_done;
UPDATE outbox SET state = 'pending' WHERE state = 'waiting';
UPDATE outbox SET state = 'rejected' WHERE state = 'unsendable';
CREATE INDEX outbox_due ON outbox (next_try_at) WHERE state = 'pending';
CREATE INDEX outbox_done ON outbox (created_at) WHERE state <> 'pending';

ALTER TABLE favourites RENAME TO saved_items;
ALTER TABLE alerts RENAME TO watches;
DROP INDEX alerts_service;
CREATE INDEX watches_service ON watches (service);

ALTER TABLE admin_log RENAME TO audit_log;
ALTER TABLE audit_log RENAME COLUMN deed TO action;
DROP INDEX admin_log_at;
CREATE INDEX audit_log_at ON audit_log (at);

ALTER TABLE alarms RENAME TO monitor_alerts;
ALTER TABLE monitor_alerts RENAME COLUMN told TO notified;
ALTER TABLE monitor_alerts RENAME COLUMN over_at TO ended_at;

ALTER TABLE broadcasts RENAME COLUMN unsure TO uncertain;
CREATE TABLE broadcast_recipients_new (
    broadcast_id    BIGINT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE,
    user_id         BIGINT NOT NULL,
    lang            TEXT   NOT NULL, -- of the text that is sent
    state           TEXT   NOT NULL CHECK (state IN ('sending', 'pending')),
    tries           BIGINT NOT NULL, -- that failed
    next_try_at     BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, user_id)
);
INSERT INTO broadcast_recipients_new (broadcast_id, user_id, lang, state, tries, next_try_at)
    SELECT broadcast_id, user_id, lang, CASE state WHEN 'waiting' THEN 'pending' ELSE state END, tries, next_try_at FROM broadcast_recipients;
DROP TABLE broadcast_recipients;
ALTER TABLE broadcast_recipients_new RENAME TO broadcast_recipients;
CREATE INDEX broadcast_recipients_user ON broadcast_recipients (user_id);

CREATE TABLE inbox_new (
    update_id      BIGINT  NOT NULL PRIMARY KEY, -- Telegram's; not monotonic for ever
    chat_id        BIGINT  NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('received', 'done', 'dead_lettered')),
    attempts       INTEGER NOT NULL,
    payload_sealed TEXT    NOT NULL, -- '' once done
    received_at    BIGINT  NOT NULL,
    position       INTEGER NOT NULL, -- within the batch it came in
    finished_at    BIGINT            -- when it was done or dead-lettered
);
INSERT INTO inbox_new (update_id, chat_id, state, attempts, payload_sealed, received_at, position, finished_at)
    SELECT update_id, chat_id, CASE state WHEN 'parked' THEN 'dead_lettered' ELSE state END, attempts, payload_sealed, received_at, position, finished_at FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_new RENAME TO inbox;
CREATE INDEX inbox_unfinished ON inbox (received_at, position) WHERE finished_at IS NULL;
CREATE INDEX inbox_finished ON inbox (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX inbox_dead_lettered ON inbox (finished_at) WHERE state = 'dead_lettered';

-- +goose Down
CREATE TABLE inbox_old (
    update_id      BIGINT  NOT NULL PRIMARY KEY,
    chat_id        BIGINT  NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('received', 'done', 'parked')),
    attempts       INTEGER NOT NULL,
    payload_sealed TEXT    NOT NULL,
    received_at    BIGINT  NOT NULL,
    position       INTEGER NOT NULL,
    finished_at    BIGINT
);
INSERT INTO inbox_old (update_id, chat_id, state, attempts, payload_sealed, received_at, position, finished_at)
    SELECT update_id, chat_id, CASE state WHEN 'dead_lettered' THEN 'parked' ELSE state END, attempts, payload_sealed, received_at, position, finished_at FROM inbox;
DROP TABLE inbox;
ALTER TABLE inbox_old RENAME TO inbox;
CREATE INDEX inbox_unfinished ON inbox (received_at, position) WHERE finished_at IS NULL;
CREATE INDEX inbox_finished ON inbox (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX inbox_parked ON inbox (finished_at) WHERE state = 'parked';

CREATE TABLE broadcast_recipients_old (
    broadcast_id    BIGINT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE,
    user_id         BIGINT NOT NULL,
    lang            TEXT   NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('sending', 'waiting')),
    tries           BIGINT NOT NULL,
    next_try_at     BIGINT NOT NULL,
    PRIMARY KEY (broadcast_id, user_id)
);
INSERT INTO broadcast_recipients_old (broadcast_id, user_id, lang, state, tries, next_try_at)
    SELECT broadcast_id, user_id, lang, CASE state WHEN 'pending' THEN 'waiting' ELSE state END, tries, next_try_at FROM broadcast_recipients;
DROP TABLE broadcast_recipients;
ALTER TABLE broadcast_recipients_old RENAME TO broadcast_recipients;
CREATE INDEX broadcast_recipients_user ON broadcast_recipients (user_id);
ALTER TABLE broadcasts RENAME COLUMN uncertain TO unsure;

ALTER TABLE monitor_alerts RENAME COLUMN ended_at TO over_at;
ALTER TABLE monitor_alerts RENAME COLUMN notified TO told;
ALTER TABLE monitor_alerts RENAME TO alarms;

DROP INDEX audit_log_at;
ALTER TABLE audit_log RENAME COLUMN action TO deed;
ALTER TABLE audit_log RENAME TO admin_log;
CREATE INDEX admin_log_at ON admin_log (at);

DROP INDEX watches_service;
ALTER TABLE watches RENAME TO alerts;
ALTER TABLE saved_items RENAME TO favourites;
CREATE INDEX alerts_service ON alerts (service);

DROP INDEX outbox_done;
DROP INDEX outbox_due;
UPDATE outbox SET state = 'unsendable' WHERE state = 'rejected';
UPDATE outbox SET state = 'waiting' WHERE state = 'pending';
CREATE INDEX outbox_due ON outbox (next_try_at) WHERE state = 'waiting';
CREATE INDEX outbox_done ON outbox (created_at) WHERE state <> 'waiting';
ALTER TABLE outbox RENAME COLUMN priority TO class;

DROP INDEX orders_external;
DROP INDEX orders_external_id;
ALTER TABLE orders RENAME COLUMN notified_at TO told_at;
ALTER TABLE orders RENAME COLUMN last_poll_at TO asked_at;
ALTER TABLE orders RENAME COLUMN external TO elsewhere;
ALTER TABLE orders RENAME COLUMN raw_status TO word;
ALTER TABLE orders RENAME COLUMN external_id TO number;
ALTER TABLE orders RENAME COLUMN key_fingerprint TO key_print;
CREATE INDEX orders_number ON orders (number);
CREATE UNIQUE INDEX orders_elsewhere ON orders (user_id, kind, number) WHERE elsewhere = 1;

DROP INDEX purchases_drafts;
DROP INDEX purchases_checks;
UPDATE purchases SET state = 'retired' WHERE state = 'superseded';
UPDATE purchases SET state = 'unknown' WHERE state = 'outcome_unknown';
CREATE INDEX purchases_checks ON purchases (next_check_at) WHERE state = 'unknown';
CREATE INDEX purchases_drafts ON purchases (expires_at) WHERE state IN ('draft', 'retired');
ALTER TABLE purchases RENAME COLUMN key_fingerprint TO key_print;

ALTER TABLE api_keys RENAME COLUMN fingerprint TO print;

UPDATE settings SET name = 'alarms_told_at' WHERE name = 'monitor_notified_at';
UPDATE settings SET name = 'alerts_round' WHERE name = 'watch_round';
DELETE FROM settings WHERE name = 'schema_min';
