-- A history that was brought here from elsewhere is told, and not acted on.
ALTER TABLE events ADD COLUMN imported boolean NOT NULL DEFAULT false;

-- A copy of another project's take, and one from elsewhere, was made by no task of this system.
ALTER TABLE takes ALTER COLUMN task_id DROP NOT NULL;
