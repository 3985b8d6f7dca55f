-- Processes that share a ledger. Of what others have appended since the head that a caller knows it is told everything,
-- and that tells which streams have moved on, too: they need not be looked up, nor all keys.

-- +goose Up

-- ledger.append records the units of one call, which may be of several shards, and returns for each shard the head
-- before and after it, and one status for each unit: 1 appended, 2 conflict, 3 duplicate (eventstore.Status). The
-- answer is NULL in the usual case: every head was the one that the caller knew, and everything was appended.
-- The arrays of s_ hold one element for each shard, ascending, those of e_ one for each event, those of r_ one for each
-- stream that was only read, those of o_ one for each outcome without an event; units are counted from 1. The arrays of
-- m_ hold what was appended between the head that the caller knows and the one before this call, unless that is more
-- than p_missed events in a shard. The caller has checked everything that does not depend on what is recorded, above
-- all that every account belongs to its shard, and that no two units write one stream.
--
-- Order and locks. Whoever holds the lock of a shard is the only writer of the shard, until its commit has become
-- visible. So the checks below see everything that was recorded before, positions have no holes, and whoever sees n+1
-- sees n. Locks are taken by ascending shard, and there are no others, so there are no deadlocks. Each statement of a
-- READ COMMITTED transaction takes a new snapshot, which is what makes the checks after the lock see the last commit.
-- The locks are advisory, 1886809191 is "pvlg" in ASCII: rows would have to be locked in order by a SELECT before the
-- UPDATE, which is one more statement.
--
-- Known heads. s_pos and s_chain are the head that the caller decided on, s_chain is NULL if it knows none. The chain
-- hash stands for everything recorded in the shard. If it is still the head, no stream can have moved on, so only keys
-- are looked for, and the positions and hashes that the caller has computed are right. If all are still the heads they
-- are moved on by the statement that compares them; if some are not, or a key is among the outcomes, that is taken
-- back, and each shard is looked at. An idempotency key that an event has already is found by the unique index: the
-- call fails with unique_violation, and the caller asks again without known heads.
--
-- Missed heads. What was appended since a known head tells which streams have moved on, so that nothing else need be
-- looked at. Streams are looked up where the caller knows no head, or one too long ago, where s_check asks for it, and
-- everywhere if a key is among the outcomes. In all these shards, and in those of missed heads, events are numbered and
-- chained here.
--
-- Plans. Nothing is known about the arrays when a generic plan is made, and the tables may have been empty then:
-- only lookups by index are right at every size. Scalar subqueries keep the planner from hashing whole tables.
-- Functions that return sets cost less in the list of a SELECT than in its FROM, which files each array away first.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION ledger.append(
    s_shard smallint[], s_pos bigint[], s_chain bytea[], s_check boolean[], s_last_pos bigint[], s_last_chain bytea[],
    p_units integer, p_missed integer,
    e_unit integer[], e_shard smallint[], e_pos bigint[], e_stream_id uuid[], e_stream text[], e_version bigint[],
    e_type text[], e_data json[], e_metadata json[], e_leaf bytea[], e_chain bytea[],
    e_key_id uuid[], e_request_hash uuid[], e_span smallint[], e_outcome json[],
    r_unit integer[] = '{}', r_shard smallint[] = '{}', r_stream_id uuid[] = '{}', r_version bigint[] = '{}',
    o_unit integer[] = '{}', o_shard smallint[] = '{}', o_account text[] = '{}', o_key_id uuid[] = '{}',
    o_request_hash uuid[] = '{}', o_body json[] = '{}'
) RETURNS ledger.appended LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    v_now   timestamptz;
    v_again boolean := false; -- a key was recorded before
    v_heads integer := 0;
    v_rows  integer := 0;
    v_late  smallint[] := '{}'; -- shards whose events are numbered here
    v_open  smallint[] := '{}'; -- those of them whose streams have to be looked at
    v_unit  integer;
    v_at    integer;
    v_moved boolean := false;
    first_pos bigint[]; first_chain bytea[]; last_pos bigint[]; last_chain bytea[]; statuses smallint[]; -- the answer
    m_shard smallint[]; m_pos bigint[]; m_stream text[]; m_version bigint[]; m_type text[]; m_data text[];
    m_metadata text[]; m_stream_id uuid[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'ledger.append needs READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM pg_advisory_xact_lock(1886809191, unnest(s_shard));
    v_now := clock_timestamp();
    IF cardinality(o_key_id) > 0 THEN
        v_again := EXISTS (SELECT FROM ledger.outcomes WHERE key_id = ANY (o_key_id))
            OR EXISTS (SELECT FROM ledger.events WHERE key_id = ANY (o_key_id));
    END IF;

    IF cardinality(e_pos) > 0 AND NOT v_again AND NOT true = ANY (s_check) THEN
        UPDATE ledger.shards s SET pos = s_last_pos[array_position(s_shard, s.shard)],
            chain = s_last_chain[array_position(s_shard, s.shard)]
        WHERE s.shard = ANY (s_shard) AND s.pos = s_pos[array_position(s_shard, s.shard)]
            AND s.chain = s_chain[array_position(s_shard, s.shard)];
        GET DIAGNOSTICS v_heads = ROW_COUNT;
    END IF;
    IF v_heads = cardinality(s_shard) THEN
        INSERT INTO ledger.events (pos, version, recorded_at, shard, span, stream_id, key_id, request_hash, chain_hash,
            stream, type, data, metadata, outcome)
        SELECT unnest(e_pos), unnest(e_version), v_now, unnest(e_shard), unnest(e_span), unnest(e_stream_id),
            unnest(e_key_id), unnest(e_request_hash), unnest(e_chain), unnest(e_stream), unnest(e_type),
            unnest(e_data), unnest(e_metadata), unnest(e_outcome)
        WHERE NOT EXISTS (SELECT FROM ledger.outcomes WHERE key_id = ANY (e_key_id));
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    END IF;
    IF v_rows > 0 THEN
        IF cardinality(o_unit) > 0 THEN
            INSERT INTO ledger.outcomes (account, key_id, request_hash, body, shard, recorded_at)
            SELECT unnest(o_account), unnest(o_key_id), unnest(o_request_hash), unnest(o_body), unnest(o_shard), v_now;
        END IF;
        RETURN NULL;
    END IF;
    IF v_heads > 0 THEN -- exactly the rows that this call has changed are its own
        UPDATE ledger.shards s SET pos = s_pos[array_position(s_shard, s.shard)],
            chain = s_chain[array_position(s_shard, s.shard)]
        WHERE s.shard = ANY (s_shard) AND s.xmin = pg_current_xact_id()::xid;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_heads THEN
            RAISE EXCEPTION 'ledger.append must be the only statement of its transaction' USING ERRCODE = 'invalid_transaction_state';
        END IF;
    END IF;

    SELECT array_agg(s.pos), array_agg(s.chain) INTO first_pos, first_chain
    FROM (SELECT pos, chain FROM ledger.shards WHERE shard = ANY (s_shard) ORDER BY shard) AS s;
    last_pos := s_last_pos;
    last_chain := s_last_chain;
    statuses := array_fill(1::smallint, ARRAY[p_units]);
    v_again := v_again OR EXISTS (SELECT FROM ledger.outcomes WHERE key_id = ANY (e_key_id));
    FOR i IN 1 .. cardinality(s_shard) LOOP
        IF octet_length(first_chain[i]) <> 32 THEN
            RAISE EXCEPTION 'the head of shard % is no hash', s_shard[i] USING ERRCODE = 'data_corrupted';
        END IF;
        v_moved := v_moved OR s_chain[i] IS NOT NULL AND s_pos[i] < first_pos[i];
    END LOOP;
    IF v_moved THEN -- in the order of shards and positions, since that is how these loops go
        SELECT array_agg(e.shard), array_agg(e.pos), array_agg(e.stream), array_agg(e.version), array_agg(e.type),
            array_agg(e.data::text), array_agg(e.metadata::text), array_agg(e.stream_id)
        INTO m_shard, m_pos, m_stream, m_version, m_type, m_data, m_metadata, m_stream_id
        FROM unnest(s_shard, s_pos, s_chain, first_pos) AS n (shard, pos, chain, first)
        CROSS JOIN LATERAL (SELECT * FROM ledger.events r
            WHERE r.shard = n.shard AND r.pos > n.pos ORDER BY r.pos LIMIT n.first - n.pos) AS e
        WHERE n.chain IS NOT NULL AND n.first - n.pos BETWEEN 1 AND p_missed
            AND (n.pos = 0 OR n.chain = (SELECT chain_hash FROM ledger.events WHERE shard = n.shard AND pos = n.pos));
    END IF;
    FOR i IN 1 .. cardinality(s_shard) LOOP
        IF v_again OR s_check[i] OR (s_pos[i] = first_pos[i] AND s_chain[i] = first_chain[i]) IS NOT TRUE THEN
            v_late := v_late || s_shard[i];
            last_pos[i] := first_pos[i];
            last_chain[i] := first_chain[i];
            IF v_again OR s_check[i] OR (s_shard[i] = ANY (m_shard)) IS NOT TRUE THEN
                v_open := v_open || s_shard[i];
            END IF;
        END IF;
    END LOOP;

    IF m_shard IS NOT NULL THEN
        FOR v_unit IN
            SELECT e.unit
            FROM (SELECT unnest(e_unit), unnest(e_stream_id), unnest(e_version)
                UNION ALL SELECT unnest(r_unit), unnest(r_stream_id), unnest(r_version) + 1) AS e (unit, stream_id, version)
            WHERE (e.stream_id IN (SELECT unnest(m_stream_id))) IS TRUE
            GROUP BY e.unit, e.stream_id
            HAVING min(e.version) <= (SELECT max(m.version) FROM unnest(m_stream_id, m_version) AS m (stream_id, version)
                WHERE m.stream_id = e.stream_id)
        LOOP
            statuses[v_unit] := 2;
        END LOOP;
    END IF;
    IF cardinality(v_open) > 0 THEN
        FOR v_unit IN
            SELECT e.unit
            FROM unnest(e_unit, e_shard, e_stream_id, e_version) AS e (unit, shard, stream_id, version)
            WHERE e.shard = ANY (v_open)
            GROUP BY e.unit, e.stream_id
            HAVING min(e.version) <> 1 + COALESCE(
                (SELECT max(r.version) FROM ledger.events r WHERE r.stream_id = e.stream_id), 0)
            UNION ALL
            SELECT r.unit
            FROM unnest(r_unit, r_shard, r_stream_id, r_version) AS r (unit, shard, stream_id, version)
            WHERE r.shard = ANY (v_open) AND r.version <> COALESCE(
                (SELECT max(e.version) FROM ledger.events e WHERE e.stream_id = r.stream_id), 0)
        LOOP
            statuses[v_unit] := 2;
        END LOOP;
    END IF;
    IF cardinality(v_open) > 0 OR 2 = ANY (statuses) THEN -- a duplicate comes before a conflict
        FOR v_unit IN
            SELECT k.unit
            FROM (SELECT * FROM unnest(e_unit, e_shard, e_key_id) UNION ALL SELECT * FROM unnest(o_unit, o_shard, o_key_id))
                AS k (unit, shard, key_id)
            WHERE (k.shard = ANY (v_open) OR statuses[k.unit] = 2) AND k.key_id IS NOT NULL AND (
                (SELECT true FROM ledger.events r WHERE r.key_id = k.key_id)
                OR (SELECT true FROM ledger.outcomes r WHERE r.key_id = k.key_id))
        LOOP
            statuses[v_unit] := 3;
        END LOOP;
    END IF;

    IF cardinality(v_late) > 0 THEN
        FOR i IN 1 .. cardinality(e_unit) LOOP
            CONTINUE WHEN e_shard[i] <> ALL (v_late);
            e_pos[i] := NULL;
            CONTINUE WHEN statuses[e_unit[i]] <> 1;
            v_at := array_position(s_shard, e_shard[i]);
            e_pos[i] := last_pos[v_at] + 1;
            e_chain[i] := sha256(last_chain[v_at] || int8send(e_pos[i]) || e_leaf[i]);
            last_pos[v_at] := e_pos[i];
            last_chain[v_at] := e_chain[i];
        END LOOP;
    END IF;

    IF cardinality(e_unit) > 0 THEN
        INSERT INTO ledger.events (pos, version, recorded_at, shard, span, stream_id, key_id, request_hash, chain_hash,
            stream, type, data, metadata, outcome)
        SELECT e.pos, e.version, v_now, e.shard, e.span, e.stream_id, e.key_id, e.request_hash, e.chain,
            e.stream, e.type, e.data, e.metadata, e.outcome
        FROM (SELECT unnest(e_shard), unnest(e_pos), unnest(e_stream_id), unnest(e_stream), unnest(e_version),
            unnest(e_type), unnest(e_data), unnest(e_metadata), unnest(e_chain), unnest(e_key_id), unnest(e_request_hash),
            unnest(e_span), unnest(e_outcome)) AS e (shard, pos, stream_id, stream, version, type, data, metadata,
            chain, key_id, request_hash, span, outcome)
        WHERE e.pos IS NOT NULL;
        UPDATE ledger.shards s SET pos = last_pos[array_position(s_shard, s.shard)],
            chain = last_chain[array_position(s_shard, s.shard)]
        WHERE s.shard = ANY (s_shard) AND s.pos <> last_pos[array_position(s_shard, s.shard)];
    END IF;
    IF cardinality(o_unit) > 0 THEN
        INSERT INTO ledger.outcomes (account, key_id, request_hash, body, shard, recorded_at)
        SELECT o.account, o.key_id, o.request_hash, o.body, o.shard, v_now
        FROM unnest(o_unit, o_shard, o_account, o_key_id, o_request_hash, o_body)
            AS o (unit, shard, account, key_id, request_hash, body)
        WHERE statuses[o.unit] = 1;
    END IF;
    RETURN (first_pos, first_chain, last_pos, last_chain, statuses, m_shard, m_pos, m_stream, m_version, m_type, m_data,
        m_metadata)::ledger.appended;
END $$;
-- +goose StatementEnd
