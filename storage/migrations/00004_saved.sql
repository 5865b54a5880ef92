-- What people have saved, and what they want to be told of. Both end with the
-- person. A service is the marketplace's number; smm says that it must be asked
-- for among the SMM services.

-- +goose Up
CREATE TABLE favourites (
    user_id         BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    service         BIGINT NOT NULL,
    smm             BIGINT NOT NULL,
    name            TEXT   NOT NULL, -- when it was saved: for when it is gone
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (user_id, service)
);

CREATE TABLE alerts (
    id              BIGINT NOT NULL PRIMARY KEY,
    user_id         BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    service         BIGINT NOT NULL,
    smm             BIGINT NOT NULL,
    name            TEXT   NOT NULL,
    kind            TEXT   NOT NULL CHECK (kind IN ('restock', 'price')),
    price           TEXT   NOT NULL, -- to be told at, or under; '' of a restock
    currency        TEXT   NOT NULL, -- that the price was named in
    armed           BIGINT NOT NULL, -- 0: it was told, and waits to be sold out again
    changed_at      BIGINT NOT NULL,
    UNIQUE (user_id, service, kind)
);
CREATE INDEX alerts_service ON alerts (service);

-- +goose Down
DROP TABLE alerts;
DROP TABLE favourites;
