CREATE SCHEMA IF NOT EXISTS vault;

CREATE TABLE IF NOT EXISTS vault.api_keys (
    id           text PRIMARY KEY,
    account      text        NOT NULL,
    name         text        NOT NULL,
    hash         bytea       NOT NULL CHECK (length(hash) = 32),
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX IF NOT EXISTS api_keys_account ON vault.api_keys (account, id);

CREATE TABLE IF NOT EXISTS vault.data_keys (
    account    text PRIMARY KEY,
    wrapped    bytea, -- NULL once erased
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at  timestamptz,
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
);
