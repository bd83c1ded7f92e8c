"""Reads of billing months: how they stand, their versions, and what one changed."""

from collections.abc import Sequence
from datetime import date

from tensorcost.domain.cost.query import check_rows
from tensorcost.domain.cost.query_window import DAY, Moment, as_of_moment
from tensorcost.domain.cost.reconciliation.months import month_name, month_of
from tensorcost.domain.errors import NotFound, ValidationFailed
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.services.authorise import requires
from tensorcost.services.reconciliation.answers import Difference, Month, MonthDetail
from tensorcost.services.reconciliation.deltas import difference_of
from tensorcost.services.reconciliation.lines import BillReads
from tensorcost.services.reconciliation.months import read_months
from tensorcost.storage.reconciliation.contributors import read_contributors
from tensorcost.storage.reconciliation.versions import (
    Version,
    read_difference,
    read_versions,
)
from tensorcost.storage.spend.bill_periods import list_periods


class MonthReads(BillReads):
    """Everything that is told of reconciled months, from Postgres alone."""

    @requires(Scope.COST_READ)
    async def periods(
        self,
        principal: Principal,
        *,
        limit: int,
        before: date | None = None,
        as_of: Moment | None = None,
    ) -> Sequence[Month]:
        """At most ``limit`` billing months before ``before``, the newest first."""
        now = self._clock()
        known = as_of_moment(as_of, now)
        async with self._reads.sums(principal, "reconciliation.periods") as tx:
            return await read_months(tx, now, limit=limit, as_of=known, before=before)

    @requires(Scope.COST_READ)
    async def period(
        self, principal: Principal, period: str, as_of: Moment | None = None
    ) -> MonthDetail:
        """One month with its versions, its bills and where each class of its gap comes from;
        NotFound without a bill and a reconciliation."""
        month, now = month_of(period), self._clock()
        known = as_of_moment(as_of, now)
        async with self._reads.sums(principal, "reconciliation.period") as tx:
            found = await read_months(tx, now, limit=1, as_of=known, before=month + DAY)
            if not found or found[0].period != month:
                raise NotFound("billing month", month_name(month))
            versions = await read_versions(tx, month)
            bills = [] if known else await list_periods(tx, now, period=month)
            contributors = await read_contributors(tx, month, known)
        return MonthDetail(
            month=found[0],
            versions=tuple(v for v in versions if known is None or v.known_at <= known),
            bills=tuple(bills),
            contributors=contributors,
        )

    @requires(Scope.COST_READ)
    async def difference(
        self,
        principal: Principal,
        period: str,
        *,
        former: int | None = None,
        latter: int | None = None,
        limit: int | None = None,
    ) -> Difference:
        """Signed deltas by account and model from one version to another.

        By default the newest version against the one before it; version 0 is what was known
        before the first. NotFound for a version that there is not.
        """
        month, most = month_of(period), check_rows(limit)
        async with self._reads.sums(principal, "reconciliation.difference") as tx:
            versions = await read_versions(tx, month)
            new = _checked(versions, month, latter, field="to")
            old = _checked(versions, month, new - 1 if former is None else former, field="from")
            deltas = await read_difference(tx, month, former=old, latter=new)
        return difference_of(month, old, new, deltas, versions=versions, most=most)


def _checked(versions: Sequence[Version], month: date, number: int | None, *, field: str) -> int:
    """The version meant, the newest by default; NotFound where the month has none such."""
    newest = versions[0].version if versions else 0
    chosen = newest if number is None else number
    if chosen < 0:
        raise ValidationFailed(f"'{field}' is a version number from 0", field=field)
    if not newest or chosen > newest:
        raise NotFound(f"version of {month_name(month)}", chosen)
    return chosen
