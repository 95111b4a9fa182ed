-- Who may do what: whom projects belong to, and the keys that callers show.
ALTER TABLE projects ADD COLUMN owner text;
CREATE INDEX projects_of_owner ON projects (owner, created_at DESC, id DESC) WHERE NOT deleted;

-- Keys for programs and people. Only a hash of the secret is kept; a row is never deleted, so that what was
-- once protected stays protected when its last key is revoked.
CREATE TABLE api_keys (
    id          uuid PRIMARY KEY,
    label       text NOT NULL,
    subject     text NOT NULL,
    role        text NOT NULL CHECK (role IN ('viewer', 'editor', 'admin')),
    secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);

-- What sessions, tickets and media addresses are signed with where no key is configured: made once, shared
-- by every process on this database.
CREATE TABLE signing_keys (
    name text PRIMARY KEY,
    key  bytea NOT NULL CHECK (octet_length(key) >= 32)
);
