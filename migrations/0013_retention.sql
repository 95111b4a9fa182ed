-- Which stored media is named by which project, kept by the collector from the log, with a checkpoint of its own: it
-- follows all of the log before anything is removed. Delete the rows and the checkpoint, and they are made again.
CREATE TABLE media_names (
    key        text NOT NULL,
    project_id uuid NOT NULL,
    -- The take that it is of; nil for films and music.
    take_id    uuid NOT NULL,
    -- When it was given up. An event that names it again takes that back.
    freed_at   timestamptz,
    PRIMARY KEY (key, project_id, take_id)
);
CREATE INDEX media_names_of_project ON media_names (project_id, take_id);

-- By this a folder of media knows its database: what another one names is not removed by this one.
CREATE TABLE media_owner (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
INSERT INTO media_owner DEFAULT VALUES;

-- Takes are looked through from the oldest. What was used is no longer kept for that alone; the column goes in a
-- later version.
DROP INDEX takes_never_used;
CREATE INDEX takes_unexpired ON takes (created_at, id) WHERE expired_at IS NULL;
