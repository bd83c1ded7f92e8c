"""Bills that do not fit the rows stay whole, and say where their money stands."""

from dataclasses import replace
from datetime import date, timedelta

from tensorcost.domain.spend.bill import ChargeCategory
from tests.activities.reconciliation.conftest import Bench, dollars
from tests.support.bills import bill_line, load_bill, make_older
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at

FIFTH = date(2026, 10, 5)
USD = 1_000_000_000
USED = Use(at(FIFTH), dimension(), 5 * USD, input_tokens=5_000_000, output_tokens=0)
"""What explains one ``bill_line`` of the fifth, at its price."""


async def test_an_invoice_in_another_currency_is_shown_apart_and_never_added(
    bench: Bench,
) -> None:
    await add_uses(bench.db, bench.tenant, [USED])
    euros = bill_line(FIFTH, currency="EUR", unblended_nano=7 * USD)
    vat = bill_line(
        FIFTH,
        currency="EUR",
        line_item_type="Tax",
        charge_category=ChargeCategory.TAX,
        unblended_nano=USD,
    )
    await load_bill(bench.db, bench.tenant, [bill_line(FIFTH), euros, vat])
    eur, usd = (await bench.reconcile()).totals
    assert (eur.currency, eur.billed, eur.attributed) == ("EUR", "8.000000000", "0.000000000")
    assert eur.unattributed == {"other_currency": "7.000000000", "tax": "1.000000000"}
    assert (usd.currency, usd.billed, usd.attributed) == ("USD", "5.000000000", "5.000000000")
    assert eur.difference == usd.difference == "0.000000000"


async def test_a_month_that_is_billed_in_another_currency_alone_leaves_the_rows_as_excess(
    bench: Bench,
) -> None:
    await add_uses(bench.db, bench.tenant, [USED])
    await load_bill(bench.db, bench.tenant, [bill_line(FIFTH, currency="EUR")])
    eur, usd = (await bench.reconcile()).totals
    assert eur.unattributed == {"other_currency": "5.000000000"}
    assert (usd.billed, usd.estimate) == ("0.000000000", "5.000000000")
    assert usd.gaps == {"excess": "-5.000000000"}


async def test_negative_lines_without_an_original_keep_their_own_class(bench: Bench) -> None:
    await add_uses(bench.db, bench.tenant, [USED])
    refund = bill_line(
        date(2026, 9, 12),
        line_item_type="Refund",
        charge_category=ChargeCategory.CREDIT,
        unblended_nano=-3 * USD,
    )
    correction = bill_line(
        FIFTH,
        usage_account_id="444455556666",
        quantity_micro=-1_000 * 10**6,
        unblended_nano=-2 * USD,
    )
    await load_bill(bench.db, bench.tenant, [bill_line(FIFTH), refund, correction])
    total = dollars(await bench.reconcile())
    assert (total.billed, total.attributed) == ("0.000000000", "5.000000000")
    assert total.unattributed == {"refund": "-3.000000000", "unlogged": "-2.000000000"}


async def test_a_call_that_an_hour_of_its_clock_puts_on_the_next_day_stands_in_the_ledger_of_both(
    bench: Bench,
) -> None:
    logged_late = replace(USED, at=at(FIFTH, hour=23) + timedelta(hours=1))
    await add_uses(bench.db, bench.tenant, [logged_late])
    await load_bill(bench.db, bench.tenant, [bill_line(FIFTH)])
    total = dollars(await bench.reconcile())
    assert (total.billed, total.attributed) == ("5.000000000", "0.000000000")
    assert total.unattributed == {"unlogged": "5.000000000"}
    assert total.gaps == {"excess": "-5.000000000", "unlogged": "5.000000000"}


async def test_an_account_in_two_organisations_counts_in_both_bills_and_is_named(
    bench: Bench,
) -> None:
    await add_uses(bench.db, bench.tenant, [USED])
    half = bill_line(FIFTH, quantity_micro=2_500_000 * 10**6, unblended_nano=2_500_000_000)
    moved = bill_line(
        FIFTH + timedelta(days=1),
        payer_account_id="888800002222",
        unblended_nano=4 * USD,
    )
    await load_bill(bench.db, bench.tenant, [half], export="old-payer")
    await load_bill(bench.db, bench.tenant, [moved], export="new-payer", origin="connection-2")
    report = await bench.reconcile()
    total = dollars(report)
    assert (total.billed, total.attributed) == ("6.500000000", "2.500000000")
    assert total.unattributed == {"unlogged": "4.000000000"}
    assert report.shared_accounts == ("111122223333",)
    (told,) = await bench.events("reconciliation.completed")
    assert told["shared_accounts"] == ["111122223333"]


async def test_a_file_imported_once_counts_but_does_not_hold_up_the_month(
    bench: Bench,
) -> None:
    early = bill_line(FIFTH, payer_account_id="888800002222")
    imported = await load_bill(bench.db, bench.tenant, [early], export="file", origin="import")
    await make_older(bench.db, bench.tenant, imported, timedelta(days=30))
    await load_bill(bench.db, bench.tenant, [bill_line(date(2026, 10, 9))])
    report = await bench.reconcile()
    assert report.closed_until == date(2026, 11, 1)
    assert dollars(report).billed == "10.000000000"


async def test_an_export_renamed_in_the_month_is_not_billed_twice(bench: Bench) -> None:
    await add_uses(bench.db, bench.tenant, [USED])
    await load_bill(bench.db, bench.tenant, [bill_line(FIFTH)], export="old-name")
    await load_bill(bench.db, bench.tenant, [bill_line(FIFTH)], export="new-name")
    assert dollars(await bench.reconcile()).billed == "5.000000000"
