-- Open, ready tasks and where their jobs stand. Kept by the dispatcher, never rebuilt by a replay.
CREATE TABLE dispatches (
    task_id    uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    kind       text NOT NULL,
    class      text NOT NULL DEFAULT 'interactive',
    attempt    integer NOT NULL,
    queued_at  timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    sent_at    timestamptz
);
CREATE INDEX dispatches_unsent ON dispatches (kind, due_at) WHERE sent_at IS NULL;
CREATE INDEX dispatches_sent ON dispatches (kind) WHERE sent_at IS NOT NULL;

-- Jobs that could not be handled.
CREATE TABLE dead_letters (
    id          uuid PRIMARY KEY,
    project_id  uuid NOT NULL,
    task_id     uuid NOT NULL,
    kind        text NOT NULL,
    reason      text NOT NULL,
    deliveries  bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
