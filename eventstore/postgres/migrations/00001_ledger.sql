-- The record. There is no way down: what the ledger holds is never dropped by a migration.
-- Text that is compared with Go's strings is COLLATE "C", so that both sort by bytes.

-- +goose Up

CREATE TABLE ledger.meta (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    ledger_id  uuid NOT NULL DEFAULT gen_random_uuid(),
    shards     integer NOT NULL CHECK (shards BETWEEN 1 AND 1024),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The head of each shard. Its row lock is the shard's lock: see ledger.append. Every append updates the row, so the
-- page is left nearly empty for HOT updates.
CREATE TABLE ledger.shards (
    shard smallint PRIMARY KEY CHECK (shard >= 0),
    pos   bigint NOT NULL DEFAULT 0 CHECK (pos >= 0),
    chain bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(chain) = 32)
) WITH (fillfactor = 10);

-- Data and metadata are json, not jsonb: json keeps the exact bytes, which the hashes cover, and unlike text it
-- refuses what is not JSON and can be queried by auditors.
CREATE TABLE ledger.events (
    shard       smallint NOT NULL,
    pos         bigint NOT NULL CHECK (pos > 0),
    stream      text COLLATE "C" NOT NULL CHECK (stream <> ''),
    version     bigint NOT NULL CHECK (version > 0),
    type        text COLLATE "C" NOT NULL CHECK (type <> ''),
    data        json NOT NULL,
    metadata    json NOT NULL,
    recorded_at timestamptz NOT NULL,
    leaf_hash   bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
    chain_hash  bytea NOT NULL CHECK (octet_length(chain_hash) = 32),
    PRIMARY KEY (shard, pos),
    UNIQUE (shard, stream, version)
);

-- A key is unique within its account, and the account lies in one shard. pos is NULL if nothing had happened.
CREATE TABLE ledger.outcomes (
    account      text COLLATE "C" NOT NULL CHECK (account <> ''),
    key          text COLLATE "C" NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 255),
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    body         json NOT NULL,
    shard        smallint NOT NULL,
    pos          bigint CHECK (pos > 0),
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (account, key)
);

-- +goose StatementBegin
CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: what was recorded is never changed or deleted',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd

-- One trigger for each statement costs inserts nothing and also refuses statements that would touch no row.
-- ENABLE ALWAYS: session_replication_role = replica does not switch it off either.
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.meta
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE DELETE OR TRUNCATE ON ledger.shards
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER refuse;
ALTER TABLE ledger.outcomes ENABLE ALWAYS TRIGGER refuse;
ALTER TABLE ledger.meta ENABLE ALWAYS TRIGGER refuse;
ALTER TABLE ledger.shards ENABLE ALWAYS TRIGGER refuse;

