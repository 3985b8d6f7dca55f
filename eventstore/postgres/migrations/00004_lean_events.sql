-- Smaller rows: what can be computed from a row is not in it. The leaf hash follows from the event's bytes, an
-- idempotency key is known by its hash, and an outcome that the command's own events tell is not written twice. Columns
-- stand in the order in which they leave no gaps.

-- +goose Up

ALTER TABLE ledger.events DISABLE TRIGGER refuse;
ALTER TABLE ledger.outcomes DISABLE TRIGGER refuse;

ALTER TABLE ledger.events RENAME TO old_events;

-- span is how many events the command has caused of which this is the last. Where key_id is and outcome is not, they
-- are the outcome. request_hash is the first half of a SHA-256.
--
-- Data and metadata are json, not jsonb: json keeps the exact bytes, which the hashes cover, and unlike text it refuses
-- what is not JSON and can be queried by auditors. One check costs an append less than one for each column.
CREATE TABLE ledger.events (
    pos          bigint NOT NULL,
    version      bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    shard        smallint NOT NULL,
    span         smallint,
    stream_id    uuid NOT NULL,
    key_id       uuid,
    request_hash uuid,
    chain_hash   bytea NOT NULL,
    stream       text COLLATE "C" NOT NULL,
    type         text COLLATE "C" NOT NULL,
    data         json NOT NULL,
    metadata     json NOT NULL,
    outcome      json,
    CHECK (pos > 0 AND version > 0 AND octet_length(chain_hash) = 32 AND num_nulls(key_id, request_hash, span) IN (0, 3))
);

INSERT INTO ledger.events (pos, version, recorded_at, shard, span, stream_id, key_id, request_hash, chain_hash, stream,
    type, data, metadata, outcome)
SELECT pos, version, recorded_at, shard, CASE WHEN key_id IS NOT NULL THEN 1 END, stream_id, key_id,
    encode(substr(request_hash, 1, 16), 'hex')::uuid, chain_hash, stream, type, data, metadata, outcome
FROM ledger.old_events ORDER BY shard, pos;

DROP TABLE ledger.old_events;

ALTER TABLE ledger.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (shard, pos),
    ADD CONSTRAINT events_stream_key UNIQUE (stream_id, version),
    ADD CONSTRAINT events_key_key UNIQUE (key_id);

ALTER TABLE ledger.outcomes
    DROP CONSTRAINT outcomes_request_hash_check,
    DROP COLUMN key,
    ALTER COLUMN request_hash TYPE uuid USING encode(substr(request_hash, 1, 16), 'hex')::uuid;

-- One trigger for each statement costs inserts nothing and also refuses statements that would touch no row.
-- ENABLE ALWAYS: session_replication_role = replica does not switch it off either.
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER refuse;
ALTER TABLE ledger.outcomes ENABLE ALWAYS TRIGGER refuse;

DROP FUNCTION ledger.append;

