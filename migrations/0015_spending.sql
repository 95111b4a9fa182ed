-- What projects cost, and what tells how long storyboards and films take.
ALTER TABLE projects ADD COLUMN cost double precision NOT NULL DEFAULT 0;
UPDATE projects SET cost = spent.cost
FROM (SELECT aggregate_id, sum((payload #>> '{TaskFinished,madeWith,cost}')::float8 ORDER BY sequence) AS cost
      FROM events WHERE event_type = 'TaskFinished' GROUP BY aggregate_id) spent
WHERE spent.aggregate_id = projects.id::text AND spent.cost IS NOT NULL;
CREATE INDEX tasks_made ON tasks (kind, finished_at DESC) WHERE kind IN ('storyboard', 'film') AND status = 'finished';
