-- Whom to tell what. Not derived from the log: never rebuilt by a replay.
CREATE TABLE webhooks (
    id             uuid PRIMARY KEY,
    owner          text,
    -- All projects of the owner when null.
    project_id     uuid,
    url            text NOT NULL,
    topics         text[] NOT NULL,
    description    text NOT NULL,
    enabled        boolean NOT NULL,
    -- Signing needs the key itself, so it cannot be kept as a hash.
    secret         text NOT NULL,
    -- SHA-256 of the request that made it, to tell its repeat from another one.
    request_digest bytea NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX webhooks_of_owner ON webhooks (owner, created_at, id);

-- One message to one webhook. A lane is what one webhook is told of one project: in order, one at a time.
-- Only the first pending delivery of a lane has a due_at.
CREATE TABLE webhook_deliveries (
    id           uuid PRIMARY KEY,
    webhook_id   uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    project_id   uuid NOT NULL,
    version      bigint NOT NULL,
    topic        text NOT NULL,
    body         text NOT NULL,
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     integer NOT NULL DEFAULT 0,
    due_at       timestamptz,
    give_up_at   timestamptz NOT NULL,
    answer       integer,
    error        text,
    attempted_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT webhook_deliveries_once UNIQUE (webhook_id, project_id, version)
);
CREATE INDEX webhook_deliveries_lanes ON webhook_deliveries (webhook_id, project_id, version) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE state = 'pending' AND due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (attempted_at) WHERE state <> 'pending';

-- Nobody is told of what happened before there were webhooks, so their reader starts at the end of the log.
INSERT INTO checkpoints (reader, log_epoch, transaction_id, position)
SELECT 'webhooks', log_epoch, transaction_id, position FROM events
ORDER BY log_epoch DESC, transaction_id DESC, position DESC LIMIT 1;

-- Kinds of jobs that the dispatcher sends no more of for now.
CREATE TABLE paused_kinds (
    kind      text PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- When a job that could not be handled was last queued again by somebody.
ALTER TABLE dead_letters ADD COLUMN replayed_at timestamptz;
CREATE INDEX dead_letters_newest ON dead_letters (recorded_at DESC, id DESC);
