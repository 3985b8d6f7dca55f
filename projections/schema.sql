-- What the runner knows of the views. The views themselves each have a schema of their own.
CREATE SCHEMA IF NOT EXISTS projections;

CREATE TABLE IF NOT EXISTS projections.views (
    projection  text    NOT NULL,
    version     integer NOT NULL,
    schema_hash text    NOT NULL, -- of the DDL, which must not change within a version
    sink_id     text    NOT NULL, -- empty for views without a sink
    PRIMARY KEY (projection, version)
);

CREATE TABLE IF NOT EXISTS projections.checkpoints (
    projection    text    NOT NULL,
    version       integer NOT NULL,
    shard         integer NOT NULL,
    pos           bigint  NOT NULL CHECK (pos >= 0),
    stopped_since timestamptz,           -- of a shard that stands still before an event it cannot apply
    failure       text,
    failures      integer NOT NULL DEFAULT 0,
    PRIMARY KEY (projection, version, shard)
);

CREATE TABLE IF NOT EXISTS projections.dead_letters (
    projection text        NOT NULL,
    version    integer     NOT NULL,
    shard      integer     NOT NULL,
    pos        bigint      NOT NULL,
    type       text        NOT NULL,
    failure    text        NOT NULL,
    parked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, version, shard, pos)
);
