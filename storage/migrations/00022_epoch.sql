-- How often the database was replaced by one that may lack its last commits (setting
-- "epoch") when a purchase was drawn.

-- +goose Up
ALTER TABLE purchases ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE purchases DROP COLUMN epoch;
