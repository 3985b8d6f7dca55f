-- The generations that have not ended without pictures.
CREATE TABLE IF NOT EXISTS requests (
    shard          integer NOT NULL,
    generation     text    NOT NULL PRIMARY KEY,
    account        text    NOT NULL,
    spec           jsonb   NOT NULL,
    tags           text[]  NOT NULL, -- the first ones of every image
    folded_tags    text[]  NOT NULL, -- in lower case
    engine         text    NOT NULL DEFAULT '',
    engine_version text    NOT NULL DEFAULT '',
    images         integer NOT NULL DEFAULT 0, -- delivered
    settled        bigint                      -- NULL until it is known
);

CREATE TABLE IF NOT EXISTS images (
    shard         integer     NOT NULL,
    image         text        NOT NULL PRIMARY KEY,
    account       text        NOT NULL,
    generation    text        NOT NULL,
    n             integer     NOT NULL, -- order within the generation, from 0
    model         text        NOT NULL,
    key           text        NOT NULL,
    thumbnail_key text        NOT NULL,
    content_type  text        NOT NULL,
    bytes         bigint      NOT NULL,
    sha256        text        NOT NULL,
    width         integer     NOT NULL,
    height        integer     NOT NULL,
    seed          bigint      NOT NULL,
    tags          text[]      NOT NULL,
    folded_tags   text[]      NOT NULL, -- in lower case
    favourite     boolean     NOT NULL DEFAULT false,
    rating        smallint    NOT NULL DEFAULT 0, -- 0 is none
    boards        text[]      NOT NULL DEFAULT '{}', -- sorted, each of them exists
    version       bigint      NOT NULL DEFAULT 0, -- of the image's stream
    created_at    timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS images_account ON images (account, created_at DESC, image DESC);
CREATE INDEX IF NOT EXISTS images_rating ON images (account, rating DESC, created_at DESC, image DESC);
CREATE INDEX IF NOT EXISTS images_generation ON images (generation, n);

CREATE TABLE IF NOT EXISTS boards (
    shard      integer     NOT NULL,
    board      text        NOT NULL PRIMARY KEY,
    account    text        NOT NULL,
    name       text        NOT NULL,
    images     bigint      NOT NULL DEFAULT 0 CHECK (images >= 0), -- on the board
    created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS boards_account ON boards (account);

-- What images.boards says, the other way round.
CREATE TABLE IF NOT EXISTS filings (
    shard      integer     NOT NULL,
    board      text        NOT NULL,
    image      text        NOT NULL,
    account    text        NOT NULL,
    created_at timestamptz NOT NULL, -- the image
    PRIMARY KEY (board, image)
);
CREATE INDEX IF NOT EXISTS filings_board ON filings (board, created_at DESC, image DESC);
CREATE INDEX IF NOT EXISTS filings_image ON filings (image);

CREATE TABLE IF NOT EXISTS searches (
    shard      integer     NOT NULL,
    search     text        NOT NULL PRIMARY KEY,
    account    text        NOT NULL,
    name       text        NOT NULL,
    query      text        NOT NULL, -- JSON
    created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS searches_account ON searches (account);
