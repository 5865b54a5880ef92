-- Whether a person is asked for the delivery e-mail of each purchase. Older programs ask.

-- +goose Up
ALTER TABLE users ADD COLUMN keeps_email BIGINT NOT NULL DEFAULT 0; -- 1: the last answer is used

-- +goose Down
ALTER TABLE users DROP COLUMN keeps_email;
