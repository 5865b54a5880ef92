-- What is wrong at the moment, or has just ended, and whether admins were told.

-- +goose Up
CREATE TABLE alarms (
    name            TEXT   NOT NULL, -- a word of the alarms package
    subject         BIGINT NOT NULL, -- the purchase that it is about, 0 for none
    detail          TEXT   NOT NULL, -- figures, of that package's own making
    since           BIGINT NOT NULL,
    told            BIGINT NOT NULL, -- that it has begun
    over_at         BIGINT NOT NULL, -- 0 while it lasts
    PRIMARY KEY (name, subject)
);
-- Looked at every few seconds.
CREATE INDEX inbox_parked ON inbox (finished_at) WHERE state = 'parked';

-- +goose Down
DROP INDEX inbox_parked;
DROP TABLE alarms;
