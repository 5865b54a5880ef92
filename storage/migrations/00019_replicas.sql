-- The copies of the program that run, and which of them does what only one may do.

-- +goose Up
CREATE TABLE replicas (
    id         TEXT   PRIMARY KEY,
    version    TEXT   NOT NULL,
    settings   TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    until      BIGINT NOT NULL
);
CREATE TABLE leases (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL
);

-- +goose Down
DROP TABLE leases;
DROP TABLE replicas;
