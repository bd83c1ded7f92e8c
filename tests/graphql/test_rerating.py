"""Re-ratings over GraphQL."""

import pytest

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tests.graphql.world import GraphqlWorld
from tests.support.principals import caller
from tests.support.rerated import Books, waiting_books
from tests.support.spend import MODEL


@pytest.fixture
async def books(face: GraphqlWorld, tenant: TenantId) -> Books:
    """A re-rating of one row of a month that is over."""
    return await waiting_books(face.world.database, tenant)


async def test_the_difference_is_listed_and_shown(
    face: GraphqlWorld, tenant: TenantId, books: Books
) -> None:
    me = caller(tenant)
    page = await face.data(me, "{ reratings(first: 5) { nodes { id state preview } } }")
    (node,) = page["reratings"]["nodes"]
    assert (node["state"], node["preview"]) == ("PREVIEWED", 1)
    query = """query ($id: ID!) { rerating(id: $id) {
        rerating { id } automaticRows approvalRows approvalRequests approvalDelta approvalDrift
        approvalTotalsDelta importedBy
        changes { period periodState modelId kind needsApproval rows besideRows requests
            before after delta drift totalsDelta }
    } }"""
    for key in (node["id"], str(books.ids[-1])):
        shown = (await face.data(me, query, id=key))["rerating"]
        assert shown["rerating"]["id"] == node["id"]
        assert (shown["approvalRows"], shown["approvalRequests"]) == (1, 1)
        assert (shown["approvalDelta"], shown["approvalDrift"]) == ("0.000110000", "0.000000000")
        assert shown["approvalTotalsDelta"] == "0.000110000"
        assert shown["importedBy"] == ["user:importer"]
        assert shown["changes"] == [
            {
                "period": "2026-10",
                "periodState": "CLOSING",
                "modelId": MODEL,
                "kind": "CHANGED",
                "needsApproval": True,
                "rows": 1,
                "besideRows": 0,
                "requests": 1,
                "before": "0.000220000",
                "after": "0.000330000",
                "delta": "0.000110000",
                "drift": "0.000000000",
                "totalsDelta": "0.000110000",
            }
        ]
    again = await face.data(
        me, "query ($id: ID!) { node(id: $id) { ... on Rerating { state } } }", id=node["id"]
    )
    assert again["node"]["state"] == "PREVIEWED"


async def test_decisions_answer_with_the_rerating_or_a_problem(
    face: GraphqlWorld, tenant: TenantId, books: Books
) -> None:
    approve = """mutation ($id: ID!, $preview: Int!) {
        approveRerating(id: $id, preview: $preview) {
            __typename ... on Problem { code } ... on ReratingDetails { approvalRows }
        } }"""
    me, key = caller(tenant), str(books.ids[-1])
    done = (await face.data(me, approve, id=key, preview=1))["approveRerating"]
    assert done == {"__typename": "ReratingDetails", "approvalRows": 1}
    stale = (await face.data(me, approve, id=key, preview=2))["approveRerating"]
    assert stale == {"__typename": "ConflictProblem", "code": "CONFLICT"}
    reader = caller(tenant, [Scope.COST_READ])
    refused = (await face.data(reader, approve, id=key, preview=1))["approveRerating"]
    assert refused["code"] == "FORBIDDEN"
    request = "mutation { requestRerating { __typename ... on Problem { code message } } }"
    busy = (await face.data(me, request))["requestRerating"]
    assert busy["__typename"] == "ConflictProblem"
    assert "decide it first" in busy["message"]
