-- What external nodes have reported, so that the same report again has no effect. Not derived from the log.
CREATE TABLE external_reports (
    task_id     uuid NOT NULL,
    signature   bytea NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (task_id, signature)
);

-- Commands count as repeated for a day; what is older is swept.
CREATE INDEX command_log_age ON command_log (recorded_at);
