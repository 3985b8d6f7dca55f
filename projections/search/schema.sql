-- Open generations: what the documents of their images will say.
CREATE TABLE IF NOT EXISTS drafts (
    shard      integer NOT NULL,
    generation text    NOT NULL PRIMARY KEY,
    account    text    NOT NULL,
    prompt     text    NOT NULL,
    negative   text    NOT NULL,
    tags       text[]  NOT NULL,
    model      text    NOT NULL
);

CREATE TABLE IF NOT EXISTS documents (
    shard      integer     NOT NULL,
    image      text        NOT NULL PRIMARY KEY,
    account    text        NOT NULL,
    prompt     text        NOT NULL,
    negative   text        NOT NULL,
    tags       text[]      NOT NULL,
    model      text        NOT NULL,
    width      integer     NOT NULL,
    height     integer     NOT NULL,
    seed       bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    favourite  boolean     NOT NULL DEFAULT false,
    version    bigint      NOT NULL -- position of the event that made it so
);
