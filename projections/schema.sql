-- What the runner knows of the views. The copies of a view each have a schema of their own. This file also brings what
-- an older program has made to this layout: that program goes on to work with it.
CREATE SCHEMA IF NOT EXISTS projections;

-- One row for each copy of a view.
CREATE TABLE IF NOT EXISTS projections.views (
    projection  text    NOT NULL,
    version     integer NOT NULL,
    schema_hash text    NOT NULL, -- of the DDL, which must not change within a version
    sink_id     text    NOT NULL, -- empty for views without a sink
    PRIMARY KEY (projection, version)
);
ALTER TABLE projections.views
    ADD COLUMN IF NOT EXISTS build      integer     NOT NULL DEFAULT 1,
    ADD COLUMN IF NOT EXISTS state      text        NOT NULL DEFAULT 'live'
        CHECK (state IN ('building', 'live', 'retired')),
    ADD COLUMN IF NOT EXISTS started_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS live_at    timestamptz,
    ADD COLUMN IF NOT EXISTS retired_at timestamptz,
    ADD COLUMN IF NOT EXISTS used_at    timestamptz NOT NULL DEFAULT now(); -- by a process that knows this version
ALTER TABLE projections.views DROP CONSTRAINT IF EXISTS views_pkey;
ALTER TABLE projections.views ADD PRIMARY KEY (projection, version, build);
-- Readers of a version look at its live copy.
CREATE UNIQUE INDEX IF NOT EXISTS views_live ON projections.views (projection, version) WHERE state = 'live';

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
ALTER TABLE projections.checkpoints ADD COLUMN IF NOT EXISTS build integer NOT NULL DEFAULT 1;
ALTER TABLE projections.checkpoints DROP CONSTRAINT IF EXISTS checkpoints_pkey;
ALTER TABLE projections.checkpoints ADD PRIMARY KEY (projection, version, build, shard);

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
ALTER TABLE projections.dead_letters ADD COLUMN IF NOT EXISTS build integer NOT NULL DEFAULT 1;
ALTER TABLE projections.dead_letters DROP CONSTRAINT IF EXISTS dead_letters_pkey;
ALTER TABLE projections.dead_letters ADD PRIMARY KEY (projection, version, build, shard, pos);

-- What a view's rows were at a position.
CREATE TABLE IF NOT EXISTS projections.digests (
    projection   text        NOT NULL,
    version      integer     NOT NULL,
    shard        integer     NOT NULL,
    pos          bigint      NOT NULL,
    digest       bytea       NOT NULL CHECK (octet_length(digest) = 32),
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, version, shard)
);

GRANT USAGE ON SCHEMA projections TO pingvas_app, pingvas_reader, pingvas_operator, pingvas_projector;
GRANT SELECT ON ALL TABLES IN SCHEMA projections TO pingvas_app, pingvas_reader, pingvas_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA projections TO pingvas_projector;
