-- Errands: projects that stand for calls of another system's client, and are in no list.
ALTER TABLE projects
    ADD COLUMN origin text,
    ADD COLUMN external_id text;
CREATE INDEX projects_of_client ON projects (external_id, created_at DESC) WHERE external_id IS NOT NULL;
