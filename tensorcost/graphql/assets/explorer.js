// The page: an operation, its variables and its answer, beside the schema.

import { operationKind, post, subscribe } from "./explorer-client.js";
import { Docs, INTROSPECTION, Schema } from "./explorer-docs.js";

const FIRST = `# Ctrl+Enter runs. Pick a field on the right to begin with an example.
query WhereDidTheMoneyGo {
  costSummary {
    totals { cost requests unpricedRequests }
    bySource { name cost requests }
  }
  costBreakdown(dimension: MODEL, limit: 5) {
    rows { name cost requests inputTokens outputTokens }
  }
}
`;
const KEPT_ANSWERS = 200;
const part = (id) => document.getElementById(id);
const [token, tenant, query, variables, result, status] =
  ["token", "tenant", "query", "variables", "result", "status"].map(part);
let stop = null;

const caller = () => ({
  token: token.value.trim().replace(/^bearer\s+/i, ""), tenant: tenant.value.trim() || undefined,
});

function show(answer, isBad = Boolean(answer?.errors)) {
  result.textContent = JSON.stringify(answer, null, 2);
  result.classList.toggle("bad", isBad);
}

function requestOf() {
  const given = variables.value.trim();
  return { query: query.value, variables: given ? JSON.parse(given) : {} };
}

async function run() {
  stop?.();
  let request;
  try {
    request = requestOf();
  } catch (error) {
    show({ errors: [{ message: `the variables are not JSON: ${error.message}` }] });
    return;
  }
  keep();
  if (operationKind(request.query) === "subscription") listen(request);
  else await ask(request);
}

async function ask(request) {
  status.textContent = "…";
  const began = performance.now();
  try {
    show(await post(request, caller()));
    status.textContent = `${Math.round(performance.now() - began)} ms`;
  } catch (error) {
    show({ errors: [{ message: String(error) }] });
    status.textContent = "";
  }
}

function listen(request) {
  const answers = [];
  let count = 0;
  status.textContent = "listening";
  part("stop").hidden = false;
  show(answers);
  stop = subscribe(request, caller(), {
    next(answer) {
      answers.unshift(answer);
      answers.length = Math.min(answers.length, KEPT_ANSWERS);
      count += 1;
      status.textContent = `listening, ${count} so far`;
      show(answers, false);
    },
    end(reason) {
      stop = null;
      part("stop").hidden = true;
      status.textContent = `ended after ${count}`;
      if (reason) show([reason, ...answers], true);
    },
  });
}

function keep() {
  sessionStorage.setItem("tensorcost.explorer", JSON.stringify({
    token: token.value, tenant: tenant.value, query: query.value, variables: variables.value,
  }));
}

function recall() {
  const kept = JSON.parse(sessionStorage.getItem("tensorcost.explorer") ?? "{}");
  const given = new URLSearchParams(location.hash.slice(1));
  token.value = given.get("token") ?? kept.token ?? "";
  tenant.value = given.get("tenant") ?? kept.tenant ?? "";
  query.value = kept.query ?? FIRST;
  variables.value = kept.variables ?? "";
  // A token stays out of the address bar, and so out of what is copied from it.
  if (location.hash) history.replaceState(null, "", location.pathname);
}

const docs = new Docs(part("docs"), part("trail"), (kind, field) => {
  const example = docs.schema.example(kind, field);
  query.value = example.query;
  variables.value = example.variables;
  if (field.type) docs.open(nameOf(field.type));
});
const nameOf = (type) => (type.ofType ? nameOf(type.ofType) : type.name);

async function loadDocs() {
  if (!token.value.trim()) {
    part("docs").textContent = "Give a token to read the schema.";
    return;
  }
  const answer = await post({ query: INTROSPECTION }, caller());
  if (answer.data) docs.load(new Schema(answer.data));
  else part("docs").textContent = answer.errors[0].message;
}

query.addEventListener("keydown", (event) => {
  if (event.key !== "Tab" || event.shiftKey) return;
  event.preventDefault();
  query.setRangeText("  ", query.selectionStart, query.selectionEnd, "end");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
});
part("run").onclick = run;
part("stop").onclick = () => stop?.();
part("search").oninput = (event) => docs.search(event.target.value);
token.onchange = loadDocs;
tenant.onchange = loadDocs;
recall();
loadDocs();
