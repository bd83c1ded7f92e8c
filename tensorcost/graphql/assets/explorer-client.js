// One operation at a time: POST for queries and mutations, graphql-transport-ws for streams.

export const endpoint = new URL(location.pathname, location.href);

export async function post(request, { token, tenant }) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  if (tenant) headers["x-active-tenant-id"] = tenant;
  const answer = await fetch(endpoint, {
    method: "POST", headers, body: JSON.stringify(request), credentials: "omit",
  });
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: `${answer.status} ${text}` }] };
  }
}

// Opens a socket for one subscription. `listen` is told of every answer and of the end;
// the returned function stops the stream.
export function subscribe(request, { token, tenant }, listen) {
  const address = new URL(endpoint);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address, "graphql-transport-ws");
  const send = (message) => socket.send(JSON.stringify(message));
  let over = false;
  const end = (reason) => {
    if (over) return;
    over = true;
    socket.close(1000);
    listen.end(reason);
  };
  socket.onopen = () =>
    send({ type: "connection_init", payload: { authToken: token, activeTenantId: tenant } });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "connection_ack") send({ id: "1", type: "subscribe", payload: request });
    else if (message.type === "next") listen.next(message.payload);
    else if (message.type === "error") end({ errors: message.payload });
    else if (message.type === "complete") end(null);
    else if (message.type === "ping") send({ type: "pong" });
  };
  socket.onclose = ({ code, reason }) =>
    end({ errors: [{ message: `the socket was closed: ${code} ${reason}` }] });
  return () => {
    if (socket.readyState === WebSocket.OPEN && !over) send({ id: "1", type: "complete" });
    end(null);
  };
}

// The kind of the operation that would run, by the rules of the specification: the only one,
// or the one named. Strings and comments are blanked first so that their braces do not count.
export function operationKind(text, name) {
  const plain = text
    .replace(/"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"/g, '""')
    .replace(/#[^\n]*/g, "");
  const found = [];
  let depth = 0;
  for (const token of plain.match(/[{}]|[_A-Za-z]\w*/g) ?? []) {
    if (token === "{" && depth === 0 && !found.open) found.push({ kind: "query", name: null });
    if (token === "{") { depth += 1; found.open = false; }
    else if (token === "}") depth -= 1;
    else if (depth === 0 && /^(query|mutation|subscription|fragment)$/.test(token) && !found.open) {
      found.push({ kind: token, name: null });
      found.open = true;
    } else if (depth === 0 && found.open && found.at(-1).name === null) found.at(-1).name = token;
  }
  const operations = found.filter(({ kind }) => kind !== "fragment");
  return (operations.find((one) => name && one.name === name) ?? operations[0])?.kind ?? "query";
}
