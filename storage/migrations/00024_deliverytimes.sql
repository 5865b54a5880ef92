-- How long the first account or code of an order took. An order that is gone takes its row
-- along; that of a forgotten person loses it.

-- +goose Up
CREATE TABLE delivery_times (
    order_id BIGINT NOT NULL PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    subject  TEXT   NOT NULL, -- what was ordered: product/<service>, or sms/<country>/<project>
    millis   BIGINT NOT NULL, -- until the first account or code, or until the end without one
    arrived  BIGINT NOT NULL, -- 0: none came
    at       BIGINT NOT NULL  -- when the outcome was seen
);
CREATE INDEX delivery_times_subject ON delivery_times (subject, at);
CREATE INDEX delivery_times_old ON delivery_times (at);

-- +goose Down
DROP TABLE delivery_times;
