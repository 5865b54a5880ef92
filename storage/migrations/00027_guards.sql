-- What recognizes an earlier purchase on the same link, and how the link does not suit the
-- service.

-- +goose Up
ALTER TABLE purchases ADD COLUMN link_digest TEXT NOT NULL DEFAULT ''; -- keyed; '' of purchases without a link, and of older ones
ALTER TABLE purchases ADD COLUMN link_misfit TEXT NOT NULL DEFAULT '';
CREATE INDEX purchases_links ON purchases (user_id, link_digest, sent_at);

-- +goose Down
DROP INDEX purchases_links;
ALTER TABLE purchases DROP COLUMN link_misfit;
ALTER TABLE purchases DROP COLUMN link_digest;
