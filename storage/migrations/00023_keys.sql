-- The ids of the keys that each process opens values with. It seals with the first.

-- +goose Up
ALTER TABLE replicas ADD COLUMN keys TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE replicas DROP COLUMN keys;
