"""Every root field of the schema, asked by one tenant with another's ids and names."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from graphql import GraphQLInterfaceType

from tensorcost.graphql.schema import build_schema
from tests.isolation.belongings import Belongings, belongings_of
from tests.isolation.catalogue import Catalogue, differences, open_catalogue
from tests.isolation.conftest import Street
from tests.isolation.graphql_operations import Arguments, Operation, operations, root_fields
from tests.support.answers import ids_in

SCHEMA = build_schema()._schema
QUERIES = list(root_fields(SCHEMA, "query"))
MUTATIONS = sorted(root_fields(SCHEMA, "mutation"), key=lambda name: name == "inviteMember")
"""The invitation comes last: it makes one of theirs a member to be of ours."""
NOTHING_OF_ITS_OWN = {
    "connectionTemplate": "the same stack for everybody",
    "featureFlags": "names of flags and whether they are on",
    "onboarding": "a state and times",
}
"""Queries whose answer holds no id, name or amount of the tenant that asks."""
HARVEST = """{
  viewer { tenant { __typename id } }
  connections(first: 1) { nodes { __typename id } pageInfo { endCursor } }
  findings(first: 1) { nodes { __typename id } pageInfo { endCursor } }
  quarantine(first: 1) { nodes { __typename id } pageInfo { endCursor } }
  members(first: 1) { nodes { __typename id } pageInfo { endCursor } }
  auditEntries(first: 1) { nodes { __typename id } pageInfo { endCursor } }
  reconciliationPeriods(first: 1) { nodes { period } pageInfo { endCursor } }
  reconciliationLedger(first: 1, period: "2026-10") { nodes { day } pageInfo { endCursor } }
  reconciliationLines(first: 1, period: "2026-10") { nodes { day } pageInfo { endCursor } }
  reratings(first: 1) { nodes { __typename id } pageInfo { endCursor } }
  aiSpend(first: 1) { nodes { __typename id } pageInfo { endCursor } }
  more: connections(first: 1) { nodes { runs(first: 1) { nodes { __typename id } } } }
}"""


@dataclass(frozen=True)
class Walk:
    street: Street
    catalogue: Catalogue
    client: httpx2.AsyncClient
    theirs: Arguments
    belongings: Belongings

    async def ask(self, query: str, token: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"}
        answer = await self.client.post("/graphql", json={"query": query}, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return {**found, "text": answer.text}

    def operations(self, kind: str, name: str) -> Iterator[Operation]:
        return operations(SCHEMA, kind, name, self.theirs)


@pytest.fixture(scope="module")
async def walk(street: Street) -> AsyncIterator[Walk]:
    async with (
        open_catalogue(street.database.superuser_url) as catalogue,
        street.api.client() as client,
    ):
        found = await belongings_of(catalogue, street.theirs.id, [street.ours.id])
        seals = await catalogue.rows("app.audit_seal", street.theirs.id)
        last = max(seals, key=lambda row: int(row["chain_no"]))
        head = (last["chain_no"], last["hash"][2:])
        nothing = Arguments(street.theirs, street.api.clock(), head, {}, {})
        walk = Walk(street, catalogue, client, nothing, found)
        harvest = await walk.ask(HARVEST, street.theirs.token)
        assert "errors" not in harvest, harvest["errors"]
        cursors = {
            name: part["pageInfo"]["endCursor"]
            for name, part in harvest["data"].items()
            if "pageInfo" in part
        }
        ids = dict(ids_in(harvest["data"]))
        yield replace(walk, theirs=replace(nothing, ids=ids, cursors=cursors))


def test_the_walk_holds_an_id_of_every_type_that_has_one(walk: Walk) -> None:
    node = SCHEMA.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    assert {one.name for one in SCHEMA.get_implementations(node).objects} <= set(walk.theirs.ids)


async def test_they_do_see_what_the_walk_looks_for(walk: Walk) -> None:
    blind = []
    for name in QUERIES:
        shown = False
        for operation in walk.operations("query", name):
            answer = await walk.ask(operation.text, walk.street.theirs.token)
            if not operation.aimed:
                assert "errors" not in answer, (operation.text, answer["errors"])
            shown = shown or bool(walk.belongings.in_answer(answer["text"], [operation.text]))
        blind += [] if shown else [name]
    assert set(blind) == set(NOTHING_OF_ITS_OWN)


@pytest.mark.parametrize("name", sorted(QUERIES, key=lambda name: name != "auditEntries"))
async def test_a_query_shows_nothing_of_theirs(walk: Walk, name: str) -> None:
    for operation in walk.operations("query", name):
        answer = await walk.ask(operation.text, walk.street.ours.token)
        assert walk.belongings.in_answer(answer["text"], [operation.text]) == [], operation.text
        _check_codes(answer)
        if operation.aimed:
            assert answer["data"] == {name: None}, (operation.text, answer["text"])
            # A node that is not there is null, as relay has it.
            assert answer.get("errors") or name == "node", operation.text


@pytest.mark.parametrize("name", MUTATIONS)
async def test_a_mutation_shows_and_changes_nothing_of_theirs(walk: Walk, name: str) -> None:
    before = await walk.catalogue.everything(walk.street.theirs.id)
    for operation in walk.operations("mutation", name):
        answer = await walk.ask(operation.text, walk.street.ours.token)
        shown = set(walk.belongings.in_answer(answer["text"], [operation.text]))
        if name == "inviteMember":
            # Users are global (decisions 18): the same person has one id everywhere.
            shown -= {str(walk.street.theirs.tenant.owner_id)}
        assert shown == set(), (operation.text, answer["text"])
        _check_codes(answer)
        if operation.aimed:
            assert answer["data"][name]["__typename"] in ("NotFoundProblem", "ValidationProblem")
    after = await walk.catalogue.everything(walk.street.theirs.id)
    assert differences(before, after) == []


def _check_codes(answer: Mapping[str, Any]) -> None:
    """Refusals by their names; a defect of ours or a document too large would prove nothing."""
    for error in answer.get("errors", ()):
        assert error["extensions"]["code"] in ("NOT_FOUND", "VALIDATION_FAILED"), error


async def test_nobody_asks_in_their_tenant_without_being_a_member(walk: Walk) -> None:
    street, api = walk.street, walk.street.api
    header = {"x-active-tenant-id": str(street.theirs.id)}
    claimed = api.minter.user(street.ours.tenant.owner_id, street.theirs.id)
    for token, headers, status in (
        (street.ours.token, header, 404),
        (api.service_token(street.ours.id), header, 403),
        (claimed, {}, 401),
    ):
        answer = await walk.client.post(
            "/graphql",
            json={"query": "{ tenant { name } }"},
            headers={**headers, "authorization": f"Bearer {token}"},
        )
        assert answer.status_code == status, answer.text
        assert walk.belongings.in_answer(answer.text, [str(street.theirs.id)]) == []
