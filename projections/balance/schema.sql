CREATE TABLE IF NOT EXISTS accounts (
    shard       integer     NOT NULL,
    account     text        NOT NULL PRIMARY KEY,
    version     bigint      NOT NULL, -- of the account's stream
    name        text        NOT NULL,
    plan        text        NOT NULL,
    tier        text        NOT NULL,
    slots       integer     NOT NULL,
    credit_line bigint      NOT NULL,
    opened_at   timestamptz NOT NULL
);

-- The credit line as it was.
CREATE TABLE IF NOT EXISTS credit_lines (
    shard       integer     NOT NULL,
    account     text        NOT NULL,
    pos         bigint      NOT NULL,
    at          timestamptz NOT NULL,
    credit_line bigint      NOT NULL,
    PRIMARY KEY (account, pos)
);

CREATE TABLE IF NOT EXISTS grants (
    shard        integer     NOT NULL,
    account      text        NOT NULL,
    grant_id     text        NOT NULL,
    pos          bigint      NOT NULL,
    at           timestamptz NOT NULL,
    source       text        NOT NULL,
    priority     integer     NOT NULL,
    amount       bigint      NOT NULL,
    repaid_line  bigint      NOT NULL,
    effective_at timestamptz NOT NULL,
    expires_at   timestamptz,
    models       text[]      NOT NULL,
    operations   text[]      NOT NULL,
    available    bigint      NOT NULL DEFAULT 0,
    reserved     bigint      NOT NULL DEFAULT 0,
    consumed     bigint      NOT NULL DEFAULT 0,
    expired      bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (account, grant_id),
    CHECK (grant_id = 'line' OR available >= 0),
    CHECK (reserved >= 0 AND consumed >= 0 AND expired >= 0)
);
CREATE INDEX IF NOT EXISTS grants_due ON grants (expires_at) WHERE available > 0;

-- What one event did to one grant.
CREATE TABLE IF NOT EXISTS movements (
    shard     integer     NOT NULL,
    account   text        NOT NULL,
    pos       bigint      NOT NULL,
    grant_id  text        NOT NULL,
    at        timestamptz NOT NULL,
    available bigint      NOT NULL,
    reserved  bigint      NOT NULL,
    consumed  bigint      NOT NULL,
    expired   bigint      NOT NULL,
    PRIMARY KEY (account, pos, grant_id)
);
CREATE INDEX IF NOT EXISTS movements_at ON movements (account, at);

CREATE TABLE IF NOT EXISTS reservations (
    shard         integer     NOT NULL,
    account       text        NOT NULL,
    reservation   text        NOT NULL,
    generation    text        NOT NULL,
    at            timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,
    slice_grants  text[]      NOT NULL,
    slice_amounts bigint[]    NOT NULL,
    PRIMARY KEY (account, reservation)
);
CREATE INDEX IF NOT EXISTS reservations_ended ON reservations (account, ended_at);
CREATE INDEX IF NOT EXISTS reservations_due ON reservations (expires_at) WHERE ended_at IS NULL;
