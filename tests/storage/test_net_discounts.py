"""Net amounts hold the discounts already: a discount line beside them takes nothing off again."""

from datetime import date

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import BillLine, ChargeCategory
from tensorcost.storage.reconciliation.bill_lines import LineQuery, read_bill_lines
from tensorcost.storage.reconciliation.versions import read_versions
from tensorcost.storage.session import Database
from tensorcost.storage.spend.bill_periods import list_periods
from tests.support.bills import OCTOBER, bill_line, load_bill
from tests.support.reconciled import explained_day, write_version
from tests.support.temporal_house import utc_now

DAY, NOVEMBER = date(2026, 10, 5), date(2026, 11, 1)
DISCOUNTS = ("EdpDiscount", "PrivateRateDiscount", "BundledDiscount", "Discount")


def lines(net: int | None, discounts_net: int | None) -> list[BillLine]:
    """Usage of 100 with 10 off for each kind of discount, and its tax of 6, on the invoice."""
    return [
        bill_line(DAY, unblended_nano=100, net_nano=net),
        *(
            bill_line(
                DAY,
                line_item_type=kind,
                charge_category=ChargeCategory.ADJUSTMENT,
                token_kind=None,
                unblended_nano=-10,
                net_nano=discounts_net,
            )
            for kind in DISCOUNTS
        ),
        bill_line(DAY, charge_category=ChargeCategory.TAX, line_item_type="Tax", unblended_nano=6),
    ]


@pytest.mark.parametrize(
    ("net", "discounts_net"),
    [(60, None), (60, 0), (None, None)],
    ids=["blank on discounts", "0 on discounts", "no net column"],
)
@pytest.mark.parametrize("first", ["usage", "discounts"])
async def test_net_is_the_invoice_whichever_way_discounts_are_told(
    db: Database, tenant: TenantId, net: int | None, discounts_net: int | None, first: str
) -> None:
    """With the tax blank, whose net amount is what it costs."""
    bill = lines(net, discounts_net)
    delivery = await load_bill(db, tenant, bill if first == "usage" else bill[::-1])
    await write_version(
        db, tenant, {DAY: explained_day()}, deliveries=[delivery], closed_until=NOVEMBER
    )
    async with db.tenant(tenant) as tx:
        (period,) = await list_periods(tx, utc_now())
        (version,) = await read_versions(tx, OCTOBER)
        page = await read_bill_lines(tx, version, LineQuery(OCTOBER, NOVEMBER), limit=10)
    total = period.totals["USD"]
    assert (total.unblended, total.net) == (66, 66)
    assert sum(line.money.net for line in page.rows) == 66, "so do the single lines"
