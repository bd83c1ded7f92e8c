"""Worlds that Hypothesis makes up: usage, bills and looks of the reconciler, in any order.

Anything may be billed: charges of every category, in and out of scope, negative and zero amounts
and quantities, negations, another currency, lines dated outside their month. Two payers each
bill both accounts, in exports of their own, so that no bill stands for another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.reconciliation.closing import charge_day, period_end
from tensorcost.domain.cost.reconciliation.negation import COVERED_USAGE, NEGATION
from tensorcost.domain.spend.bill import BillLine, ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import Actor, Grain, RoutingScope, ServiceTier, Source
from tests.support.bills import OCTOBER, PAYER, bill_line
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, at

SEPTEMBER = date(2026, 9, 1)
PAYERS = {"daily": PAYER, "other": "888800002222"}
"""By the export that bills what they pay."""
PATIENT = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
"""A world takes as long as the database does: to make a failing one smaller would take minutes."""
_LONG_AGO = date(2025, 1, 1)


@dataclass(frozen=True)
class Used:
    """A batch of usage."""

    uses: tuple[Use, ...]


@dataclass(frozen=True)
class Billed:
    """A delivery, which replaces the export's former one of the month."""

    export: str
    period: date
    lines: tuple[BillLine, ...]

    @property
    def replaces(self) -> tuple[str, date]:
        return self.export, self.period

    def lines_before(self, day: date) -> list[BillLine]:
        """Those that are charged before ``day``."""
        return [one for one in self.lines if charge_day(one.usage_start.date(), self.period) < day]


@dataclass(frozen=True)
class Reconciled:
    """The reconciler takes every month that is due."""


Arrival = Used | Billed | Reconciled

_mostly_standard = st.sampled_from([*[ServiceTier.STANDARD] * 4, *ServiceTier])
_mostly_in_region = st.sampled_from([*[RoutingScope.IN_REGION] * 3, *RoutingScope])
_accounts = st.sampled_from(["111122223333", "444455556666"])
_regions = st.sampled_from(["us-east-1", "us-east-1", "eu-west-1"])
_models = st.sampled_from([MODEL, MODEL, "other.model-v1:0"])
_nano = st.one_of(st.integers(-9, 9), st.integers(-(10**10), 10**12))


def days_of(period: date) -> list[date]:
    """The month's edges and a few days between them, among them the ends of summer time."""
    last = period_end(period) - timedelta(days=1)
    return [period, period.replace(day=2), period.replace(day=4), period.replace(day=25), last]


def lines(period: date, payer: str) -> st.SearchStrategy[BillLine]:
    """Lines of a bill of the month, now and then dated before or after it, or of many days."""
    outside = [period - timedelta(days=1), period_end(period), _LONG_AGO]
    of_a_day = st.builds(
        bill_line,
        st.sampled_from([*days_of(period) * 2, *outside]),
        payer_account_id=st.just(payer),
        usage_account_id=_accounts,
        model_id=_models | st.just(""),
        region=_regions | st.just(""),
        charge_category=st.sampled_from([*[ChargeCategory.USAGE] * 6, *ChargeCategory]),
        line_item_type=st.sampled_from([*["Usage"] * 3, "Refund", COVERED_USAGE, NEGATION]),
        in_scope=st.sampled_from([True, True, True, False]),
        token_kind=st.sampled_from([TokenKind.INPUT, TokenKind.OUTPUT, TokenKind.CACHED, None]),
        service_tier=_mostly_standard,
        routing_scope=_mostly_in_region,
        quantity_micro=st.one_of(
            st.just(0), st.integers(-300, 300).map(lambda n: n * 10**6), st.integers(-5, 10**9)
        ),
        unblended_nano=_nano,
        amortized_nano=_nano,
        net_nano=st.none() | _nano,
        currency=st.sampled_from([*["USD"] * 5, "EUR"]),
        savings_plan_arn=st.sampled_from(["", "arn:a", "arn:b"]),
        tags=st.sampled_from([(), (("team", "care"),)]),
    )
    return st.builds(_lasting, of_a_day, st.sampled_from([1, 1, 1, 1, 0, 3, 40]))


def _lasting(line: BillLine, days: int) -> BillLine:
    return replace(line, usage_end=line.usage_start + timedelta(days=days))


def uses(periods: Sequence[date]) -> st.SearchStrategy[Use]:
    """Usage in the months and just after them: some of it is no bill's."""
    days = [day for period in periods for day in (*days_of(period), period_end(period))]
    return st.builds(
        Use,
        at=st.builds(at, st.sampled_from(sorted(set(days))), st.integers(0, 23)),
        where=st.builds(
            dimension,
            usage_account_id=_accounts,
            model_id=_models,
            region=_regions,
            source=st.sampled_from([*[Source.BEDROCK] * 4, Source.OPENAI_API]),
            team=st.sampled_from(["", "care"]),
            service_tier=_mostly_standard,
            routing_scope=_mostly_in_region,
        ),
        cost_nano=st.none() | st.integers(0, 10**12),
        who=st.sampled_from(
            [Actor(), Actor(agent="triage"), Actor(user="ana"), Actor(user="ana", workflow="w")]
        ),
        grain=st.sampled_from([Grain.REQUEST, Grain.REQUEST, Grain.METRIC]),
        input_tokens=st.sampled_from([0, 100, 100, 7]),
        output_tokens=st.sampled_from([0, 10]),
    )


def arrivals(*periods: date, most: int = 7) -> st.SearchStrategy[list[Arrival]]:
    """What comes to a tenant, one after the other; an export may deliver a month many times."""
    deliveries = [
        st.builds(
            Billed,
            st.just(export),
            st.just(period),
            st.lists(lines(period, payer), min_size=1, max_size=6).map(tuple),
        )
        for export, payer in PAYERS.items()
        for period in periods
    ]
    batches = st.builds(Used, st.lists(uses(periods), min_size=1, max_size=5).map(tuple))
    return st.lists(
        st.one_of(batches, batches, st.one_of(deliveries), st.just(Reconciled())),
        min_size=2,
        max_size=most,
    )


def all_uses(world: Sequence[Arrival]) -> list[Use]:
    return [use for arrival in world if isinstance(arrival, Used) for use in arrival.uses]


def last_bills(world: Sequence[Arrival]) -> list[Billed]:
    """What each export said last of each month."""
    said = {one.replaces: one for one in world if isinstance(one, Billed)}
    return list(said.values())


closed_worlds = arrivals(SEPTEMBER, OCTOBER)
"""Two months that are over, and a day after them."""
