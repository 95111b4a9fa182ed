-- The one truth: an append-only log of events. The first seven columns are those of postgres-es;
-- the rest are defaults that make the log readable as a whole (docs/adr/0001).
CREATE TABLE events (
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    sequence       bigint NOT NULL CHECK (sequence >= 1),
    event_type     text NOT NULL,
    event_version  text NOT NULL,
    payload        json NOT NULL,
    metadata       json NOT NULL,
    hash           bytea,
    log_epoch      integer NOT NULL DEFAULT 1,
    position       bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_version PRIMARY KEY (aggregate_type, aggregate_id, sequence)
);
CREATE UNIQUE INDEX events_log_order ON events (log_epoch, transaction_id, position);

-- Raised, with the default of events.log_epoch, after a logical restore into another cluster.
CREATE TABLE log_epochs (epoch integer PRIMARY KEY);
INSERT INTO log_epochs VALUES (1);

-- What each command came to, so that the same command again gets the same answer.
CREATE TABLE command_log (
    command_id   uuid CONSTRAINT command_log_once PRIMARY KEY,
    aggregate_id uuid NOT NULL,
    version      bigint NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A cache: rows may be deleted at any time.
CREATE TABLE snapshots (
    aggregate_id uuid NOT NULL,
    schema_hash  text NOT NULL,
    version      bigint NOT NULL,
    hash         bytea NOT NULL,
    state        json NOT NULL,
    PRIMARY KEY (aggregate_id, schema_hash)
);

-- How far each reader of the whole log has come.
CREATE TABLE checkpoints (
    reader         text PRIMARY KEY,
    log_epoch      integer NOT NULL DEFAULT 0,
    transaction_id xid8 NOT NULL DEFAULT '0',
    position       bigint NOT NULL DEFAULT 0
);

-- Who leads a role, until when, and how often the leader has changed.
CREATE TABLE leaderships (
    role       text PRIMARY KEY,
    holder     uuid NOT NULL,
    epoch      bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
