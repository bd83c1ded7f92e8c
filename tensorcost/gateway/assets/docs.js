"use strict";
// Reads /openapi.json from the same origin and shows it. No code or style comes from elsewhere.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

function resolver(spec) {
  return function resolve(node) {
    if (!node || !node.$ref) return node || {};
    const parts = node.$ref.replace("#/", "").split("/");
    return parts.reduce((found, part) => found[part], spec);
  };
}

function typeOf(resolve, schema) {
  const found = resolve(schema);
  if (found.anyOf) return found.anyOf.map((one) => typeOf(resolve, one)).join(" | ");
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (found.type === "array") return `${typeOf(resolve, found.items)}[]`;
  return found.format ? `${found.type} (${found.format})` : found.type || "any";
}

function example(resolve, schema, depth = 0) {
  const found = resolve(schema);
  if (found.examples) return found.examples[0];
  if (found.default !== undefined) return found.default;
  if (found.const !== undefined) return found.const;
  if (found.enum) return found.enum[0];
  if (found.anyOf) return example(resolve, found.anyOf[0], depth);
  if (depth > 6) return null;
  if (found.type === "array") return [example(resolve, found.items, depth + 1)];
  if (found.type === "object" || found.properties) {
    const made = {};
    for (const [name, inner] of Object.entries(found.properties || {})) {
      made[name] = example(resolve, inner, depth + 1);
    }
    return made;
  }
  const plain = { integer: 0, number: 0, boolean: true, null: null };
  if (found.type in plain) return plain[found.type];
  const formats = { uuid: "00000000-0000-7000-8000-000000000000", "date-time": "2026-11-01T00:00:00Z", date: "2026-11-01" };
  return formats[found.format] || "text";
}

function parameterRows(resolve, parameters, inputs) {
  return parameters.map((raw) => {
    const parameter = resolve(raw);
    const label = `${parameter.in} parameter ${parameter.name}`;
    const input = element("input", { "aria-label": label });
    inputs.push({ parameter, input });
    return element(
      "tr", {},
      element("td", {}, element("code", {}, parameter.name), parameter.required ? " *" : ""),
      element("td", {}, parameter.in),
      element("td", {}, typeOf(resolve, parameter.schema)),
      element("td", {}, parameter.description || ""),
      element("td", {}, input),
    );
  });
}

function requestOf(path, inputs, body) {
  const query = new URLSearchParams();
  const headers = {};
  let address = path;
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value === "") continue;
    else if (parameter.in === "query") query.append(parameter.name, input.value);
    else headers[parameter.name] = input.value;
  }
  const token = document.getElementById("token").value.trim();
  const tenant = document.getElementById("tenant").value.trim();
  if (token) headers.Authorization = `Bearer ${token.replace(/^Bearer /i, "")}`;
  if (tenant) headers["X-Active-Tenant-Id"] = tenant;
  if (body) headers["Content-Type"] = "application/json";
  const tail = query.toString();
  return { address: tail ? `${address}?${tail}` : address, headers };
}

async function send(method, path, inputs, area, output) {
  const body = area ? area.value : undefined;
  const { address, headers } = requestOf(path, inputs, body);
  output.textContent = "…";
  try {
    const answer = await fetch(address, { method: method.toUpperCase(), headers, body });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { shown = text; }
    output.textContent = `${method.toUpperCase()} ${address}\n${answer.status} ${answer.statusText}\n\n${shown}`;
  } catch (error) {
    output.textContent = `no answer: ${error.message}`;
  }
}

function fill(resolve, method, path, operation, body) {
  const inputs = [];
  const parameters = operation.parameters || [];
  if (operation.description && operation.description !== operation.summary) {
    body.append(element("p", { class: "about" }, operation.description));
  }
  const scopes = (operation["x-scopes"] || []).map((scope) => element("span", { class: "scope" }, scope));
  if (scopes.length) body.append(element("p", {}, "Scopes: ", ...scopes));
  if (parameters.length) {
    const head = ["Name", "In", "Type", "Meaning", "Value"].map((name) => element("th", { scope: "col" }, name));
    body.append(element("table", {}, element("thead", {}, element("tr", {}, ...head)),
      element("tbody", {}, ...parameterRows(resolve, parameters, inputs))));
  }
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  let area = null;
  if (content) {
    area = element("textarea", { "aria-label": "Request body" });
    area.value = JSON.stringify(example(resolve, content.schema), null, 2);
    body.append(element("h4", {}, "Body"), area);
  }
  const output = element("pre", { "aria-live": "polite" });
  const button = element("button", { type: "button" }, "Send");
  button.addEventListener("click", () => send(method, path, inputs, area, output));
  body.append(element("p", {}, button), output);
  for (const [status, answer] of Object.entries(operation.responses || {})) {
    const media = answer.content && answer.content["application/json"];
    const shape = media ? JSON.stringify(example(resolve, media.schema), null, 2) : "";
    body.append(element("details", {}, element("summary", {}, `${status} ${answer.description || ""}`),
      element("pre", {}, shape)));
  }
}

function operationOf(resolve, method, path, operation) {
  const body = element("div", { class: "body" });
  const made = element("details", { class: "operation", id: operation.operationId },
    element("summary", {},
      element("span", { class: `method ${method}` }, method),
      element("span", { class: "path" }, path),
      element("span", { class: "summary" }, operation.summary || "")),
    body);
  made.addEventListener("toggle", () => {
    if (made.open && !body.hasChildNodes()) fill(resolve, method, path, operation, body);
  });
  return made;
}

function rolesOf(roles) {
  const scopes = [...new Set(Object.values(roles).flat())].sort();
  const head = ["Scope", ...Object.keys(roles)].map((name) => element("th", { scope: "col" }, name));
  const rows = scopes.map((scope) => element("tr", {},
    element("th", { scope: "row" }, element("code", {}, scope)),
    ...Object.values(roles).map((has) => element("td", {}, has.includes(scope) ? "yes" : ""))));
  return element("details", { id: "roles" }, element("summary", {}, "Roles and their scopes"),
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows)));
}

function show(spec) {
  const resolve = resolver(spec);
  const areas = new Map();
  for (const [path, operations] of Object.entries(spec.paths)) {
    for (const method of METHODS.filter((name) => operations[name])) {
      const operation = operations[method];
      const tag = (operation.tags || ["other"])[0];
      if (!areas.has(tag)) areas.set(tag, []);
      areas.get(tag).push(operationOf(resolve, method, path, operation));
    }
  }
  const main = document.getElementById("operations");
  const toc = document.getElementById("toc");
  document.getElementById("title").textContent = `${spec.info.title} ${spec.info.version}`;
  main.replaceChildren(element("p", { class: "about" }, spec.info.description || ""), rolesOf(spec["x-roles"] || {}));
  for (const [tag, made] of [...areas].sort()) {
    toc.append(element("a", { href: `#area-${tag}` }, tag));
    main.append(element("section", { id: `area-${tag}` }, element("h2", {}, tag), ...made));
  }
  main.setAttribute("aria-busy", "false");
}

function filter(text) {
  const wanted = text.toLowerCase();
  for (const made of document.querySelectorAll("details.operation")) {
    made.hidden = !made.querySelector("summary").textContent.toLowerCase().includes(wanted);
  }
}

document.getElementById("access").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("find").addEventListener("input", (event) => filter(event.target.value));
fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => { document.getElementById("operations").textContent = `The description could not be read: ${error.message}`; });