-- ledger.append records the units of one call and returns the head before it and one status for each unit:
-- 1 appended, 2 conflict, 3 duplicate (eventstore.Status). The arrays of e_ hold one element for each event, those of
-- r_ one for each stream that was only read, those of o_ one for each outcome; units and events are counted from 1. e_begins marks the first event of its stream in the
-- call, o_event is the event that gives the outcome its position, or 0. The caller has checked everything that does
-- not depend on what is recorded, above all that every account belongs to this shard.
--
-- Order and locks. Whoever holds the row lock of the shard is the only writer of the shard, until its commit has
-- become visible. So the checks below see everything that was recorded before, positions have no holes, whoever sees
-- n+1 sees n, and since there is just this one lock, there are no deadlocks. Each statement of a READ COMMITTED
-- transaction takes a new snapshot, which is what makes the checks after the lock see the last commit.
--
-- There is no table of streams: a stream's version is the last in the unique index of events, which the append
-- touches anyway. Rows of streams to lock one by one made a batch a third slower and added a lock order to keep.
--
-- Plans. Nothing is known about the arrays when a generic plan is made, and the tables may have been empty then:
-- only lookups by index are right at every size. Scalar subqueries keep the planner from hashing whole tables. Without
-- the two settings a batch takes a fifth longer.
--
-- Chain. The loop takes 0.8 us an event, about 6 % of a batch; a recursive query took 1.0 us, a window aggregate 1.8.
-- +goose StatementBegin
CREATE FUNCTION ledger.append(
    p_shard smallint, p_units integer,
    e_unit integer[], e_stream text[], e_version bigint[], e_begins boolean[],
    e_type text[], e_data text[], e_metadata text[], e_leaf bytea[],
    r_unit integer[], r_stream text[], r_version bigint[],
    o_unit integer[], o_event integer[], o_account text[], o_key text[], o_request_hash bytea[], o_body text[],
    OUT head bigint, OUT statuses smallint[]
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_pos    bigint;
    v_chain  bytea;
    v_now    timestamptz;
    v_unit   integer;
    v_poss   bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(e_unit)]);
    v_chains bytea[] := array_fill(NULL::bytea, ARRAY[cardinality(e_unit)]);
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.append needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;

    SELECT s.pos, s.chain INTO STRICT v_pos, v_chain FROM ledger.shards s WHERE s.shard = p_shard FOR UPDATE;
    head := v_pos;
    statuses := array_fill(1::smallint, ARRAY[p_units]);

    FOR v_unit IN
        SELECT e.unit
        FROM unnest(e_unit, e_stream, e_version, e_begins) AS e (unit, stream, version, begins)
        WHERE e.begins AND e.version <> 1 + COALESCE(
            (SELECT max(r.version) FROM ledger.events r WHERE r.shard = p_shard AND r.stream = e.stream), 0)
    LOOP
        statuses[v_unit] := 2;
    END LOOP;
    FOR v_unit IN
        SELECT r.unit
        FROM unnest(r_unit, r_stream, r_version) AS r (unit, stream, version)
        WHERE r.version <> COALESCE(
            (SELECT max(e.version) FROM ledger.events e WHERE e.shard = p_shard AND e.stream = r.stream), 0)
    LOOP
        statuses[v_unit] := 2;
    END LOOP;
    FOR v_unit IN
        SELECT o.unit
        FROM unnest(o_unit, o_account, o_key) AS o (unit, account, key)
        WHERE (SELECT true FROM ledger.outcomes r WHERE r.account = o.account AND r.key = o.key)
    LOOP
        statuses[v_unit] := 3;
    END LOOP;

    FOR i IN 1 .. cardinality(e_unit) LOOP
        IF statuses[e_unit[i]] = 1 THEN
            v_pos := v_pos + 1;
            v_chain := sha256(v_chain || int8send(v_pos) || e_leaf[i]);
            v_poss[i] := v_pos;
            v_chains[i] := v_chain;
        END IF;
    END LOOP;

    v_now := clock_timestamp();
    IF v_pos > head THEN
        INSERT INTO ledger.events
            (shard, pos, stream, version, type, data, metadata, recorded_at, leaf_hash, chain_hash)
        SELECT p_shard, e.pos, e.stream, e.version, e.type, e.data::json, e.metadata::json, v_now, e.leaf, e.chain
        FROM unnest(v_poss, e_stream, e_version, e_type, e_data, e_metadata, e_leaf, v_chains)
            AS e (pos, stream, version, type, data, metadata, leaf, chain)
        WHERE e.pos IS NOT NULL;
        UPDATE ledger.shards SET pos = v_pos, chain = v_chain WHERE shard = p_shard;
    END IF;
    IF cardinality(o_unit) > 0 THEN
        INSERT INTO ledger.outcomes (account, key, request_hash, body, shard, pos, recorded_at)
        SELECT o.account, o.key, o.request_hash, o.body::json, p_shard, v_poss[o.event], v_now
        FROM unnest(o_unit, o_event, o_account, o_key, o_request_hash, o_body)
            AS o (unit, event, account, key, request_hash, body)
        WHERE statuses[o.unit] = 1;
    END IF;
END $$;
-- +goose StatementEnd
