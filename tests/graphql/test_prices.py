"""A tenant's own prices over GraphQL."""

import json
from datetime import UTC, datetime

from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import RoutingScope
from tests.graphql.world import GraphqlWorld
from tests.support.principals import caller
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses


async def test_own_prices_are_imported_and_say_what_they_are_for(
    face: GraphqlWorld, tenant: TenantId
) -> None:
    moment = datetime(2026, 7, 5, 9, tzinfo=UTC)
    geo = dimension(routing_scope=RoutingScope.GEO)
    await add_uses(face.world.database, tenant, [Use(moment, dimension()), Use(moment, geo)])
    deal = {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 1e-06}
    asked = {"map": json.dumps({MODEL: deal}), "day": "2026-07-01", "source": "contract 7"}
    query = """mutation ($map: String!, $day: Date!, $source: String!) {
        importPrices(priceMap: $map, effectiveFrom: $day, source: $source) {
            __typename
            ... on PriceImport { new source prices models idleModels
                matches { modelId isIdle places { kinds place { routingScope requests } }
                    nearMisses { differs writeAs place { requests } } } }
            ... on Problem { code message }
            ... on ValidationProblem { field } } }"""
    me = caller(tenant)
    made = (await face.data(me, query, **asked))["importPrices"]
    assert (made["new"], made["source"], made["models"], made["idleModels"]) == (
        True, "contract 7", 1, 0,
    )  # fmt: skip
    (match,) = made["matches"]
    (place,) = match["places"]
    (miss,) = match["nearMisses"]
    assert (place["place"], place["kinds"]) == (
        {"routingScope": "in_region", "requests": 1},
        ["input"],
    )
    assert (miss["differs"], miss["writeAs"]) == (["routing_scope"], f"us.{MODEL}")
    again = (await face.data(me, query, **asked))["importPrices"]
    assert again["new"] is False

    for wrong, field in (({"map": "[]"}, "file"), ({"source": ""}, "source")):
        refused = (await face.data(me, query, **(asked | wrong)))["importPrices"]
        assert (refused["__typename"], refused["field"]) == ("ValidationProblem", field)
    others = [scope for scope in Scope if scope is not Scope.PRICE_ADMIN]
    denied = (await face.data(caller(tenant, others), query, **asked))["importPrices"]
    assert denied["__typename"] == "ForbiddenProblem"
