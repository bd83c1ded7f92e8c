"""Reconciled months over REST: exact, paged, explained, and only the caller's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest

from tensorcost.domain.cost.reconciliation.closing import Cause
from tensorcost.domain.identity.scopes import Role
from tensorcost.gateway.routes import reconciliation
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.services.tenancy.create import CreatedTenant
from tests.gateway.world import World
from tests.graphql.world import NoWorkflows
from tests.support.bills import bill_line, load_bill
from tests.support.reconciled import PLACE, explained_day, known_at, together, write_version

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
NOVA = PLACE._replace(model_id="amazon.nova-lite-v1:0")
ROOT = "/v1/cost/reconciliation"
ZERO = dict.fromkeys(("unblended", "amortized", "net"), "0.000000000")


@asynccontextmanager
async def api(
    world: World, token: str | None, workflows: NoWorkflows | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    processes: Any = workflows or NoWorkflows()
    router = reconciliation.router(
        ReconciliationService(world.database, processes, world.clock),
        CoverageService(world.database, world.clock),
    )
    async with world.client(token, routers=[router]) as client:
        yield client


async def get(client: httpx2.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def reconciled(world: World) -> CreatedTenant:
    """October: five dollars billed on the fifth, of which one is unlogged; three estimated."""
    world.clock.move(minutes=5)
    tenant = await world.tenant()
    nano = {"unblended_nano": 5 * 10**9, "amortized_nano": 25 * 10**8, "net_nano": 125 * 10**7}
    bill = await load_bill(
        world.database, tenant.tenant_id, [bill_line(FIFTH, invoice_id="INV-1", **nano)]
    )
    await write_version(
        world.database,
        tenant.tenant_id,
        {FIFTH: explained_day(4, 1, 3)},
        deliveries=[bill],
        causes=[Cause.BILL],
    )
    return tenant


async def test_months_are_listed_with_where_the_money_went(world: World) -> None:
    tenant = await reconciled(world)
    async with api(world, world.token(tenant)) as client:
        body = await get(client, ROOT)
    assert (body["count"], "next_cursor" in body) == (1, False)
    (month,) = body["data"]
    (total,) = month.pop("totals")
    assert month["known_at"].endswith("Z")
    assert {**month, "known_at": None} == {
        "period": "2026-10",
        "state": "closing",
        "pending": False,
        "older_rules": False,
        "version": 1,
        "known_at": None,
        "closed_until": "2026-10-06",
    }
    assert total == {
        "currency": "USD",
        "billed": {"unblended": "5.000000000", "amortized": "2.500000000", "net": "1.250000000"},
        "attributed": {
            "unblended": "4.000000000",
            "amortized": "2.000000000",
            "net": "1.000000000",
        },
        "unattributed": [
            {
                "share": "unlogged",
                "amount": {
                    "unblended": "1.000000000",
                    "amortized": "0.500000000",
                    "net": "0.250000000",
                },
            }
        ],
        "difference": ZERO,
        "estimate": "3.000000000",
        "gaps": [
            {
                "class": "unlogged",
                "amount": {
                    "unblended": "1.000000000",
                    "amortized": "0.500000000",
                    "net": "0.250000000",
                },
            },
            {
                "class": "price_drift",
                "amount": {
                    "unblended": "1.000000000",
                    "amortized": "-1.000000000",
                    "net": "-2.000000000",
                },
            },
        ],
    }


async def test_one_month_shows_versions_and_bills(world: World) -> None:
    tenant = await reconciled(world)
    async with api(world, world.token(tenant)) as client:
        month = (await get(client, f"{ROOT}/2026-10"))["data"]
        missing = await client.get(f"{ROOT}/2026-09")
        senseless = await client.get(f"{ROOT}/october")
    assert [(one["version"], one["causes"]) for one in month["versions"]] == [(1, ["bill"])]
    assert month["older_rules"] is False
    (bill,) = month["bills"]
    assert (bill["invoice_id"], bill["counted"], bill["lines"]) == ("INV-1", True, 1)
    assert bill["totals"]["USD"] == month["totals"][0]["billed"]
    gaps = {one["class"]: one for one in month["totals"][0]["gaps"]}
    assert set(gaps) == {"unlogged", "price_drift"}
    assert gaps["unlogged"]["meaning"]
    assert "`GET /v1/cost/coverage`" in gaps["unlogged"]["remedy"]
    (place,) = gaps["price_drift"]["contributors"]
    assert (place["account_id"], place["model_id"], place["days"]) == (
        PLACE.account_id,
        PLACE.model_id,
        1,
    )
    assert place["amount"] == gaps["price_drift"]["amount"]
    assert PLACE.model_id in place["remedy"]
    assert month["versions"][0]["deliveries"] == [bill["delivery_id"]]
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    assert senseless.status_code == 400
    assert senseless.json()["details"][0]["field"] == "period"


async def test_ledger_rows_explain_their_gaps_and_page(world: World) -> None:
    tenant = await reconciled(world)
    both = together(explained_day(4, 1, 3), explained_day(2, 0, 2, cell=NOVA))
    async with world.database.tenant(tenant.tenant_id) as tx:
        bill = await tx.scalar("SELECT current_delivery_id FROM ai.bill_period")
    days = {FIFTH: explained_day(4, 1, 3), SIXTH: both}
    await write_version(world.database, tenant.tenant_id, days, deliveries=[bill])
    async with api(world, world.token(tenant)) as client:
        first = await get(client, f"{ROOT}/2026-10/ledger", limit=2)
        rest = await get(client, f"{ROOT}/2026-10/ledger", limit=2, cursor=first["next_cursor"])
        foreign = await client.get(f"{ROOT}/2026-10/ledger", params={"cursor": "W10"})
    rows = [*first["data"], *rest["data"]]
    assert [(row["day"], row["model_id"]) for row in rows] == [
        ("2026-10-06", NOVA.model_id),
        ("2026-10-06", PLACE.model_id),
        ("2026-10-05", PLACE.model_id),
    ]
    last = rows[-1]
    assert (last["residual"]["unblended"], last["gap"]["unblended"]) == (
        "1.000000000",
        "2.000000000",
    )
    assert (last["grain"], last["logged_tokens"], last["billed_tokens"]) == (
        "request",
        3_000,
        10**19,
    )
    unlogged = last["gaps"][0]
    assert (unlogged["class"], unlogged["evidence"]) == (
        "unlogged",
        {
            "hint": "unlogged",
            "lines": "2",
            "usage_types": "USE1-Claude4.5Haiku-input-tokens",
            "product_codes": "AmazonBedrock",
            "line_item_types": "Usage",
            "invoice_ids": "INV-1",
        },
    )
    assert unlogged["meaning"]
    assert unlogged["remedy"]
    assert foreign.json()["details"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    ("params", "rows"),
    [
        ({"class": "price_drift"}, 1),
        ({"class": "tax"}, 0),
        ({"class": "unlogged", "min_gap": "1"}, 1),
        ({"class": "unlogged", "min_gap": "1.000000001"}, 0),
        ({"account": "nobody"}, 0),
        ({"region": "us-east-1", "model_id": PLACE.model_id}, 1),
        ({"from": "2026-10-06"}, 0),
        ({"as_of": "2026-10-31"}, 0),
        ({"order": "amount"}, 1),
    ],
)
async def test_ledger_rows_are_kept_by_what_is_asked(
    world: World, params: dict[str, str], rows: int
) -> None:
    tenant = await reconciled(world)
    async with api(world, world.token(tenant)) as client:
        assert (await get(client, f"{ROOT}/2026-10/ledger", **params))["count"] == rows


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        (ROOT, {"cursor": "bm8"}, "cursor"),
        (ROOT, {"limit": "0"}, "query.limit"),
        (ROOT, {"period": "2026-10"}, "query.period"),
        (ROOT, {"as_of": "2199-01-01"}, "as_of"),
        (f"{ROOT}/2026-10/ledger", {"class": "mystery"}, "query.class"),
        (f"{ROOT}/2026-10/ledger", {"min_gap": "-1"}, "query.min_gap"),
        (f"{ROOT}/2026-10/ledger", {"order": "size"}, "query.order"),
        (f"{ROOT}/2026-10/lines", {"class": "mystery"}, "query.class"),
        (f"{ROOT}/2026-10/lines", {"from": "2026-09-30"}, "from"),
        (f"{ROOT}/2026-10/ledger", {"min_gap": "1e99"}, "query.min_gap"),
        (f"{ROOT}/2026-10/ledger", {"from": "2026-09-30"}, "from"),
        (f"{ROOT}/2026-10/diff", {"from": "-1"}, "query.from"),
        (f"{ROOT}/2026-10/diff", {"to": "first"}, "query.to"),
        ("/v1/cost/coverage", {"basis": "gross"}, "query.basis"),
        ("/v1/cost/coverage", {"from": "2026-10-05T12:00:00Z"}, "from"),
    ],
)
async def test_bad_parameters_are_refused_by_name(
    world: World, path: str, params: dict[str, str], field: str
) -> None:
    tenant = await world.tenant()
    async with api(world, world.token(tenant)) as client:
        answer = await client.get(path, params=params)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert [problem["field"] for problem in answer.json()["details"]] == [field]


async def test_a_ledgers_row_leads_to_the_lines_of_the_bill(world: World) -> None:
    tenant = await reconciled(world)
    async with api(world, world.token(tenant)) as client:
        (row,) = (await get(client, f"{ROOT}/2026-10/ledger"))["data"]
        where = {"account": row["account_id"], "region": row["region"], "model_id": row["model_id"]}
        days = {"from": "2026-10-05", "to": "2026-10-06"}
        (line,) = (await get(client, f"{ROOT}/2026-10/lines", **where, **days))["data"]
        taxes = (await get(client, f"{ROOT}/2026-10/lines", **{"class": "tax"}))["data"]
        foreign = await client.get(f"{ROOT}/2026-10/lines", params={"cursor": "W10"})
        missing = await client.get(f"{ROOT}/2026-09/lines")
    evidence = row["gaps"][0]["evidence"]
    assert evidence["usage_types"] == line["usage_type"] == "USE1-Claude4.5Haiku-input-tokens"
    assert evidence["invoice_ids"] == line["invoice_id"] == "INV-1"
    assert line["amount"] == row["billed"]
    assert (line["class"], line["quantity"], line["unit"]) == ("usage", "5000000.000000", "tokens")
    assert taxes == []
    assert foreign.json()["details"][0]["field"] == "cursor"
    assert missing.status_code == 404


async def test_a_diff_has_signed_deltas(world: World) -> None:
    tenant = await reconciled(world)
    await write_version(world.database, tenant.tenant_id, {FIFTH: explained_day(3, 1, 3)})
    async with api(world, world.token(tenant)) as client:
        found = (await get(client, f"{ROOT}/2026-10/diff"))["data"]
        whole = (await get(client, f"{ROOT}/2026-10/diff", **{"from": 0, "to": 1}))["data"]
        missing = await client.get(f"{ROOT}/2026-10/diff", params={"to": "3"})
    assert (found["from_version"], found["to_version"], found["rest"]) == (1, 2, 0)
    (delta,) = found["deltas"]
    assert (delta["account_id"], delta["model_id"]) == (PLACE.account_id, PLACE.model_id)
    assert delta["billed"]["unblended"] == delta["attributed"]["unblended"] == "-1.000000000"
    assert delta["class"] == "usage"
    assert [one["billed"]["unblended"] for one in whole["totals"]] == ["5.000000000"]
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")


async def test_coverage_is_a_share_and_says_why_a_place_is_silent(world: World) -> None:
    tenant = await reconciled(world)
    window = {"from": "2026-10-01", "to": "2026-11-01"}
    async with api(world, world.token(tenant)) as client:
        found = (await get(client, "/v1/cost/coverage", **window))["data"]
        net = (await get(client, "/v1/cost/coverage", **window, basis="net"))["data"]
    assert found["total"] == {
        "billed": "5.000000000",
        "by_requests": "4.000000000",
        "by_metrics": "0.000000000",
        "unlogged": "1.000000000",
        "explained": "0.800000",
        "explained_by_requests": "0.800000",
    }
    assert found["history"] == [{"day": "2026-10-05", **found["total"]}]
    (place,) = found["places"]
    assert (place["account_id"], place["region"]) == (PLACE.account_id, PLACE.region)
    # Rows are reconciled, but none stands in the rollup: nobody knows about its logs.
    assert place["silence"]["cause"] == "unknown"
    assert place["silence"]["remedy"]
    assert (found["silent_places"], found["rest"], found["currency"]) == (1, 0, "USD")
    assert net["total"]["billed"] == "1.250000000"


async def test_what_was_known_then(world: World) -> None:
    tenant = await reconciled(world)
    first = await write_version(world.database, tenant.tenant_id, {FIFTH: explained_day(2, 3, 3)})
    moment = (await known_at(world.database, tenant.tenant_id, first)) - timedelta(microseconds=1)
    async with api(world, world.token(tenant)) as client:
        then = (await get(client, ROOT, as_of=moment.isoformat()))["data"]
        now = (await get(client, ROOT))["data"]
    assert [month["version"] for month in (*then, *now)] == [1, 2]


async def test_a_run_is_asked_for_by_who_may_write_costs(world: World) -> None:
    tenant = await reconciled(world)
    _, finops = await world.member(tenant.tenant_id, Role.FINOPS)
    _, viewer = await world.member(tenant.tenant_id, Role.VIEWER)
    workflows = NoWorkflows()
    async with api(world, finops, workflows) as client:
        answer = await client.post(f"{ROOT}/runs")
        month = await client.post(f"{ROOT}/runs", json={"period": "2026-10"})
        senseless = await client.post(f"{ROOT}/runs", json={"period": "2026-09"})
    assert answer.status_code == month.status_code == 202
    assert answer.json()["data"] == {"workflow_id": f"tenant/{tenant.tenant_id}/reconcile"}
    assert [(one.tenant_id, one.period) for one in workflows.reconciled] == [
        (tenant.tenant_id, None),
        (tenant.tenant_id, date(2026, 10, 1)),
    ]
    assert senseless.status_code == 404
    async with api(world, viewer, workflows) as client:
        assert (await client.post(f"{ROOT}/runs")).status_code == 403
        assert (await get(client, ROOT))["count"] == 1
    assert len(workflows.reconciled) == 2
