CREATE TABLE IF NOT EXISTS jobs (
    shard          integer     NOT NULL,
    generation     text        NOT NULL PRIMARY KEY,
    account        text        NOT NULL,
    status         text        NOT NULL,
    version        bigint      NOT NULL, -- of the generation's stream
    pos            bigint      NOT NULL, -- of the newest event of that stream
    attempt        integer     NOT NULL,
    cause          text        NOT NULL DEFAULT '',
    worker         text        NOT NULL DEFAULT '',
    lease_until    timestamptz,
    model          text        NOT NULL,
    spec           jsonb       NOT NULL,
    pool           text        NOT NULL,
    tier           text        NOT NULL,
    estimate_ms    bigint      NOT NULL,
    reservation    text        NOT NULL,
    quote          text        NOT NULL,
    price_book     text        NOT NULL,
    policy         text        NOT NULL,
    engine         text        NOT NULL DEFAULT '',
    engine_version text        NOT NULL DEFAULT '',
    gpu_ms         bigint      NOT NULL DEFAULT 0,
    images         integer     NOT NULL DEFAULT 0, -- delivered
    created_at     timestamptz NOT NULL,
    started_at     timestamptz,
    ended_at       timestamptz,
    deadline       timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_account ON jobs (account, created_at DESC, generation DESC);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (generation) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS jobs_queue ON jobs (pool, tier, created_at, generation) WHERE status = 'queued';
CREATE INDEX IF NOT EXISTS jobs_deadline ON jobs (deadline) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS jobs_lease ON jobs (lease_until) WHERE status = 'running';

-- What the account's stream says of a generation; it may come before or after the generation's own.
CREATE TABLE IF NOT EXISTS settlements (
    shard      integer NOT NULL,
    generation text    NOT NULL PRIMARY KEY,
    account    text    NOT NULL,
    pos        bigint  NOT NULL, -- of the newest event
    quoted     bigint  NOT NULL,
    reserved   bigint  NOT NULL,
    settled    bigint  NOT NULL,
    released   bigint  NOT NULL,
    waived     bigint  NOT NULL,
    CHECK (quoted = reserved + settled + released)
);

CREATE TABLE IF NOT EXISTS postings (
    shard      integer     NOT NULL,
    pos        bigint      NOT NULL,
    n          integer     NOT NULL,
    account    text        NOT NULL,
    generation text        NOT NULL,
    event      text        NOT NULL,
    book       text        NOT NULL,
    grant_id   text        NOT NULL,
    amount     bigint      NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (shard, pos, n)
);
CREATE INDEX IF NOT EXISTS postings_generation ON postings (generation, pos, n);
