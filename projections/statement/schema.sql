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


-- Lines are booked in the order of the record. A line whose time lies before that of an earlier one, because clocks
-- differ or something expired long ago, is booked in the month that the earlier one has reached: so a month begins with
-- what the one before has ended with.
CREATE TABLE IF NOT EXISTS months (
    shard            integer NOT NULL,
    account          text    NOT NULL,
    month            date    NOT NULL, -- its first day, UTC
    first_pos        bigint  NOT NULL, -- of its lines
    last_pos         bigint  NOT NULL,
    available_before bigint  NOT NULL,
    available_after  bigint  NOT NULL,
    reserved_before  bigint  NOT NULL,
    reserved_after   bigint  NOT NULL,
    PRIMARY KEY (account, month)
);

CREATE TABLE IF NOT EXISTS month_kinds (
    shard    integer NOT NULL,
    account  text    NOT NULL,
    month    date    NOT NULL,
    kind     text    NOT NULL,
    lines    bigint  NOT NULL,
    amount   bigint  NOT NULL,
    returned bigint  NOT NULL,
    waived   bigint  NOT NULL,
    PRIMARY KEY (account, month, kind)
);

CREATE TABLE IF NOT EXISTS totals (
    shard     integer NOT NULL,
    account   text    NOT NULL PRIMARY KEY,
    available bigint  NOT NULL,
    reserved  bigint  NOT NULL CHECK (reserved >= 0),
    month     date    NOT NULL -- of the last line
);
