"""Two tenants side by side: every root field, asked by one, shows nothing of the other."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor
from tensorcost.graphql.schema import build_schema
from tensorcost.storage.sync_steps import plan_steps
from tests.graphql.operations import smallest
from tests.graphql.world import GraphqlWorld
from tests.support.connections import NOW, log_item, make_connection, make_run
from tests.support.databases import Database
from tests.support.principals import caller
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses
from tests.support.tenants import make_tenant

CANARY = "canary-of-the-other-tenant"
SCHEMA = build_schema()._schema
assert SCHEMA.query_type is not None
QUERIES = sorted(SCHEMA.query_type.fields)
BY_ID = {"connection", "connectionSetup", "connectionBucketPolicy", "syncRun", "node"}


@pytest.fixture(scope="module")
async def other(face: GraphqlWorld, database: Database) -> dict[str, str]:
    """A tenant full of canaries; its ids by the root field that takes them."""
    tenant = await make_tenant(database)
    db = face.world.database
    when = datetime.now(UTC) - timedelta(hours=3)
    who = Actor(user=CANARY, agent=CANARY, workflow=CANARY)
    await add_uses(db, tenant, [Use(when, dimension(team=CANARY, application=CANARY), who=who)])
    connection = await make_connection(db, tenant, name=CANARY)
    run = await make_run(db, connection)
    async with db.tenant(tenant) as tx:
        await plan_steps(tx, run.run_id, [log_item(0)], NOW)
        await tx.run("UPDATE app.tenant SET name = :name", name=CANARY)
    ids = dict.fromkeys(BY_ID, str(connection.connection_id))
    return {**ids, "syncRun": str(run.run_id), "tenant": str(tenant)}


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_shows_nothing_of_another_tenant(
    face: GraphqlWorld, tenant: TenantId, other: dict[str, str], name: str
) -> None:
    operation = _everything(name).replace(
        "00000000-0000-7000-8000-000000000001", other.get(name, "x")
    )
    operation = operation.replace('agent: "x"', f'agent: "{CANARY}"')
    operation = operation.replace('workflow: "x"', f'workflow: "{CANARY}"')
    answer = await face.ask(caller(tenant), operation)
    assert CANARY not in json.dumps(answer["data"])
    if name in BY_ID - {"node"} or name in {"agentCost", "workflowCost"}:
        assert answer["data"] == {name: None}
        assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"


async def test_the_other_tenant_does_see_its_own_canaries(
    face: GraphqlWorld, other: dict[str, str]
) -> None:
    theirs = caller(TenantId(UUID(other["tenant"])))
    for name in ("tenant", "connections", "aiSpend", "agentCost"):
        operation = _everything(name).replace('agent: "x"', f'agent: "{CANARY}"')
        assert CANARY in json.dumps(await face.data(theirs, operation)), name


@pytest.mark.parametrize(
    "mutation",
    [
        'changeConnection(id: "{id}", changes: {{}})',
        'validateConnection(id: "{id}")',
        'retryConnection(id: "{id}")',
        'cancelConnection(id: "{id}")',
        'cancelRun(id: "{run}")',
    ],
)
async def test_a_mutation_cannot_reach_another_tenants_rows(
    face: GraphqlWorld, tenant: TenantId, other: dict[str, str], mutation: str
) -> None:
    field = mutation.format(id=other["connection"], run=other["syncRun"])
    found = await face.data(caller(tenant), f"mutation {{ found: {field} {{ __typename }} }}")
    assert found == {"found": {"__typename": "NotFoundProblem"}}


def _everything(name: str) -> str:
    """The smallest operation of ``name``, with every plain field three levels deep."""
    assert SCHEMA.query_type is not None
    field = SCHEMA.query_type.fields[name]
    operation = smallest(SCHEMA, "query", name, field)
    return operation.replace("{ __typename }", _selection(get_named_type(field.type), 4))


def _selection(kind: object, depth: int) -> str:
    if not isinstance(kind, GraphQLObjectType) or depth == 0:
        return "{ __typename }"
    parts = ["__typename"]
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(name)
        elif not field.args and name != "edges":
            parts.append(f"{name} {_selection(inner, depth - 1)}")
    return "{ " + " ".join(parts) + " }"
