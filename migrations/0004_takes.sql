-- Takes with all that is worth comparing them by, batches, and the trash.
ALTER TABLE takes
    ADD COLUMN kind text NOT NULL DEFAULT 'image',
    ADD COLUMN parameters json NOT NULL DEFAULT '{}',
    -- Whether a shot ever used it: what was used can be named by an earlier version, and never expires.
    ADD COLUMN was_used boolean NOT NULL DEFAULT true,
    ADD COLUMN expired_at timestamptz;
UPDATE takes SET kind = tasks.kind, parameters = tasks.parameters FROM tasks WHERE tasks.id = takes.task_id;
CREATE INDEX takes_never_used ON takes (created_at) WHERE NOT was_used AND expired_at IS NULL;

ALTER TABLE tasks ADD COLUMN children json; -- of a batch

ALTER TABLE projects
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN purged boolean NOT NULL DEFAULT false,
    ADD COLUMN music json;
UPDATE projects SET deleted_at = updated_at WHERE deleted;
CREATE INDEX projects_in_trash ON projects (created_at DESC, id DESC) WHERE deleted AND NOT purged;
