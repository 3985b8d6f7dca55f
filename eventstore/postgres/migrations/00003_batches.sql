-- One row for each command: the outcome stands in the row of the command's last event, and only commands without
-- events need a row of their own. Streams and keys are looked up by 16 bytes instead of by text, which makes the
-- indexes half as large and an append a third cheaper. One call appends to several shards.

-- +goose Up

-- The program computes stream_id and key_id itself, since that is cheaper than these functions, and whoever reads a
-- shard compares the first with the stream's name. The functions are for those who look things up by SQL.
CREATE FUNCTION ledger.stream_id(shard smallint, stream text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN encode(substr(sha256(int2send(shard) || convert_to(stream, 'UTF8')), 1, 16), 'hex')::uuid;
CREATE FUNCTION ledger.key_id(account text, key text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN encode(substr(sha256(convert_to(account, 'UTF8') || '\x00'::bytea || convert_to(key, 'UTF8')), 1, 16),
        'hex')::uuid;

ALTER TABLE ledger.events
    ADD COLUMN stream_id uuid,
    ADD COLUMN key_id uuid,
    ADD COLUMN key text COLLATE "C",
    ADD COLUMN request_hash bytea,
    ADD COLUMN outcome json;
ALTER TABLE ledger.outcomes ADD COLUMN key_id uuid;

ALTER TABLE ledger.events DISABLE TRIGGER refuse;
ALTER TABLE ledger.outcomes DISABLE TRIGGER refuse;
UPDATE ledger.outcomes SET key_id = ledger.key_id(account, key);
UPDATE ledger.events SET stream_id = ledger.stream_id(shard, stream);
UPDATE ledger.events e SET key_id = o.key_id, key = o.key, request_hash = o.request_hash, outcome = o.body
FROM ledger.outcomes o WHERE o.shard = e.shard AND o.pos = e.pos;
DELETE FROM ledger.outcomes WHERE pos IS NOT NULL;
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER refuse;
ALTER TABLE ledger.outcomes ENABLE ALWAYS TRIGGER refuse;

ALTER TABLE ledger.events
    ALTER COLUMN stream_id SET NOT NULL,
    DROP CONSTRAINT events_shard_stream_version_key,
    ADD CONSTRAINT events_stream_key UNIQUE (stream_id, version),
    ADD CONSTRAINT events_key_key UNIQUE (key_id),
    ADD CHECK (num_nulls(key_id, key, request_hash, outcome) IN (0, 4));
ALTER TABLE ledger.outcomes
    DROP COLUMN pos,
    DROP CONSTRAINT outcomes_pkey,
    ADD PRIMARY KEY (key_id);

DROP FUNCTION ledger.append(smallint, integer, integer[], text[], bigint[], boolean[], text[], text[], text[], bytea[],
    integer[], text[], bigint[], integer[], integer[], text[], text[], bytea[], text[]);

-- ledger.append records the units of one call, which may be of several shards, and returns for each shard the head
-- before and after it, and one status for each unit: 1 appended, 2 conflict, 3 duplicate (eventstore.Status).
-- The arrays of s_ hold one element for each shard, ascending, those of e_ one for each event, those of r_ one for each
-- stream that was only read, those of o_ one for each outcome without an event; shards (batch) and units are counted
-- from 1. The arrays of m_ hold what was appended between the head that the caller knows and the one before this call,
-- unless that is more than p_missed events in a shard. e_begins marks the first event of its stream in the call. The caller has checked everything that does not
-- depend on what is recorded, above all that every account belongs to its shard.
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
    s_shard smallint[], s_pos bigint[], s_chain bytea[], s_check boolean[], s_last_pos bigint[], s_last_chain bytea[], p_units integer,
    p_missed integer,
    e_unit integer[], e_batch integer[], e_pos bigint[], e_stream_id uuid[], e_stream text[], e_version bigint[],
    e_begins boolean[], e_type text[], e_data text[], e_metadata text[], e_leaf bytea[], e_chain bytea[],
    e_key_id uuid[], e_key text[], e_request_hash bytea[], e_outcome text[],
    r_unit integer[], r_batch integer[], r_stream_id uuid[], r_version bigint[],
    o_unit integer[], o_batch integer[], o_account text[], o_key_id uuid[], o_key text[], o_request_hash bytea[],
    o_body text[],
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
        INSERT INTO ledger.events (shard, pos, stream, version, type, data, metadata, recorded_at, leaf_hash,
            chain_hash, stream_id, key_id, key, request_hash, outcome)
        SELECT s_shard[e.batch], e.pos, e.stream, e.version, e.type, e.data::json, e.metadata::json, v_now, e.leaf,
            e.chain, e.stream_id, e.key_id, e.key, e.request_hash, e.outcome::json
        FROM unnest(e_batch, e_pos, e_stream_id, e_stream, e_version, e_type, e_data, e_metadata, e_leaf, e_chain,
            e_key_id, e_key, e_request_hash, e_outcome) AS e (batch, pos, stream_id, stream, version, type, data,
            metadata, leaf, chain, key_id, key, request_hash, outcome)
        WHERE e.pos IS NOT NULL;
        UPDATE ledger.shards s SET pos = n.pos, chain = n.chain
        FROM unnest(s_shard, last_pos, last_chain) AS n (shard, pos, chain)
        WHERE s.shard = n.shard AND s.pos <> n.pos;
    END IF;
    IF cardinality(o_unit) > 0 THEN
        INSERT INTO ledger.outcomes (account, key_id, key, request_hash, body, shard, recorded_at)
        SELECT o.account, o.key_id, o.key, o.request_hash, o.body::json, s_shard[o.batch], v_now
        FROM unnest(o_unit, o_batch, o_account, o_key_id, o_key, o_request_hash, o_body)
            AS o (unit, batch, account, key_id, key, request_hash, body)
        WHERE statuses[o.unit] = 1;
    END IF;
END $$;
-- +goose StatementEnd
