// The schema to read and to pick from, out of the introspection query.

const TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
export const INTROSPECTION = `query Schema { __schema {
  queryType { name } mutationType { name } subscriptionType { name }
  types { kind name description
    fields { name description type { ${TYPE} } args { name type { ${TYPE} } defaultValue } }
    inputFields { name description type { ${TYPE} } defaultValue }
    enumValues { name description } possibleTypes { name } } } }`;

export const spell = (type) =>
  type.kind === "NON_NULL" ? `${spell(type.ofType)}!`
  : type.kind === "LIST" ? `[${spell(type.ofType)}]`
  : type.name;

export const named = (type) => (type.ofType ? named(type.ofType) : type.name);

export class Schema {
  constructor({ __schema: found }) {
    this.types = new Map(found.types.map((type) => [type.name, type]));
    this.roots = ["query", "mutation", "subscription"]
      .filter((kind) => found[`${kind}Type`])
      .map((kind) => ({ kind, type: this.types.get(found[`${kind}Type`].name) }));
  }

  // An operation that asks for a root field: its required arguments as variables, and every
  // leaf of its answer, two levels deep.
  example(kind, field) {
    const needed = field.args.filter((arg) => arg.type.kind === "NON_NULL" && !arg.defaultValue);
    const head = needed.map((arg) => `$${arg.name}: ${spell(arg.type)}`).join(", ");
    const args = needed.map((arg) => `${arg.name}: $${arg.name}`).join(", ");
    const name = field.name[0].toUpperCase() + field.name.slice(1);
    const body = this.selection(named(field.type), "    ", 3);
    const variables = Object.fromEntries(needed.map((arg) => [arg.name, this.sample(arg.type)]));
    return {
      query: `${kind} ${name}${head && `(${head})`} {\n  ${field.name}${args && `(${args})`}${body}\n}`,
      variables: needed.length ? JSON.stringify(variables, null, 2) : "",
    };
  }

  selection(typeName, indent, depth) {
    const type = this.types.get(typeName);
    if (type.possibleTypes && !type.fields?.length) {
      const members = type.possibleTypes.map(
        ({ name }) => `... on ${name}${this.selection(name, `${indent}  `, depth)}`);
      return ` {\n${indent}__typename\n${indent}${members.join(`\n${indent}`)}\n${indent.slice(2)}}`;
    }
    if (!type.fields) return "";
    const fields = type.fields
      .filter((field) => field.args.every((arg) => arg.type.kind !== "NON_NULL"))
      .filter((field) => field.name !== "nodes")
      .map((field) => [field.name, this.types.get(named(field.type))])
      .filter(([, inner]) => depth > 1 || !(inner.fields || inner.possibleTypes))
      .map(([name, inner]) => name + this.selection(inner.name, `${indent}  `, depth - 1));
    const chosen = fields.length ? fields : ["__typename"];
    return ` {\n${indent}${chosen.join(`\n${indent}`)}\n${indent.slice(2)}}`;
  }

  sample(type) {
    if (type.kind === "NON_NULL") return this.sample(type.ofType);
    if (type.kind === "LIST") return [];
    const found = this.types.get(type.name);
    if (found.kind === "ENUM") return found.enumValues[0].name;
    if (found.kind === "INPUT_OBJECT") {
      const needed = found.inputFields.filter(
        (field) => field.type.kind === "NON_NULL" && !field.defaultValue);
      return Object.fromEntries(needed.map((field) => [field.name, this.sample(field.type)]));
    }
    return { Int: 20, Count: 20, Float: 1, Boolean: true }[type.name] ?? "";
  }
}

// Shows the schema in `into`, with the way back in `trail`; `pick(kind, field)` is called with
// a root field that was chosen.
export class Docs {
  constructor(into, trail, pick) {
    Object.assign(this, { into, trail, pick, schema: null, path: [] });
  }

  load(schema) {
    this.schema = schema;
    this.home();
  }

  home() {
    this.path = [];
    const entries = this.schema.roots.flatMap(({ kind, type }) =>
      type.fields.map((field) => this.entry(field, () => this.pick(kind, field), kind)));
    this.show(entries);
  }

  open(name) {
    const type = this.schema.types.get(name);
    this.path = [...this.path.filter((one) => one !== name), name];
    const text = document.createElement("p");
    text.textContent = type.description ?? type.kind.toLowerCase();
    const parts = type.fields ?? type.inputFields ?? type.enumValues ?? type.possibleTypes ?? [];
    this.show([text, ...parts.map((part) => this.entry(part))]);
  }

  search(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted || !this.schema) return this.schema && this.home();
    const roots = this.schema.roots.flatMap(({ kind, type }) =>
      type.fields
        .filter((field) => field.name.toLowerCase().includes(wanted))
        .map((field) => this.entry(field, () => this.pick(kind, field), kind)));
    const types = [...this.schema.types.values()]
      .filter(({ name }) => !name.startsWith("__") && name.toLowerCase().includes(wanted))
      .map((type) => this.entry({ name: type.name, description: type.description },
        () => this.open(type.name), "type"));
    this.show([...roots, ...types]);
  }

  entry(part, chosen, note = "") {
    const list = document.createElement("dl");
    const term = document.createElement("dt");
    const text = document.createElement("dd");
    if (note) term.append(`${note} `);
    term.append(chosen ? link(part.name, chosen) : part.name);
    if (part.args?.length) {
      term.append(`(${part.args.map((arg) => `${arg.name}: ${spell(arg.type)}`).join(", ")})`);
    }
    if (part.type) {
      term.append(": ", link(spell(part.type), () => this.open(named(part.type))));
    } else if (!chosen && this.schema.types.has(part.name)) {
      term.replaceChildren(link(part.name, () => this.open(part.name)));
    }
    text.textContent = part.description ?? "";
    list.append(term, text);
    return list;
  }

  show(nodes) {
    this.into.replaceChildren(...nodes);
    this.into.scrollTop = 0;
    const back = [link("roots", () => this.home())];
    for (const name of this.path) back.push(" › ", link(name, () => this.open(name)));
    this.trail.replaceChildren(...(this.path.length ? back : []));
  }
}

function link(text, chosen) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.onclick = chosen;
  return button;
}
