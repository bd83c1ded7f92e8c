"""Reconciled months as the dashboard asks for them."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import date
from typing import Any

import pytest

from tensorcost.domain.cost.reconciliation.closing import Cause
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tests.graphql.world import GraphqlWorld
from tests.support.bills import bill_line, load_bill
from tests.support.databases import Database
from tests.support.principals import caller
from tests.support.reconciled import PLACE, explained_day, write_version
from tests.support.tenants import make_tenant

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
OCTOBER = {"from": "2026-10-01", "to": "2026-11-01"}
AMOUNT = "{ unblended amortized net }"


@pytest.fixture(scope="module")
async def payer(face: GraphqlWorld, database: Database) -> TenantId:
    """October in two versions: first two dollars, then four of five attributed."""
    tenant, db = await make_tenant(database), face.world.database
    nano = {"unblended_nano": 5 * 10**9, "amortized_nano": 25 * 10**8, "net_nano": 125 * 10**7}
    bill = await load_bill(db, tenant, [bill_line(FIFTH, **nano), bill_line(SIXTH, **nano)])
    second = explained_day(4, 1, 3)
    for day, causes in ((explained_day(2, 3, 3), ()), (second, (Cause.RULES,))):
        days = {FIFTH: day, SIXTH: second}
        await write_version(db, tenant, days, deliveries=[bill], causes=causes)
    face.world.clock.move(minutes=5)
    return tenant


async def test_months_are_a_connection(face: GraphqlWorld, payer: TenantId) -> None:
    query = f"""{{ reconciliationPeriods(first: 5) {{
        nodes {{ period state pending version {{ version knownAt closedUntil }}
            totals {{ currency estimate billed {AMOUNT} attributed {AMOUNT} difference {AMOUNT}
                unattributed {{ share amount {AMOUNT} }} gaps {{ gapClass amount {AMOUNT} }} }} }}
        pageInfo {{ hasNextPage endCursor }} }} }}"""
    found = (await face.data(caller(payer), query))["reconciliationPeriods"]
    (month,) = found["nodes"]
    assert (month["period"], month["state"], month["pending"]) == ("2026-10", "CLOSING", False)
    assert (month["version"]["version"], month["version"]["closedUntil"]) == (2, "2026-10-07")
    (total,) = month["totals"]
    assert total["billed"] == {
        "unblended": "10.000000000",
        "amortized": "5.000000000",
        "net": "2.500000000",
    }
    assert [(part["share"], part["amount"]["net"]) for part in total["unattributed"]] == [
        ("UNLOGGED", "0.500000000")
    ]
    assert set(total["difference"].values()) == {"0.000000000"}
    assert [gap["gapClass"] for gap in total["gaps"]] == ["UNLOGGED", "PRICE_DRIFT"]
    after = found["pageInfo"]["endCursor"]
    assert not found["pageInfo"]["hasNextPage"]
    rest = f'{{ reconciliationPeriods(first: 5, after: "{after}") {{ nodes {{ period }} }} }}'
    assert (await face.data(caller(payer), rest))["reconciliationPeriods"]["nodes"] == []


async def test_one_month_and_what_its_versions_changed(face: GraphqlWorld, payer: TenantId) -> None:
    query = f"""{{
        reconciliationPeriod(period: "2026-10") {{
            period state olderRules versions {{ version days daysChanged causes }}
            explained {{ currency gapClass meaning remedy
                contributors {{ accountId modelId days remedy amount {AMOUNT} }} }}
            bills {{ exportName counted lines totals {{ currency amount {AMOUNT} }} }} }}
        reconciliationDiff(period: "2026-10") {{
            fromVersion toVersion causes restCount totals {{ currency accountId billed {AMOUNT} }}
            deltas {{ accountId modelId lineClass attributed {AMOUNT} billed {AMOUNT} }} }}
    }}"""
    found = await face.data(caller(payer), query)
    month, diff = found["reconciliationPeriod"], found["reconciliationDiff"]
    assert [list(v.values()) for v in month["versions"]] == [[2, 2, 1, ["RULES"]], [1, 2, 2, []]]
    assert month["olderRules"] is False
    assert (month["period"], month["state"]) == ("2026-10", "CLOSING")
    unlogged = next(one for one in month["explained"] if one["gapClass"] == "UNLOGGED")
    (place,) = unlogged["contributors"]
    assert (place["days"], place["amount"]["unblended"]) == (2, "2.000000000")
    assert unlogged["meaning"]
    (bill,) = month["bills"]
    assert (bill["exportName"], bill["counted"], bill["lines"]) == ("daily", True, 2)
    assert (diff["fromVersion"], diff["toVersion"], diff["causes"]) == (1, 2, ["RULES"])
    (delta,) = diff["deltas"]
    assert (delta["lineClass"], delta["attributed"]["unblended"]) == ("USAGE", "2.000000000")
    assert delta["billed"]["unblended"] == "0.000000000"


async def test_the_lines_of_the_bill_are_paged_and_filtered(
    face: GraphqlWorld, payer: TenantId
) -> None:
    query = f"""query ($after: String, $filter: BillLineFilterInput, $window: WindowInput) {{
        reconciliationLines(period: "2026-10", first: 1, after: $after, filter: $filter,
            window: $window) {{
            edges {{ cursor node {{ day lineClass usageType productCode invoiceId lineItemType
                quantity unit serviceTier amount {AMOUNT} }} }}
            pageInfo {{ hasNextPage }} }} }}"""
    first = (await face.data(caller(payer), query))["reconciliationLines"]
    (edge,) = first["edges"]
    assert (edge["node"]["day"], edge["node"]["lineClass"]) == ("2026-10-05", "USAGE")
    assert edge["node"]["usageType"] == "USE1-Claude4.5Haiku-input-tokens"
    assert edge["node"]["amount"]["unblended"] == "5.000000000"
    assert first["pageInfo"]["hasNextPage"]
    rest = await face.data(caller(payer), query, after=edge["cursor"])
    assert [e["node"]["day"] for e in rest["reconciliationLines"]["edges"]] == ["2026-10-06"]
    for kept, count in (({"gapClass": "UNLOGGED"}, 1), ({"gapClass": "TAX"}, 0)):
        found = await face.data(caller(payer), query, filter=kept)
        assert len(found["reconciliationLines"]["edges"]) == count


async def test_the_ledger_is_paged_filtered_and_explained(
    face: GraphqlWorld, payer: TenantId
) -> None:
    query = f"""query ($after: String, $filter: LedgerFilterInput, $window: WindowInput) {{
        reconciliationLedger(first: 1, after: $after, filter: $filter, window: $window) {{
            edges {{ cursor node {{ day accountId grain loggedTokens billedTokens lines estimate
                billed {AMOUNT} attributed {AMOUNT} residual {AMOUNT}
                gaps {{ gapClass meaning remedy evidence amount {AMOUNT} }} }} }}
            pageInfo {{ hasNextPage }} }} }}"""
    first = (await face.data(caller(payer), query, window=OCTOBER))["reconciliationLedger"]
    (edge,) = first["edges"]
    assert (edge["node"]["day"], edge["node"]["grain"]) == ("2026-10-06", "REQUEST")
    assert edge["node"]["billedTokens"] == str(10**19)
    assert edge["node"]["residual"]["unblended"] == "1.000000000"
    gap = edge["node"]["gaps"][0]
    assert (gap["gapClass"], gap["evidence"]["lines"]) == ("UNLOGGED", "2")
    assert gap["remedy"]
    assert first["pageInfo"]["hasNextPage"]
    rest = await face.data(caller(payer), query, window=OCTOBER, after=edge["cursor"])
    assert [e["node"]["day"] for e in rest["reconciliationLedger"]["edges"]] == ["2026-10-05"]
    largest = 'reconciliationLedger(first: 5, order: AMOUNT, period: "2026-10")'
    found = await face.data(caller(payer), f"{{ {largest} {{ nodes {{ day }} }} }}")
    assert len(found["reconciliationLedger"]["nodes"]) == 2
    for kept, count in (
        ({"gapClass": "UNLOGGED", "minGap": "1"}, 1),
        ({"gapClass": "UNLOGGED", "minGap": "1.01"}, 0),
        ({"account": "nobody"}, 0),
    ):
        found = await face.data(caller(payer), query, window=OCTOBER, filter=kept)
        assert len(found["reconciliationLedger"]["edges"]) == count, kept


@pytest.mark.parametrize(
    "question",
    [
        'reconciliationPeriod(period: "october") { versions { version } }',
        'reconciliationPeriods(first: 1, after: "W10") { nodes { period } }',
        'reconciliationLedger(first: 1, after: "W10") { nodes { day } }',
        'reconciliationLedger(first: 1, filter: {minGap: "-1"}) { nodes { day } }',
        'spendCoverage(window: {from: "2026-10-05T12:00:00Z"}) { silentPlaces }',
    ],
)
async def test_a_wrong_question_is_refused(
    face: GraphqlWorld, payer: TenantId, question: str
) -> None:
    answer = await face.ask(caller(payer), f"{{ {question} }}")
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "VALIDATION_FAILED", error


async def test_coverage_by_place_and_day(face: GraphqlWorld, payer: TenantId) -> None:
    query = """query ($window: WindowInput) { spendCoverage(window: $window, basis: AMORTIZED) {
        asOf basis silentPlaces restCount
        totals { billed byRequests byMetrics unlogged explained explainedByRequests }
        history { day totals { explained } }
        places { accountId region history { day } silence { cause remedy findings { code } } } }
    }"""
    found = (await face.data(caller(payer), query, window=OCTOBER))["spendCoverage"]
    assert (found["basis"], found["totals"]["billed"]) == ("AMORTIZED", "5.000000000")
    assert found["totals"]["explained"] == "0.800000"
    assert [day["day"] for day in found["history"]] == ["2026-10-05", "2026-10-06"]
    (place,) = found["places"]
    assert (place["accountId"], place["region"]) == (PLACE.account_id, PLACE.region)
    assert place["silence"]["cause"] == "UNKNOWN"


async def test_a_reconciliation_is_asked_for(face: GraphqlWorld, payer: TenantId) -> None:
    mutation = """mutation ($period: String) { reconcile(period: $period) {
        __typename ... on ReconciliationRequested { workflowId } ... on Problem { code } } }"""
    asked = await face.data(caller(payer), mutation, period="2026-10")
    assert asked["reconcile"]["workflowId"] == f"tenant/{payer}/reconcile"
    assert face.workflows.reconciled[-1].tenant_id == payer
    missing = await face.data(caller(payer), mutation, period="2026-01")
    assert missing["reconcile"] == {"__typename": "NotFoundProblem", "code": "NOT_FOUND"}
    reader = caller(payer, [Scope.COST_READ])
    refused = await face.data(reader, mutation)
    assert refused["reconcile"]["code"] == "FORBIDDEN"


async def test_the_end_of_a_reconciliation_is_told_to_who_reads_costs(
    face: GraphqlWorld, payer: TenantId
) -> None:
    stream = await face.deps.services.events.stream(
        caller(payer, [Scope.COST_READ]), ("reconciliation.*",)
    )
    async with aclosing(stream):
        async with face.world.database.tenant(payer) as tx:
            tx.emit(NewEvent(EventType.RECONCILIATION_COMPLETED, {"period": "2026-10"}))
        told = await anext(_events(stream))
    assert (told.type, told.data["period"]) == ("reconciliation.completed", "2026-10")


async def _events(stream: Any) -> AsyncIterator[Any]:
    async for event in stream:
        yield event


MONTH = f"""period state pending version {{ version knownAt closedUntil days daysChanged }}
    totals {{ currency estimate billed {AMOUNT} attributed {AMOUNT} difference {AMOUNT}
        unattributed {{ share amount {AMOUNT} }} gaps {{ gapClass amount {AMOUNT} }} }}"""
COVERED = "billed byRequests byMetrics unlogged explained explainedByRequests"


async def test_two_years_of_months_and_the_coverage_fit_into_one_document(
    face: GraphqlWorld, payer: TenantId
) -> None:
    """What a reconciliation page shows, with every field there is, under the default limit."""
    query = f"""query Page($window: WindowInput!) {{
        reconciliationPeriods(first: 24) {{ nodes {{ {MONTH} }} pageInfo {{ hasNextPage }} }}
        spendCoverage(window: $window) {{ totals {{ {COVERED} }}
            history {{ day totals {{ {COVERED} }} }}
            places {{ accountId region totals {{ {COVERED} }} shortfalls {{ cause seen amount }} }}
        }} }}"""
    answer = await face.ask(caller(payer), query, window=OCTOBER)
    assert "errors" not in answer
    assert [m["period"] for m in answer["data"]["reconciliationPeriods"]["nodes"]] == ["2026-10"]
    assert answer["data"]["spendCoverage"]["totals"]["billed"] == "10.000000000"
    assert answer["extensions"]["cost"]["requested"] < answer["extensions"]["cost"]["limit"] / 2


@pytest.mark.parametrize(
    "query",
    [
        f"{{ reconciliationPeriods(first: 200) {{ nodes {{ {MONTH} }} }} }}",
        f"{{ spendCoverage(limit: 1000) {{ places {{ history {{ totals {{ {COVERED} }} }} }} }} }}",
    ],
)
async def test_a_document_that_asks_for_far_more_than_a_page_shows_is_refused(
    face: GraphqlWorld, payer: TenantId, query: str
) -> None:
    answer = await face.ask(caller(payer), query)
    assert answer["data"] is None
    assert answer["errors"][0]["extensions"]["code"] == "TOO_COSTLY"
