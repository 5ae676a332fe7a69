"use strict";
// Reads openapi.json and lists it. Everything is put in as text, never as markup.
const el = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
};

const typeOf = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const union = schema.oneOf ?? schema.anyOf;
  if (union) return union.map(typeOf).join(" | ");
  const types = [].concat(schema.type ?? "any");
  const names = types.map((type) => (type === "array" ? `${typeOf(schema.items)}[]` : type));
  return names.join(" | ") + (schema.format ? ` (${schema.format})` : "");
};

const rows = (entries) =>
  el("table", {}, ...entries.map(([name, type, note]) =>
    el("tr", {}, el("td", {}, el("code", { textContent: name })), el("td", {}, el("code", { textContent: type })),
      el("td", { textContent: note ?? "" }))));

const bodyType = (content) =>
  Object.entries(content ?? {}).map(([kind, media]) => `${typeOf(media.schema)} · ${kind}`).join(", ");

const operation = (method, path, op) => {
  const box = el("details", { id: op.operationId ?? `${method}-${path}` },
    el("summary", {}, el("span", { className: "method", textContent: method.toUpperCase() }),
      el("code", { textContent: path }), ` ${op.summary ?? ""}`));
  if (op.description) box.append(el("p", { textContent: op.description }));
  const params = (op.parameters ?? []).map((p) =>
    [`${p.name}${p.required ? "" : "?"}`, `${typeOf(p.schema)} in ${p.in}`, p.description]);
  if (params.length) box.append(el("h4", { textContent: "Parameters" }), rows(params));
  if (op.requestBody) box.append(el("h4", { textContent: "Body" }), el("p", {}, el("code", { textContent: bodyType(op.requestBody.content) })));
  const answers = Object.entries(op.responses ?? {}).map(([status, r]) => [status, bodyType(r.content), r.description]);
  box.append(el("h4", { textContent: "Answers" }), rows(answers));
  return box;
};

const schema = (name, s) => {
  const box = el("details", { id: `schema-${name}` }, el("summary", {}, el("code", { textContent: name })));
  if (s.description) box.append(el("p", { textContent: s.description }));
  if (s.enum) box.append(el("p", {}, el("code", { textContent: s.enum.join(" | ") })));
  const needed = new Set(s.required ?? []);
  const fields = Object.entries(s.properties ?? {}).map(([field, f]) =>
    [`${field}${needed.has(field) ? "" : "?"}`, typeOf(f), f.description]);
  if (fields.length) box.append(rows(fields));
  return box;
};

const show = (api) => {
  document.getElementById("about").textContent = `${api.info.description ?? ""} Version ${api.info.version}.`;
  const byTag = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, op] of Object.entries(item)) {
      const tag = op.tags?.[0] ?? "other";
      if (!byTag.has(tag)) byTag.set(tag, []);
      byTag.get(tag).push(operation(method, path, op));
    }
  }
  const target = document.getElementById("endpoints");
  for (const [tag, boxes] of byTag) target.append(el("h2", { textContent: tag, id: `tag-${tag}` }), ...boxes);
  document.getElementById("contents").append(el("ul", {}, ...[...byTag.keys()].map((tag) =>
    el("li", {}, el("a", { href: `#tag-${tag}`, textContent: tag })))));
  const schemas = document.getElementById("schemas");
  schemas.append(el("h2", { textContent: "Schemas" }));
  for (const [name, s] of Object.entries(api.components?.schemas ?? {})) schemas.append(schema(name, s));
  document.getElementById("state").remove();
};

fetch("/api/v1/openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(show)
  .catch((error) => {
    document.getElementById("state").textContent = `The description could not be read (${error.message}). Reload the page.`;
  });
