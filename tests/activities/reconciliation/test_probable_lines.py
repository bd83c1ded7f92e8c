"""Calls without a price that no line names: what they cost is not known, and what bills them, a
line without a model perhaps, is told as probable and never moved."""

from dataclasses import replace
from datetime import date

from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.storage.reconciliation.ledger import LedgerQuery, LedgerRow, read_ledger
from tests.activities.reconciliation.conftest import Bench, dollars
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at

FIFTH, SIXTH = date(2026, 10, 5), date(2026, 10, 6)
LUMEN = "stellar.lumen-large-v1:0"
NAMELESS = bill_line(FIFTH, model_id="", usage_type="USE1-StellarLumen-input-tokens")
CALLS = [
    Use(at(day), dimension(model_id=LUMEN), None, input_tokens=500, output_tokens=0)
    for day in (FIFTH, SIXTH)
]


async def ledger(bench: Bench, day: date) -> dict[str, LedgerRow]:
    async with bench.db.tenant(bench.tenant) as tx:
        page = await read_ledger(tx, LedgerQuery(OCTOBER, date(2026, 11, 1)), limit=99)
    return {row.total.cell.model_id: row for row in page.rows if row.day == day}


async def test_the_ledger_names_the_lines_and_the_model_on_both_sides(bench: Bench) -> None:
    await add_uses(bench.db, bench.tenant, CALLS)
    await load_bill(bench.db, bench.tenant, [NAMELESS, replace(NAMELESS, unblended_nano=1)])
    total = dollars(await bench.reconcile())
    assert (total.attributed, total.unattributed) == ("0.000000000", {"unlogged": "5.000000001"})
    fifth, sixth = await ledger(bench, FIFTH), await ledger(bench, SIXTH)
    (excess,), (unlogged,) = fifth[LUMEN].gaps, fifth[""].gaps
    assert (excess.gap_class, unlogged.gap_class) == (GapClass.EXCESS, GapClass.UNLOGGED)
    assert excess.evidence["probable_lines"] == unlogged.evidence["probable_lines"]
    assert excess.evidence["probable_lines"] == "USE1-StellarLumen-input-tokens"
    assert excess.evidence["probable_lines_unblended_nano"] == 5_000_000_001
    assert unlogged.evidence["probable_models"] == LUMEN
    assert excess.evidence["unpriced_requests"] == 1
    (alone,) = sixth[LUMEN].gaps
    assert "probable_lines" not in alone.evidence
    assert (await bench.reconcile()).version is None


async def test_a_delivery_that_first_names_an_account_answers_for_its_days_from_first_to_last(
    bench: Bench,
) -> None:
    async def unpriced() -> list[date]:
        async with bench.db.tenant(bench.tenant) as tx:
            rows = await tx.all(
                "SELECT u.day FROM ai.reconciled_unpriced u JOIN ai.reconciled_day d "
                "USING (tenant_id, day, reconciliation_id) WHERE d.is_current ORDER BY u.day"
            )
        return [row.day for row in rows]

    await add_uses(bench.db, bench.tenant, CALLS)
    elsewhere = bill_line(SIXTH, usage_account_id="444455556666")
    await load_bill(bench.db, bench.tenant, [elsewhere])
    await bench.reconcile()
    assert await unpriced() == [], "an account on no bill goes on costing its estimate"
    named = [bill_line(date(2026, 10, day)) for day in (4, 20)]
    await load_bill(bench.db, bench.tenant, [elsewhere, *named])
    assert (await bench.reconcile()).version == 2
    assert await unpriced() == [FIFTH, SIXTH]