-- ledger.append records the units of one call, which may be of several shards, and returns for each shard the head
-- before and after it, and one status for each unit: 1 appended, 2 conflict, 3 duplicate (eventstore.Status).
-- The arrays of s_ hold one element for each shard, ascending, those of e_ one for each event, those of r_ one for each
-- stream that was only read, those of o_ one for each outcome without an event; shards (batch) and units are counted
-- from 1. The arrays of m_ hold what was appended between the head that the caller knows and the one before this call,
-- unless that is more than p_missed events in a shard. e_begins marks the first event of its stream in the call. The
-- caller has checked everything that does not depend on what is recorded, above all that every account belongs to its
-- shard.
--
-- Order and locks. Whoever holds the row lock of a shard is the only writer of the shard, until its commit has become
-- visible. So the checks below see everything that was recorded before, positions have no holes, and whoever sees n+1
-- sees n. Locks are taken by ascending shard, and there are no others, so there are no deadlocks. Each statement of a
-- READ COMMITTED transaction takes a new snapshot, which is what makes the checks after the lock see the last commit.
--
-- Known heads. s_pos and s_chain are the head that the caller decided on, s_chain is NULL if it knows none. The chain
-- hash stands for everything recorded in the shard. If it is still the head, no stream can have moved on, so only keys
-- are looked for, and the positions and hashes that the caller has computed are right. An idempotency key that an
-- event has already is found by the unique index: the call fails with unique_violation, and the caller asks again
-- without known heads. Then, for a shard that has moved on and where s_check asks for it, every unit is checked and its
-- events are numbered here.
--
-- Plans. Nothing is known about the arrays when a generic plan is made, and the tables may have been empty then:
-- only lookups by index are right at every size. Scalar subqueries keep the planner from hashing whole tables.
-- +goose StatementBegin
CREATE FUNCTION ledger.append(
    s_shard smallint[], s_pos bigint[], s_chain bytea[], s_check boolean[], s_last_pos bigint[], s_last_chain bytea[],
    p_units integer, p_missed integer,
    e_unit integer[], e_batch integer[], e_pos bigint[], e_stream_id uuid[], e_stream text[], e_version bigint[],
    e_begins boolean[], e_type text[], e_data json[], e_metadata json[], e_leaf bytea[], e_chain bytea[],
    e_key_id uuid[], e_request_hash uuid[], e_span smallint[], e_outcome json[],
    r_unit integer[], r_batch integer[], r_stream_id uuid[], r_version bigint[],
    o_unit integer[], o_batch integer[], o_account text[], o_key_id uuid[], o_request_hash uuid[], o_body json[],
    OUT first_pos bigint[], OUT first_chain bytea[], OUT last_pos bigint[], OUT last_chain bytea[],
    OUT statuses smallint[],
    OUT m_batch integer[], OUT m_pos bigint[], OUT m_stream text[], OUT m_version bigint[], OUT m_type text[],
    OUT m_data text[], OUT m_metadata text[]
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_known boolean[];
    v_moved boolean := false;
    v_unit  integer;
    v_now   timestamptz;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.append needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;

    SELECT array_agg(s.pos), array_agg(s.chain) INTO STRICT first_pos, first_chain
    FROM (SELECT pos, chain FROM ledger.shards WHERE shard = ANY (s_shard) ORDER BY shard FOR UPDATE) AS s;
    statuses := array_fill(1::smallint, ARRAY[p_units]);

    IF EXISTS (SELECT FROM ledger.outcomes WHERE key_id = ANY (e_key_id))
        OR cardinality(o_key_id) > 0 AND (EXISTS (SELECT FROM ledger.outcomes WHERE key_id = ANY (o_key_id))
            OR EXISTS (SELECT FROM ledger.events WHERE key_id = ANY (o_key_id)))
    THEN
        v_known := array_fill(false, ARRAY[cardinality(s_shard)]);
    ELSE
        FOR i IN 1 .. cardinality(s_shard) LOOP
            v_known[i] := s_chain[i] IS NOT NULL AND NOT s_check[i] AND s_pos[i] = first_pos[i]
                AND s_chain[i] = first_chain[i];
        END LOOP;
    END IF;
    FOR i IN 1 .. cardinality(s_shard) LOOP
        v_moved := v_moved OR s_chain[i] IS NOT NULL AND s_pos[i] < first_pos[i];
    END LOOP;
    IF v_moved THEN
        SELECT array_agg(e.batch), array_agg(e.pos), array_agg(e.stream), array_agg(e.version), array_agg(e.type),
            array_agg(e.data::text), array_agg(e.metadata::text)
        INTO m_batch, m_pos, m_stream, m_version, m_type, m_data, m_metadata
        FROM (SELECT n.batch, e.pos, e.stream, e.version, e.type, e.data, e.metadata
            FROM unnest(s_shard, s_pos, s_chain, first_pos) WITH ORDINALITY AS n (shard, pos, chain, first, batch)
            CROSS JOIN LATERAL (SELECT * FROM ledger.events r
                WHERE r.shard = n.shard AND r.pos > n.pos ORDER BY r.pos LIMIT n.first - n.pos) AS e
            WHERE n.chain IS NOT NULL AND n.first - n.pos BETWEEN 1 AND p_missed
                AND (n.pos = 0 OR n.chain = (SELECT chain_hash FROM ledger.events WHERE shard = n.shard AND pos = n.pos))
            ORDER BY n.batch, e.pos) AS e;
    END IF;
    last_pos := s_last_pos;
    last_chain := s_last_chain;

    IF false = ANY (v_known) THEN
        FOR v_unit IN
            SELECT e.unit
            FROM unnest(e_unit, e_batch, e_stream_id, e_version, e_begins) AS e (unit, batch, stream_id, version, begins)
            WHERE NOT v_known[e.batch] AND e.begins AND e.version <> 1 + COALESCE(
                (SELECT max(r.version) FROM ledger.events r WHERE r.stream_id = e.stream_id), 0)
            UNION ALL
            SELECT r.unit
            FROM unnest(r_unit, r_batch, r_stream_id, r_version) AS r (unit, batch, stream_id, version)
            WHERE NOT v_known[r.batch] AND r.version <> COALESCE(
                (SELECT max(e.version) FROM ledger.events e WHERE e.stream_id = r.stream_id), 0)
        LOOP
            statuses[v_unit] := 2;
        END LOOP;
        FOR v_unit IN
            SELECT k.unit
            FROM (SELECT * FROM unnest(e_unit, e_batch, e_key_id) UNION ALL SELECT * FROM unnest(o_unit, o_batch, o_key_id))
                AS k (unit, batch, key_id)
            WHERE NOT v_known[k.batch] AND k.key_id IS NOT NULL AND (
                (SELECT true FROM ledger.events r WHERE r.key_id = k.key_id)
                OR (SELECT true FROM ledger.outcomes r WHERE r.key_id = k.key_id))
        LOOP
            statuses[v_unit] := 3;
        END LOOP;
        FOR i IN 1 .. cardinality(s_shard) LOOP
            IF NOT v_known[i] THEN
                last_pos[i] := first_pos[i];
                last_chain[i] := first_chain[i];
            END IF;
        END LOOP;
        FOR i IN 1 .. cardinality(e_unit) LOOP
            CONTINUE WHEN v_known[e_batch[i]];
            e_pos[i] := NULL;
            CONTINUE WHEN statuses[e_unit[i]] <> 1;
            e_pos[i] := last_pos[e_batch[i]] + 1;
            e_chain[i] := sha256(last_chain[e_batch[i]] || int8send(e_pos[i]) || e_leaf[i]);
            last_pos[e_batch[i]] := e_pos[i];
            last_chain[e_batch[i]] := e_chain[i];
        END LOOP;
    END IF;

    v_now := clock_timestamp();
    IF cardinality(e_unit) > 0 THEN
        INSERT INTO ledger.events (pos, version, recorded_at, shard, span, stream_id, key_id, request_hash, chain_hash,
            stream, type, data, metadata, outcome)
        SELECT e.pos, e.version, v_now, s_shard[e.batch], e.span, e.stream_id, e.key_id, e.request_hash, e.chain,
            e.stream, e.type, e.data, e.metadata, e.outcome
        FROM unnest(e_batch, e_pos, e_stream_id, e_stream, e_version, e_type, e_data, e_metadata, e_chain, e_key_id,
            e_request_hash, e_span, e_outcome) AS e (batch, pos, stream_id, stream, version, type, data, metadata,
            chain, key_id, request_hash, span, outcome)
        WHERE e.pos IS NOT NULL;
        UPDATE ledger.shards s SET pos = n.pos, chain = n.chain
        FROM unnest(s_shard, last_pos, last_chain) AS n (shard, pos, chain)
        WHERE s.shard = n.shard AND s.pos <> n.pos;
    END IF;
    IF cardinality(o_unit) > 0 THEN
        INSERT INTO ledger.outcomes (account, key_id, request_hash, body, shard, recorded_at)
        SELECT o.account, o.key_id, o.request_hash, o.body, s_shard[o.batch], v_now
        FROM unnest(o_unit, o_batch, o_account, o_key_id, o_request_hash, o_body)
            AS o (unit, batch, account, key_id, request_hash, body)
        WHERE statuses[o.unit] = 1;
    END IF;
END $$;
-- +goose StatementEnd
