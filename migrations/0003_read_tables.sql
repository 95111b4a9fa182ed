-- Projections of the log. Each can be dropped and made again from the events.
CREATE TABLE projects (
    id               uuid PRIMARY KEY,
    version          bigint NOT NULL,
    status           text NOT NULL,
    title            text NOT NULL,
    description      text NOT NULL,
    story            text NOT NULL,
    style            text NOT NULL,
    settings         json NOT NULL,
    language         text,
    storyboard_stale boolean NOT NULL,
    film_stale       boolean NOT NULL,
    tasks_total      integer NOT NULL,
    tasks_open       integer NOT NULL,
    deleted          boolean NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE INDEX projects_newest ON projects (created_at DESC, id DESC) WHERE NOT deleted;

CREATE TABLE shots (
    id               uuid PRIMARY KEY,
    project_id       uuid NOT NULL,
    version          bigint NOT NULL,
    place            integer NOT NULL,
    title            text NOT NULL,
    prompt           text NOT NULL,
    negative_prompt  text NOT NULL,
    narration        text NOT NULL,
    mood             text NOT NULL,
    transition       text,
    duration_seconds double precision,
    locked           boolean NOT NULL,
    status           text NOT NULL,
    image            json,
    video            json,
    voice            json,
    stale            json NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE INDEX shots_in_order ON shots (project_id, place);

CREATE TABLE tasks (
    id           uuid PRIMARY KEY,
    project_id   uuid NOT NULL,
    version      bigint NOT NULL,
    kind         text NOT NULL,
    shot_id      uuid,
    status       text NOT NULL,
    attempt      integer NOT NULL,
    max_attempts integer NOT NULL,
    depends_on   json NOT NULL,
    parameters   json NOT NULL,
    worker       text,
    made_with    json,
    result       json,
    error        json,
    reason       text,
    due_at       timestamptz,
    created_at   timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz
);
CREATE INDEX tasks_of_project ON tasks (project_id, created_at, id);

CREATE INDEX tasks_under_way ON tasks (worker) WHERE status = 'processing';

CREATE TABLE takes (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    shot_id    uuid NOT NULL,
    task_id    uuid NOT NULL,
    spec_hash  text NOT NULL,
    asset      json NOT NULL,
    made_with  json NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX takes_of_shot ON takes (shot_id, created_at);
-- The index from what was asked for to what was made: the same again costs nothing.
CREATE INDEX takes_by_spec ON takes (spec_hash);

CREATE TABLE films (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL,
    version    integer NOT NULL,
    quality    text NOT NULL,
    spec_hash  text NOT NULL,
    film       json NOT NULL,
    incomplete json NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX films_of_project ON films (project_id, version DESC);
