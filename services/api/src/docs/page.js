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
    row(code(required.has(name) ? `${name} *` : name), inShort(property), property.description ?? ""));
  return rows.length ? element("table", {}, ...rows) : inShort(schema);
}

function example(value) {
  if (value === undefined) return null;
  const shown = element("pre", {}, JSON.stringify(value, null, 2));
  return element("details", {}, element("summary", {}, "example"), shown);
}

function answers(responses) {
  return Object.entries(responses).map(([status, answer]) => {
    const content = Object.entries(answer.content ?? {});
    const codes = Object.keys(content[0]?.[1].examples ?? {});
    const what = codes.length ? code(codes.join(" | ")) : element("span", {}, ...content.flatMap(([type, one]) => [code(type), " ", inShort(one.schema), " "]));
    const headers = Object.keys(answer.headers ?? {}).join(", ");
    return row(code(status), element("div", {}, `${answer.description} `, what), headers);
  });
}

function operation(path, method, one) {
  const body = Object.values(one.requestBody?.content ?? {})[0];
  const parameters = (one.parameters ?? []).map((parameter) =>
    row(code(parameter.required ? `${parameter.name} *` : parameter.name), parameter.in, inShort(parameter.schema), parameter.description ?? ""));
  return element("article", { id: one.operationId },
    element("h3", {}, element("span", { class: `method ${method}` }, method), code(path)),
    element("p", {}, element("b", {}, one.summary ?? ""), ` ${one.description ?? ""}`),
    parameters.length ? element("h4", {}, "Parameters") : null,
    parameters.length ? element("table", {}, ...parameters) : null,
    body ? element("h4", {}, "Body") : null,
    body ? inShort(body.schema) : null,
    element("h4", {}, "Answers"),
    element("table", {}, ...answers(one.responses)));
}

function show(api) {
  const index = document.getElementById("index");
  const main = document.getElementById("operations");
  main.replaceChildren(element("h1", {}, `${api.info.title} ${api.info.version}`), element("p", {}, api.info.description ?? ""));
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
    main.append(element("h2", {}, tag), element("p", {}, about.get(tag) ?? ""));
    for (const [path, method, one] of operations) {
      index.append(element("a", { href: `#${one.operationId}` }, element("span", { class: `method ${method}` }, method), one.summary ?? path));
      main.append(operation(path, method, one));
    }
  }
  main.append(element("h2", {}, "Schemas"));
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const parts = schema.allOf ?? [schema];
    main.append(element("article", { id: `schema-${name}` }, element("h3", {}, name),
      element("p", {}, schema.description ?? ""), ...parts.map((part) => properties(part)), example(schema.example)));
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
