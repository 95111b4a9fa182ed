-- What a page of events means for jobs, and which jobs to send, in one round trip: the dispatcher stands between a
-- commit and its workers, and each statement of its own would cost them a fifth of a millisecond (docs/adr/0012).
--
-- Moves the dispatcher's checkpoint, closes, queues and puts off, then marks as sent what is due, oldest first, as
-- far as each kind's window has room and nobody paused it. Answers one row for each task that was closed, one for each job to send, and
-- at least one row, with the number of rows that were unsent before.
CREATE FUNCTION dispatch_page(
    fence_role text, fence_epoch bigint, reader_name text,
    from_epoch integer, from_transaction xid8, from_position bigint,
    to_epoch integer, to_transaction xid8, to_position bigint,
    ended uuid[],
    queued_tasks uuid[], queued_projects uuid[], queued_kinds text[], queued_attempts bigint[], queued_times timestamptz[],
    put_off_tasks uuid[], put_off_attempts bigint[], put_off_times timestamptz[],
    window_kinds text[], window_jobs bigint[]
) RETURNS TABLE (closed boolean, unsent bigint, task_id uuid, project_id uuid, kind text, attempt integer)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- A dispatch that is lost in a crash takes its checkpoint with it and is made again.
    PERFORM set_config('synchronous_commit', 'off', true);
    IF NOT EXISTS (SELECT 1 FROM leaderships l WHERE l.role = fence_role AND l.epoch = fence_epoch) THEN
        RAISE EXCEPTION 'another process leads' USING ERRCODE = 'SV001';
    END IF;
    IF (from_epoch, from_transaction, from_position) <> (to_epoch, to_transaction, to_position) THEN
        INSERT INTO checkpoints AS c (reader, log_epoch, transaction_id, position)
            VALUES (reader_name, to_epoch, to_transaction, to_position)
            ON CONFLICT (reader) DO UPDATE
                SET log_epoch = to_epoch, transaction_id = to_transaction, position = to_position
                WHERE (c.log_epoch, c.transaction_id, c.position) = (from_epoch, from_transaction, from_position);
        IF NOT FOUND THEN
            RAISE EXCEPTION 'another process reads' USING ERRCODE = 'SV001';
        END IF;
    END IF;

    IF cardinality(ended) > 0 THEN
        RETURN QUERY DELETE FROM dispatches d WHERE d.task_id = ANY(ended)
            RETURNING true, 0::bigint, d.task_id, d.project_id, d.kind, d.attempt;
    END IF;
    IF cardinality(queued_tasks) > 0 THEN
        INSERT INTO dispatches (task_id, project_id, kind, attempt, queued_at, due_at)
            SELECT q.task, q.project, q.kind, q.attempt, q.at, q.at
            FROM unnest(queued_tasks, queued_projects, queued_kinds, queued_attempts, queued_times)
                AS q(task, project, kind, attempt, at)
            ON CONFLICT (task_id) DO UPDATE SET attempt = excluded.attempt, queued_at = excluded.queued_at,
                due_at = excluded.due_at, sent_at = NULL;
    END IF;
    IF cardinality(put_off_tasks) > 0 THEN
        UPDATE dispatches d SET sent_at = NULL, due_at = p.due, attempt = COALESCE(p.attempt, d.attempt)
            FROM unnest(put_off_tasks, put_off_attempts, put_off_times) AS p(task, attempt, due)
            WHERE d.task_id = p.task;
    END IF;

    RETURN QUERY
        WITH room AS (SELECT w.kind, w.jobs -
                (SELECT count(*) FROM dispatches d WHERE d.kind = w.kind AND d.sent_at IS NOT NULL) AS free
            FROM unnest(window_kinds, window_jobs) AS w(kind, jobs)
            WHERE NOT EXISTS (SELECT 1 FROM paused_kinds p WHERE p.kind = w.kind)),
        due AS (SELECT d.task_id FROM room CROSS JOIN LATERAL
            (SELECT x.task_id FROM dispatches x
                WHERE x.kind = room.kind AND x.sent_at IS NULL AND x.due_at <= clock_timestamp()
                ORDER BY x.due_at, x.task_id LIMIT GREATEST(room.free, 0)) d),
        sent AS (UPDATE dispatches d SET sent_at = clock_timestamp() WHERE d.task_id IN (SELECT due.task_id FROM due)
            RETURNING d.task_id, d.project_id, d.kind, d.attempt)
        SELECT false, w.unsent, s.task_id, s.project_id, s.kind, s.attempt
        FROM (SELECT count(*) AS unsent FROM dispatches d WHERE d.sent_at IS NULL) w LEFT JOIN sent s ON true;
END
$$;
