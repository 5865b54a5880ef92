-- Countries in which a person keeps renting numbers for a project. They end with the person.

-- +goose Up
CREATE TABLE saved_numbers (
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project    TEXT   NOT NULL, -- the marketplace's id
    country    TEXT   NOT NULL, -- the marketplace's code
    name       TEXT   NOT NULL, -- of the project when it was saved
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, project, country)
);

-- +goose Down
DROP TABLE saved_numbers;
