-- +goose NO TRANSACTION
-- What was deleted before secure_delete was on is removed from the file.

-- +goose Up
VACUUM;

-- +goose Down
SELECT 1;
