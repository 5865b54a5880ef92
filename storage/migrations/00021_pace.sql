-- The rates that all copies of the program keep to together. Times are in microseconds of
-- the database server's clock. Only PostgreSQL has rows here.

-- +goose Up
CREATE TABLE pace (
    name       TEXT   PRIMARY KEY,
    full_at    BIGINT NOT NULL,
    held_until BIGINT NOT NULL
);

-- +goose Down
DROP TABLE pace;
