-- What the later events of a generation do not say.
CREATE TABLE IF NOT EXISTS origins (
    shard      integer NOT NULL,
    generation text    NOT NULL PRIMARY KEY,
    account    text    NOT NULL,
    model      text    NOT NULL,
    tier       text    NOT NULL,
    key        text    NOT NULL -- the API key that asked, or empty
);

CREATE TABLE IF NOT EXISTS days (
    shard       integer NOT NULL,
    account     text    NOT NULL,
    day         date    NOT NULL,
    model       text    NOT NULL,
    tier        text    NOT NULL,
    key         text    NOT NULL, -- the API key that asked, or empty
    generations bigint  NOT NULL, -- ended
    succeeded   bigint  NOT NULL,
    images      bigint  NOT NULL,
    credits     bigint  NOT NULL, -- settled
    gpu_ms      bigint  NOT NULL,
    PRIMARY KEY (account, day, model, tier, key)
);
