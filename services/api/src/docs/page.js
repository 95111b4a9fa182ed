// Shows /openapi.json: an index, and for each operation its parameters, body and answers.

const METHODS = ["get", "post", "put", "patch", "delete"];

/** An element with attributes and children; text is never read as HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null));
  return made;
}

const code = (text) => element("code", {}, text);

/** Words in which `this` is code; nothing else in them means anything. */
function prose(text, name = "span") {
  const parts = (text ?? "").split("`");
  if (parts.length % 2 === 0) return element(name, {}, text);
  return element(name, {}, ...parts.map((part, i) => (i % 2 ? code(part) : part)));
}

/** A schema in one line: names of others are links to their place at the end. */
function inShort(schema) {
  if (!schema) return element("span");
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return element("a", { href: `#schema-${name}` }, name);
  }
  for (const joint of ["allOf", "oneOf", "anyOf"]) {
    if (schema[joint]) {
      const parts = schema[joint].flatMap((part, i) => [i ? (joint === "allOf" ? " + " : " or ") : "", inShort(part)]);
      return element("span", {}, ...parts);
    }
  }
  if (schema.type === "array") return element("span", {}, "list of ", inShort(schema.items));
  const limits = ["format", "pattern", "minimum", "maximum", "minLength", "maxLength"]
    .filter((key) => schema[key] !== undefined).map((key) => `${key} ${schema[key]}`);
  if (schema.enum) limits.push(schema.enum.join(" | "));
  const type = [schema.type ?? (schema.properties ? "object" : "anything")].flat().join(" or ");
  return code([type, ...limits].join(", "));
}

const row = (...cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));

function properties(schema) {
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) =>
    row(code(required.has(name) ? `${name} *` : name), inShort(property), prose(property.description)));
  return rows.length ? element("table", {}, ...rows) : inShort(schema);
}

function example(value) {
  if (value === undefined) return null;
  const shown = element("pre", {}, JSON.stringify(value, null, 2));
  return element("details", {}, element("summary", {}, "Example"), shown);
}

/** What every request and every answer has; the page's beginning tells of it. */
const EVERYWHERE = "X-Request-Id";

function answer(status, one) {
  const content = Object.entries(one.content ?? {});
  const codes = Object.keys(content[0]?.[1].examples ?? {});
  const what = codes.length
    ? codes.flatMap((each, i) => [i ? ", " : "", code(each)])
    : content.flatMap(([type, { schema }]) => [code(type), " ", inShort(schema), " "]);
  const headers = Object.keys(one.headers ?? {}).filter((name) => name !== EVERYWHERE).join(", ");
  return row(code(status), element("div", {}, prose(one.description), " ", ...what), headers);
}

/** What one hopes for, and behind a click what can go wrong. */
function answers(responses) {
  const rows = Object.entries(responses).map(([status, one]) => [status >= "400", answer(status, one)]);
  const table = (bad) => element("table", {}, ...rows.filter(([is]) => is === bad).map(([, shown]) => shown));
  const errors = element("details", {}, element("summary", {}, "Errors"), table(true));
  return [element("h4", {}, "Answers"), table(false), rows.some(([bad]) => bad) ? errors : null];
}

function operation(path, method, one, schemas) {
  const [type, body] = Object.entries(one.requestBody?.content ?? {})[0] ?? [];
  const parameters = (one.parameters ?? []).filter(({ name }) => name !== EVERYWHERE).map((parameter) =>
    row(code(parameter.required ? `${parameter.name} *` : parameter.name), parameter.in, inShort(parameter.schema), prose(parameter.description)));
  return element("article", { id: one.operationId },
    element("h3", {}, element("span", { class: `method ${method}` }, method), code(path)),
    element("p", {}, element("b", {}, one.summary ?? ""), " ", prose(one.description)),
    parameters.length ? element("h4", {}, "Parameters") : null,
    parameters.length ? element("table", {}, ...parameters) : null,
    body ? element("h4", {}, "Body") : null,
    body ? element("p", {}, code(type), " ", inShort(body.schema), " ", prose(one.requestBody.description)) : null,
    body ? example(schemas[body.schema.$ref?.split("/").pop()]?.example) : null,
    ...answers(one.responses));
}

/** Shows only what has these words. */
function search(words) {
  const wanted = words.toLowerCase().split(/\s+/);
  for (const shown of document.querySelectorAll("[data-words]")) {
    shown.hidden = !wanted.every((word) => shown.dataset.words.includes(word));
  }
}

function show(api) {
  const index = document.getElementById("index");
  const main = document.getElementById("operations");
  main.replaceChildren(element("h1", {}, `${api.info.title} ${api.info.version}`), prose(api.info.description, "p"),
    element("p", {}, "Every answer has ", code(EVERYWHERE), ": the request's own, or a new one. What has a * must be there."));
  const box = element("input", { type: "search", placeholder: "Search", "aria-label": "Search the operations" });
  box.addEventListener("input", () => search(box.value));
  index.append(box);
  const groups = new Map((api.tags ?? []).map((tag) => [tag.name, []]));
  const about = new Map((api.tags ?? []).map((tag) => [tag.name, tag.description]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((name) => item[name])) {
      const tag = item[method].tags?.[0] ?? "others";
      groups.set(tag, [...(groups.get(tag) ?? []), [path, method, item[method]]]);
    }
  }
  for (const [tag, operations] of groups) {
    if (!operations.length) continue;
    index.append(element("h2", {}, tag));
    main.append(element("h2", {}, tag), prose(about.get(tag), "p"));
    for (const [path, method, one] of operations) {
      const link = element("a", { href: `#${one.operationId}` }, element("span", { class: `method ${method}` }, method), one.summary ?? path);
      const shown = operation(path, method, one, api.components.schemas);
      link.dataset.words = shown.dataset.words = `${tag} ${method} ${path} ${one.operationId} ${one.summary}`.toLowerCase();
      index.append(link);
      main.append(shown);
    }
  }
  main.append(element("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const parts = schema.allOf ?? [schema];
    main.append(element("article", { id: `schema-${name}` }, element("h3", {}, name),
      prose(schema.description, "p"), ...parts.map((part) => properties(part)), example(schema.example)));
  }
}

try {
  const answer = await fetch("/openapi.json");
  show(await answer.json());
  // The anchor of the address exists only now.
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (error) {
  document.getElementById("operations").replaceChildren(element("p", {}, `openapi.json cannot be read: ${error.message}`));
}
