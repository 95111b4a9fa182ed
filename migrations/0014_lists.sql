-- What lists and streams look for, so that nobody reads all that there ever was. There is none on projects.updated_at:
-- every event changes it, and each change would have to be written into all indexes of the table then.
CREATE INDEX tasks_open ON tasks (project_id) WHERE status IN ('blocked', 'pending', 'processing');
CREATE INDEX takes_of_project ON takes (project_id);
CREATE INDEX takes_newest ON takes (kind, created_at DESC);
CREATE INDEX projects_by_title ON projects ((lower(title) COLLATE "C"), id) WHERE NOT deleted;
