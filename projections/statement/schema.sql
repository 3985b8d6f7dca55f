CREATE TABLE IF NOT EXISTS lines (
    shard            integer     NOT NULL,
    pos              bigint      NOT NULL,
    account          text        NOT NULL,
    event            text        NOT NULL,
    kind             text        NOT NULL,
    amount           bigint      NOT NULL,
    returned         bigint      NOT NULL,
    waived           bigint      NOT NULL,
    available_before bigint      NOT NULL,
    available_after  bigint      NOT NULL,
    reserved_before  bigint      NOT NULL,
    reserved_after   bigint      NOT NULL,
    generation       text        NOT NULL, -- empty if none
    grant_id         text        NOT NULL, -- empty if not of one grant
    cause            text        NOT NULL,
    at               timestamptz NOT NULL,
    postings         jsonb       NOT NULL,
    PRIMARY KEY (shard, pos)
);
CREATE INDEX IF NOT EXISTS lines_account ON lines (account, pos DESC);
CREATE INDEX IF NOT EXISTS lines_generation ON lines (account, generation, pos DESC) WHERE generation <> '';

CREATE TABLE IF NOT EXISTS totals (
    shard     integer NOT NULL,
    account   text    NOT NULL PRIMARY KEY,
    available bigint  NOT NULL,
    reserved  bigint  NOT NULL CHECK (reserved >= 0)
);
