-- Folded streams, so that long ones need not be read whole. A cache: it may be emptied at any time.

-- +goose Up

CREATE TABLE ledger.snapshots (
    shard   smallint NOT NULL,
    stream  text COLLATE "C" NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    format  integer NOT NULL,
    state   json NOT NULL,
    PRIMARY KEY (shard, stream)
);
