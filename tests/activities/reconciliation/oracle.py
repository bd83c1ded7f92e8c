"""What bills and usage come to, by plain loops that know no SQL and no reconciliation."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, timedelta

from tensorcost.domain.cost.query import CostBasis
from tensorcost.domain.cost.reconciliation.closing import charge_day
from tensorcost.domain.spend.bill import BillLine, ChargeCategory
from tensorcost.domain.spend.facts import Grain, Source
from tests.activities.reconciliation.worlds import Billed
from tests.support.spend_rows import Use

_INSTANT = timedelta(microseconds=1)


def is_answered_for(use: Use, bills: Iterable[Billed]) -> bool:
    """Whether a bill says what the use cost, be it nothing.

    A month's bills answer for the usage of an account from the first to the last day for which
    they charge it for AI usage in dollars. All else goes on costing its estimate.
    """
    if use.where.source is not Source.BEDROCK:  # the only source that these bills sell
        return False
    day = _day(use)
    charged = [
        charge_day(moment.date(), bill.period)
        for bill in bills
        if bill.period == day.replace(day=1)
        for line in bill.lines
        if line.usage_account_id == use.where.usage_account_id
        and line.in_scope
        and line.charge_category is ChargeCategory.USAGE
        and line.currency == "USD"
        for moment in (line.usage_start, max(line.usage_start, line.usage_end - _INSTANT))
    ]
    return bool(charged) and min(charged) <= day <= max(charged)


def estimate_beside_bills(uses: Sequence[Use], bills: Sequence[Billed]) -> int:
    """Nano-dollars by list price of the counted uses that no bill answers for."""
    return sum(
        use.cost_nano or 0
        for use in uses
        if _is_counted(use, uses) and not is_answered_for(use, bills)
    )


def bill_total(lines: Iterable[BillLine], basis: CostBasis) -> int:
    """Nano-dollars of the lines; what states no net amount costs its unblended one."""
    return sum(_amount(line, basis) for line in lines if line.currency == "USD")


def _amount(line: BillLine, basis: CostBasis) -> int:
    if basis is CostBasis.AMORTIZED:
        return line.amortized_nano
    if basis is CostBasis.NET and line.net_nano is not None:
        return line.net_nano
    return line.unblended_nano


def _is_counted(use: Use, uses: Iterable[Use]) -> bool:
    """A request always counts, a metric where its day's account, region and model has none."""
    return use.grain is Grain.REQUEST or not any(
        other.grain is Grain.REQUEST
        and _day(other) == _day(use)
        and other.where.cell_id() == use.where.cell_id()
        for other in uses
    )


def _day(use: Use) -> date:
    return use.at.astimezone(UTC).date()
