-- The purchases of unknown outcome and those with the operator's key, for the list of
-- purchases without an outcome that admins see. It read all purchases before. The columns
-- of equal values are there because SQLite uses an index in OR only by a column.

-- +goose Up
CREATE INDEX purchases_unknown ON purchases (state) WHERE state = 'outcome_unknown';
CREATE INDEX purchases_house ON purchases (house, sent_at) WHERE house = 1;

-- +goose Down
DROP INDEX purchases_house;
DROP INDEX purchases_unknown;
