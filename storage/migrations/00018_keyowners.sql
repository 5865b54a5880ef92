-- API keys are sealed for their owners. The program seals them anew when it next opens
-- the database (sealKeysForOwners). Older programs can't open them.

-- +goose Up
UPDATE settings SET value = '18' WHERE name = 'schema_min';
INSERT INTO settings (name, value) VALUES ('keys_without_owner', '1');

-- +goose Down
-- Keys that were sealed anew can't be opened by the older program: people enter them again.
DELETE FROM settings WHERE name = 'keys_without_owner';
UPDATE settings SET value = '16' WHERE name = 'schema_min';
