"""The published schema, and the walk over every root field."""

from dataclasses import replace
from pathlib import Path

import pytest
import strawberry

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.graphql.roots import query
from tensorcost.graphql.schema import Query, build_schema, print_schema, root_fields
from tensorcost.services.authorise import Public, UseCase, requires
from tests.graphql.operations import smallest
from tests.graphql.sockets import Socket
from tests.graphql.world import GraphqlWorld, served
from tests.support.principals import caller

SNAPSHOT = Path(__file__).parents[2] / "docs" / "schema.graphql"
SCHEMA = build_schema()
FIELDS = [
    (kind, SCHEMA.config.name_converter.get_graphql_name(field), shown)
    for kind, field, shown in root_fields()
]
SCOPED = [
    (kind, name, shown)
    for kind, name, shown in FIELDS
    if isinstance(shown, UseCase) and shown.scopes
]


def test_the_committed_schema_is_the_one_that_is_served() -> None:
    assert SNAPSHOT.read_text() == print_schema(), "run `make schema` and read the difference"


def test_no_root_field_is_public() -> None:
    assert [name for _, name, shown in FIELDS if isinstance(shown, Public)] == []


def test_a_root_field_cannot_be_written_without_a_use_case() -> None:
    async def unmarked(self: object) -> str:
        return "x"

    with pytest.raises(TypeError, match="declares no scope"):
        query(unmarked, "A field that names no use case.")


def test_a_field_that_slips_in_unmarked_is_refused_when_the_schema_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @strawberry.type
    class Careless(Query):
        @strawberry.field
        def unmarked(self) -> str:
            return "x"

    monkeypatch.setattr("tensorcost.graphql.schema.Query", Careless)
    with pytest.raises(TypeError, match=r"unmarked: declare it"):
        build_schema()


def test_a_use_case_without_scopes_is_only_one_that_every_member_may_see() -> None:
    free = {name for _, name, shown in FIELDS if isinstance(shown, UseCase) and not shown.scopes}
    assert free == {"viewer", "tenant", "branding", "featureFlags", "events", "node"}


def test_requires_is_what_the_walk_reads() -> None:
    class Service:
        @requires(Scope.COST_READ)
        async def use(self, principal: object) -> None: ...

    assert query(Service.use, "Any.") is not None


@pytest.mark.parametrize(("kind", "name", "shown"), [f for f in SCOPED if f[0] != "subscription"])
async def test_a_query_or_mutation_without_its_scope_is_forbidden(
    face: GraphqlWorld, tenant: TenantId, kind: str, name: str, shown: UseCase
) -> None:
    root = getattr(SCHEMA._schema, f"{kind}_type")
    operation = smallest(SCHEMA._schema, kind, name, root.fields[name])
    without = caller(tenant, set(Scope) - set(shown.scopes))
    answer = await face.ask(without, operation)
    problem = (answer["data"] or {}).get(name)
    if isinstance(problem, dict):
        assert problem["code"] == "FORBIDDEN", answer
    else:
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN", answer
        assert shown.scopes[0].value in error["message"]


@pytest.mark.parametrize("name", [name for kind, name, _ in FIELDS if kind == "subscription"])
async def test_a_subscription_without_its_scope_is_forbidden(
    face: GraphqlWorld, tenant: TenantId, name: str
) -> None:
    assert SCHEMA._schema.subscription_type is not None
    field = SCHEMA._schema.subscription_type.fields[name]
    operation = smallest(SCHEMA._schema, "subscription", name, field)
    nobody = replace(caller(tenant, ()), expires_at=face.world.clock().timestamp() + 900)
    face.principals["fake-nobody"] = nobody
    async with served(face.gateway()) as address, Socket(address, "fake-nobody") as socket:
        await socket.subscribe("1", operation)
        message = await socket.receive()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"
