-- What folding a long history came to at some of its versions, so that looking back begins there. A cache: rows may be
-- deleted at any time.
CREATE TABLE milestones (
    project_id  uuid NOT NULL,
    schema_hash text NOT NULL,
    version     bigint NOT NULL,
    folded      json NOT NULL,
    PRIMARY KEY (project_id, schema_hash, version)
);
