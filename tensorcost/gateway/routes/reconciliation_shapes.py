"""The published shapes of reconciled months and their ledger.

Money is a decimal string of whole currency units; what differs by cost basis is an object.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from tensorcost.domain.cost.reconciliation.facts import CellSum, Gap, GapClass, Money
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.cost.reconciliation.remedies import explain, explain_places
from tensorcost.domain.money import format_nano
from tensorcost.gateway.routes.cost_shapes import Json
from tensorcost.services.reconciliation.answers import Difference, Month, MonthDetail, MonthTotal
from tensorcost.storage.reconciliation.contributors import Contributor
from tensorcost.storage.reconciliation.ledger import LedgerRow
from tensorcost.storage.reconciliation.versions import Version
from tensorcost.storage.spend.bill_periods import BilledPeriod

_ADD_UP: Final = "They add up to `billed` less `estimate`."

_CAUSES: Final = (
    "What it saw that the version before did not: `bill`, `usage`, `rules`. None where somebody "
    "asked for it, and prices may have changed."
)


class BasesOut(BaseModel):
    unblended: str = Field(examples=["1234.567890000"])
    amortized: str
    net: str


class PartOut(BaseModel):
    share: str = Field(
        description="Where billed money is that no row explains: `unlogged`, `tax`, `credit` …"
    )
    amount: BasesOut


class ClassOut(BaseModel):
    gap_class: str = Field(serialization_alias="class", examples=["unlogged"])
    amount: BasesOut


class ContributorOut(BaseModel):
    account_id: str
    region: str
    model_id: str
    amount: BasesOut
    days: int
    remedy: str


class ExplainedClassOut(ClassOut):
    meaning: str
    remedy: str
    contributors: list[ContributorOut] = Field(
        description="The accounts, regions and models that weigh most, the largest first. Their "
        "days and lines: the routes `ledger` and `lines` of the month."
    )


class TotalOut(BaseModel):
    currency: str
    billed: BasesOut = Field(description="As the bill's lines of the closed days add up.")
    attributed: BasesOut
    unattributed: list[PartOut]
    difference: BasesOut = Field(
        description="`billed` less `attributed` and `unattributed`: always zero."
    )
    estimate: str = Field(description="By list price, before the bill.")


class MonthTotalOut(TotalOut):
    gaps: list[ClassOut] = Field(description=_ADD_UP)


class ExplainedTotalOut(TotalOut):
    gaps: list[ExplainedClassOut] = Field(description=_ADD_UP)


class PeriodOut(BaseModel):
    period: str = Field(examples=["2026-10"])
    state: str = Field(
        description="Of the bill: `open`, `closing` or `final`; with `as_of` as it was then."
    )
    pending: bool = Field(description="A bill is known that this version does not hold yet.")
    older_rules: bool = Field(
        description="This version was made by older rules of ours. A month that is not final is "
        "reconciled anew with the next sync, a final one when it is asked for."
    )
    version: int | None
    known_at: datetime | None
    closed_until: date | None = Field(description="Days before this one are reconciled.")


class MonthOut(PeriodOut):
    totals: list[MonthTotalOut]


class VersionOut(BaseModel):
    version: int
    known_at: datetime
    closed_until: date
    requested_by: str
    days: int
    days_changed: int
    causes: list[str] = Field(description=_CAUSES)
    deliveries: list[UUID]


class BillOut(BaseModel):
    delivery_id: UUID
    export_name: str
    payer_account_id: str
    counted: bool = Field(description="False where another export of the payer is the bill.")
    state: str
    invoice_id: str
    invoice_since: datetime | None
    known_at: datetime
    lines: int
    totals: dict[str, BasesOut] = Field(description="Everything on it, by currency.")


class MonthDetailOut(PeriodOut):
    totals: list[ExplainedTotalOut]
    versions: list[VersionOut]
    bills: list[BillOut] = Field(description="Every export of the month; none with `as_of`.")


class DeltaTotalOut(BaseModel):
    currency: str
    estimate: str
    billed: BasesOut
    attributed: BasesOut


class DeltaOut(DeltaTotalOut):
    account_id: str
    model_id: str
    line_class: str = Field(
        serialization_alias="class",
        description="What was billed: `usage`, `credit`, `refund`, `tax`, `commitment` …",
        examples=["refund"],
    )


class DifferenceOut(BaseModel):
    period: str
    from_version: int
    to_version: int
    causes: list[str] = Field(description="Of the versions from the one to the other.")
    totals: list[DeltaTotalOut]
    deltas: list[DeltaOut] = Field(description="Signed; the largest change of the bill first.")
    rest: int = Field(description="Changes beyond `limit`; the totals hold them too.")


class GapOut(ClassOut):
    meaning: str
    remedy: str
    evidence: dict[str, str]


class LedgerRowOut(BaseModel):
    day: date
    account_id: str
    region: str
    model_id: str
    currency: str
    grain: str | None = Field(description="Of the logged rows; null where there are none.")
    requests: int
    logged_tokens: int
    billed_tokens: int
    lines: int = Field(description="Of the bill.")
    estimate: str
    billed: BasesOut
    attributed: BasesOut
    residual: BasesOut = Field(description="`billed` less `attributed`.")
    gap: BasesOut = Field(description="`billed` less `estimate`: the sum of `gaps`.")
    gaps: list[GapOut]


class RequestedRunOut(BaseModel):
    workflow_id: str


def bases_json(money: Money) -> Json:
    """One amount in the three bases."""
    return {name: format_nano(nano) for name, nano in money._asdict().items()}


def month_json(found: Month) -> Json:
    version = found.version
    return {
        "period": month_name(found.period),
        "state": found.state.value,
        "pending": found.is_pending,
        "older_rules": found.has_older_rules,
        "version": version and version.version,
        "known_at": version and version.known_at,
        "closed_until": version and version.closed_until,
        "totals": [_total(total) for total in found.totals],
    }


def detail_json(found: MonthDetail) -> Json:
    return {
        **month_json(found.month),
        "totals": [
            {
                **_total(total),
                "gaps": [
                    _explained(name, money, found.contributors.get((total.currency, name), ()))
                    for name, money in total.gaps.items()
                ],
            }
            for total in found.month.totals
        ],
        "versions": [_version(version) for version in found.versions],
        "bills": [_bill(bill) for bill in found.bills],
    }


def difference_json(found: Difference) -> Json:
    return {
        "period": month_name(found.period),
        "from_version": found.former,
        "to_version": found.latter,
        "causes": [cause.value for cause in found.causes],
        "totals": [
            {"currency": one.currency, **_delta(one.estimate_nano, one.billed, one.attributed)}
            for one in found.totals
        ],
        "deltas": [
            {
                "account_id": one.account_id,
                "model_id": one.model_id,
                "class": one.line_class.value,
                "currency": one.currency,
                **_delta(one.estimate_nano, one.billed, one.attributed),
            }
            for one in found.deltas
        ],
        "rest": found.rest_count,
    }


def row_json(row: LedgerRow) -> Json:
    total = row.total
    return {
        "day": row.day,
        **total.cell._asdict(),
        "currency": total.currency,
        "grain": None if total.grain is None else total.grain.name.lower(),
        "requests": total.requests,
        "logged_tokens": total.logged_tokens,
        "billed_tokens": total.billed_tokens,
        "lines": total.lines,
        **_delta(total.estimate_nano, total.billed, total.attributed),
        **_rests(total),
        "gaps": [_gap(gap) for gap in row.gaps],
    }


def _total(total: MonthTotal) -> Json:
    return {
        "currency": total.currency,
        **_delta(total.estimate_nano, total.billed, total.attributed),
        "unattributed": [
            {"share": share.value, "amount": bases_json(money)}
            for share, money in total.unattributed.items()
        ],
        "difference": bases_json(total.difference),
        "gaps": _classes(total.gaps),
    }


def _classes(gaps: Mapping[GapClass, Money]) -> list[Json]:
    return [{"class": name.value, "amount": bases_json(money)} for name, money in gaps.items()]


def _explained(name: GapClass, money: Money, contributors: Sequence[Contributor]) -> Json:
    known = explain_places(name, [one.evidence for one in contributors])
    return {
        "class": name.value,
        "amount": bases_json(money),
        "meaning": known.meaning,
        "remedy": known.remedy,
        "contributors": [
            {
                **one.cell._asdict(),
                "amount": bases_json(one.money),
                "days": one.days,
                "remedy": explain(name, one.evidence, one.cell).remedy,
            }
            for one in contributors
        ],
    }


def _version(version: Version) -> Json:
    return {
        "version": version.version,
        "known_at": version.known_at,
        "closed_until": version.closed_until,
        "requested_by": version.requested_by,
        "days": version.days,
        "days_changed": version.days_changed,
        "causes": [cause.value for cause in version.causes],
        "deliveries": version.deliveries,
    }


def _bill(bill: BilledPeriod) -> Json:
    return {
        "delivery_id": bill.delivery_id,
        "export_name": bill.export_name,
        "payer_account_id": bill.payer_account_id,
        "counted": bill.counted,
        "state": bill.state.value,
        "invoice_id": bill.invoice_id,
        "invoice_since": bill.invoice_since,
        "known_at": bill.known_at,
        "lines": bill.lines,
        "totals": {currency: bases_json(money) for currency, money in bill.totals.items()},
    }


def _delta(estimate_nano: int, billed: Money, attributed: Money) -> Json:
    return {
        "estimate": format_nano(estimate_nano),
        "billed": bases_json(billed),
        "attributed": bases_json(attributed),
    }


def _rests(total: CellSum) -> Json:
    estimate = Money.same(total.estimate_nano)
    return {
        "residual": bases_json(total.billed.minus(total.attributed)),
        "gap": bases_json(total.billed.minus(estimate)),
    }


def _gap(gap: Gap) -> Json:
    known = explain(gap.gap_class, gap.evidence, gap.cell)
    return {
        "class": gap.gap_class.value,
        "amount": bases_json(gap.money),
        "meaning": known.meaning,
        "remedy": known.remedy,
        # As text: a price that is implied by next to nothing passes 64 bits.
        "evidence": {name: str(value) for name, value in gap.evidence.items()},
    }
