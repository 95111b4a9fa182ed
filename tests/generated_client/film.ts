// Makes a film by a client that knows of the server only what its OpenAPI document says: `node film.js <server>`.

import { argv } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type Schemas = components["schemas"];
type Answer<T> = { data?: T; error?: Schemas["Problem"]; response: Response };

const PATIENCE_MS = 200_000;
const LOOK_EVERY_MS = 100;
const SHOTS = 3;

const server = argv[2];
if (server === undefined) throw new Error("name a server, like http://127.0.0.1:8080");
const client = createClient<paths>({ baseUrl: server });

/** The body of a good answer; any other ends the program with the problem's words. */
async function good<T>(asked: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await asked;
  if (data === undefined) throw new Error(`${response.status} ${error?.code}: ${error?.detail}`);
  return data;
}

/** Looks until there is something to answer. */
async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const started = Date.now();
  while (Date.now() - started < PATIENCE_MS) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`waited for ${what} in vain`);
}

/** Whether a task has done its work. A status that is not told here does not compile. */
function isDone(task: Schemas["Task"]): boolean {
  switch (task.status) {
    case "blocked":
    case "pending":
    case "processing":
      return false;
    case "finished":
      return true;
    case "failed":
    case "cancelled":
      throw new Error(`${task.type} ${task.status}: ${task.error?.message ?? task.message}`);
    default:
      return task.status satisfies never;
  }
}

async function isTaskDone(task: string): Promise<boolean> {
  return isDone(await good(client.GET("/v1/tasks/{task}", { params: { path: { task } } })));
}

const story: Schemas["NewProject"] = {
  story: "The keeper lit the lamp. The storm came over the sea. In the morning the ship came home.",
  title: "The Lighthouse",
  shotCount: SHOTS,
};
const created = await good(client.POST("/v1/projects", { body: story }));
const path = { project: created.id };

const tasks = await good(client.GET("/v1/projects/{project}/tasks", { params: { path } }));
const storyboard = tasks.items.find((task) => task.type === "generate_storyboard");
if (storyboard === undefined) throw new Error("nobody makes the storyboard");
await until("the storyboard", async () => (await isTaskDone(storyboard.id)) || undefined);

const shots = await until("the shots", async () => {
  const { items } = await good(client.GET("/v1/projects/{project}/shots", { params: { path } }));
  const failed = items.find((shot) => shot.status === "failed");
  if (failed !== undefined) throw new Error(`shot ${failed.order} failed`);
  return items.length === SHOTS && items.every((shot) => shot.status === "completed") ? items : undefined;
});
const pictures = shots.map((shot) => shot.image?.url);

const rendering = await good(
  client.POST("/v1/projects/{project}/film", {
    params: { path, header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { quality: "preview" },
  }),
);
await until("the film", async () => (await isTaskDone(rendering.id)) || undefined);

const film = await good(
  client.GET("/v1/projects/{project}/film", { params: { path, query: { minVersion: rendering.projectVersion } } }),
);
const file = await good(
  client.GET("/v1/projects/{project}/film/download", { params: { path }, parseAs: "arrayBuffer" }),
);

const nowhere = { project: crypto.randomUUID() };
const { error } = await client.GET("/v1/projects/{project}", { params: { path: nowhere } });

console.log(
  JSON.stringify({
    project: created.id,
    pictures,
    filmBytes: film.sizeBytes,
    fileBytes: file.byteLength,
    refusal: error?.code,
  }),
);
