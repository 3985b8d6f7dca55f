-- Roles belong to the whole cluster, whose databases may be set up at the same time, hence no error if another was
-- first. They cannot log in: whoever is their member takes them on.
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['pingvas_app', 'pingvas_reader', 'pingvas_operator', 'pingvas_projector'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', r);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        IF NOT pg_has_role(session_user, r, 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', r, session_user);
            EXCEPTION WHEN unique_violation OR internal_error THEN -- "tuple concurrently updated"
                NULL;
            END;
        END IF;
    END LOOP;
END $$;
