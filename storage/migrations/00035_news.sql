-- The catalogue as it was compared last, and what was new in it since. Older programs
-- compare nothing. Times that end in _clock are on the clock of the comparisons, which no
-- step of the wall clock moves (package news); 0: never.

-- +goose Up
CREATE TABLE catalogue (
    service       BIGINT NOT NULL PRIMARY KEY,
    smm           BIGINT NOT NULL, -- 1: an SMM service
    category      TEXT   NOT NULL, -- in English
    price         TEXT   NOT NULL, -- decimal
    currency      TEXT   NOT NULL,
    in_stock      BIGINT NOT NULL, -- 1: the smallest order can be filled
    gone_clock    BIGINT NOT NULL, -- since when the marketplace does not list it
    restock_clock BIGINT NOT NULL, -- when it was last in the news as a restock
    drop_clock    BIGINT NOT NULL  -- likewise as a price drop
);

CREATE TABLE news (
    id         BIGINT NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL, -- 'restock', 'drop' or 'new'
    service    BIGINT NOT NULL,
    smm        BIGINT NOT NULL,
    name       TEXT   NOT NULL,
    category   TEXT   NOT NULL,
    old_price  TEXT   NOT NULL, -- decimal, of a drop
    price      TEXT   NOT NULL,
    currency   TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    seen_clock BIGINT NOT NULL,
    state      TEXT   NOT NULL, -- 'waiting' for a post, 'posted', or 'closed': neither posted nor edited
    chat_id    BIGINT NOT NULL, -- the channel with the post
    message_id BIGINT NOT NULL,
    place      BIGINT NOT NULL, -- in the post, from 1
    more       BIGINT NOT NULL, -- how many further news the post counts
    struck     BIGINT NOT NULL  -- 1: the post says that it is sold out
);
CREATE INDEX news_kind ON news (kind, at);
CREATE INDEX news_service ON news (service, kind, at);
CREATE INDEX news_open ON news (state, message_id) WHERE state <> 'closed';

-- +goose Down
DROP TABLE news;
DROP TABLE catalogue;
