"""A day is reconciled again where something that its result follows from changed, and only then."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date

import pytest

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.reconciliation import unchanged
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.domain.cost.contracts import ReconciliationReport
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.storage.session import TenantTx
from tests.activities.reconciliation.conftest import Bench, dollars
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.price_rows import add_override
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses, at
from tests.support.temporal_house import utc_now

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
MILLION = 1_000_000
BILL = [bill_line(FIFTH), bill_line(SIXTH)]


def used(day: date, nano: int = 1_000_000_000) -> Use:
    """A million input tokens."""
    return Use(at(day), dimension(), nano, input_tokens=MILLION, output_tokens=0)


async def days_reconciled(bench: Bench) -> tuple[int, ReconciliationReport]:
    """How many days were gone through, and what was told."""
    seen: list[int] = []
    report = await bench.reconciler.reconcile(
        bench.tenant, OCTOBER, "user:fake", lambda done, _: seen.append(done)
    )
    assert seen == list(range(32 - len(seen), 32)), "the days left alone count as done"
    return len(seen), report


async def test_the_same_again_reads_no_day_and_tells_the_same(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, BILL)
    await add_uses(bench.db, bench.tenant, [used(FIFTH)])
    days, first = await days_reconciled(bench)
    assert (days, first.version) == (31, 1)
    days, again = await days_reconciled(bench)
    assert (days, again.version) == (0, None)
    assert again.totals == first.totals


async def test_a_delivery_that_says_the_same_is_a_version_that_reads_no_day(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, BILL)
    await days_reconciled(bench)
    await load_bill(bench.db, bench.tenant, BILL[::-1])
    days, report = await days_reconciled(bench)
    assert (days, report.version, report.days_changed) == (0, 2, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity_micro": 1},
        {"unblended_nano": 1},
        {"amortized_nano": 1},
        {"net_nano": 1},
        {"currency": "EUR"},
        {"unit": "images"},
        {"line_item_type": "Fee"},
        {"in_scope": False},
        {"token_kind": None},
        {"region": "eu-west-1"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_day_with_another_bill_is_reconciled_alone(
    bench: Bench, changes: dict[str, object]
) -> None:
    await load_bill(bench.db, bench.tenant, BILL)
    await days_reconciled(bench)
    await load_bill(bench.db, bench.tenant, [BILL[0], replace(BILL[1], **changes)])  # type: ignore[arg-type]
    days, report = await days_reconciled(bench)
    assert (days, report.version) == (1, 2)


async def test_a_day_with_later_usage_is_reconciled_alone(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, BILL)
    await days_reconciled(bench)
    await add_uses(bench.db, bench.tenant, [used(SIXTH)])
    days, report = await days_reconciled(bench)
    assert (days, report.version, report.days_changed) == (1, 2, 1)
    assert dollars(report).attributed == "1.000000000"


async def test_other_prices_or_rules_reconcile_every_day_anew(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load_bill(bench.db, bench.tenant, BILL)
    await add_uses(bench.db, bench.tenant, [used(FIFTH)])
    await days_reconciled(bench)
    await add_override(bench.db, bench.tenant, MODEL, "2", at(date(2026, 1, 1)))
    days, report = await days_reconciled(bench)
    assert (days, report.version) == (31, None)
    assert (await days_reconciled(bench))[0] == 0, "what gave the same is known by its new inputs"
    monkeypatch.setattr(unchanged, "RULES", "others")
    assert (await days_reconciled(bench))[0] == 31


class _Meanwhile(PriceBooks):
    """Something is committed after fingerprints were taken and before usage is read."""

    work: Callable[[], Awaitable[None]] | None = None

    async def read(self, tx: TenantTx) -> PriceBook:
        if self.work is not None:
            await self.work()
        return await super().read(tx)


async def test_usage_that_is_loaded_meanwhile_is_never_taken_for_known(bench: Bench) -> None:
    await load_bill(bench.db, bench.tenant, BILL)
    await add_uses(bench.db, bench.tenant, [used(FIFTH, 900)])
    prices = _Meanwhile(bench.db)
    busy = replace(bench, reconciler=Reconciler(bench.db, prices, utc_now))

    async def rerate(nano: int) -> None:
        async with bench.db.tenant(bench.tenant) as tx:
            await tx.run("UPDATE ai.spend_daily SET cost_nano = :nano", nano=nano)

    prices.work = lambda: rerate(800)
    _, report = await days_reconciled(busy)
    assert dollars(report).estimate == "0.000000800"
    prices.work = None
    await rerate(900)
    days, report = await days_reconciled(busy)
    assert days == 1, "its usage is what the fingerprint had said, but not what was read"
    assert dollars(report).estimate == "0.000000900"


async def test_a_day_that_names_lines_follows_from_the_lines_of_its_delivery(bench: Bench) -> None:
    line = bill_line(FIFTH, model_id="", usage_type="USE1-StellarLumen-input-tokens")
    where = dimension(model_id="stellar.lumen-large-v1:0")
    calls = Use(at(FIFTH), where, None, input_tokens=500, output_tokens=0)
    await add_uses(bench.db, bench.tenant, [calls])
    await load_bill(bench.db, bench.tenant, [line])
    await days_reconciled(bench)
    assert (await days_reconciled(bench))[0] == 0
    await load_bill(bench.db, bench.tenant, [replace(line, usage_type="USE1-Lumen-input-tokens")])
    days, report = await days_reconciled(bench)
    assert (days, report.version, report.days_changed) == (1, 2, 1)
