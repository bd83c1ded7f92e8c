"""The GraphQL face as one ASGI application, mounted by the gateway at /graphql."""

from starlette.types import ASGIApp, Receive, Scope, Send

from tensorcost.graphql.deps import GraphqlDeps
from tensorcost.graphql.execution.engine import Engine
from tensorcost.graphql.explorer import Explorer
from tensorcost.graphql.http import GraphqlHttp, respond
from tensorcost.graphql.schema import build_schema
from tensorcost.graphql.ws.connection import Connection
from tensorcost.graphql.ws.groups import Groups

_ALLOW = ((b"allow", b"POST"), (b"content-type", b"text/plain; charset=utf-8"))


def build(deps: GraphqlDeps) -> ASGIApp:
    """POST for queries and mutations, a websocket for subscriptions, GET for the explorer."""
    engine = Engine(build_schema(), deps.settings)
    post = GraphqlHttp(engine, deps)
    groups = Groups(engine)
    explorer = Explorer() if deps.settings.explorer else None

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await Connection(engine, groups, deps).serve(scope, receive, send)
        elif scope["type"] == "http":
            if scope["method"] == "POST":
                await post(scope, receive, send)
            elif explorer is not None and scope["method"] in ("GET", "HEAD"):
                await explorer(scope, receive, send)
            else:
                await respond(send, 405, b"send GraphQL requests by POST\n", _ALLOW)

    return app
