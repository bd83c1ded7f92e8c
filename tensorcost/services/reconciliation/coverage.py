"""Connection coverage as a service level: how much of the bill is explained, and where (N15)."""

from collections.abc import Iterable
from datetime import date
from functools import reduce

from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.query import check_rows
from tensorcost.domain.cost.query_window import Window, as_of_moment
from tensorcost.domain.cost.reconciliation.coverage import Coverage, Place
from tensorcost.domain.cost.reconciliation.surroundings import Surroundings
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.services.authorise import requires
from tensorcost.services.reconciliation.answers import CoverageReport
from tensorcost.services.reconciliation.asking import CoverageAsk, whole_days
from tensorcost.services.reconciliation.covered import Covered, by_day
from tensorcost.services.reconciliation.short import read_shortfalls
from tensorcost.services.spend.access import AuditedReads
from tensorcost.storage.reconciliation import places
from tensorcost.storage.reconciliation.coverage import (
    CoverageQuery,
    read_coverage,
    read_coverage_history,
)
from tensorcost.storage.session import Database, TenantTx


class CoverageService:
    """Reads of the reconciled days, joined with what the connections know of their places."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._clock = clock
        self._reads = AuditedReads(db, clock)

    @requires(Scope.COST_READ)
    async def coverage(
        self, principal: Principal, ask: CoverageAsk, limit: int | None = None
    ) -> CoverageReport:
        """Shares of the billed usage by place and day, and the probable causes of each silence
        and of each place below its service level.

        Causes are today's: an ``as_of`` question names none. Findings are shown to callers who
        may read connections.
        """
        most, now = check_rows(limit), self._clock()
        window = whole_days(ask.start, ask.end, now.date())
        as_of = as_of_moment(ask.as_of, now)
        query = CoverageQuery(window.first_day, window.end_day, ask.account, ask.region, as_of)
        async with self._reads.sums(principal, "reconciliation.coverage") as tx:
            sums = await read_coverage(tx, query)
            around = None if as_of else await _surroundings(tx, window, now.date())
            found = Covered(
                by_place=sums.by_place,
                basis=ask.basis,
                around=around,
                extra=_extra(around, ask),
                names_findings=principal.may(Scope.INTEGRATION_READ),
            ).places()
            kept = [known for known in found if known.silence or not ask.silent_only]
            shown = kept[:most]
            days = await read_coverage_history(tx, query, [known.place for known in shown])
            why = await read_shortfalls(tx, query, shown, around, principal)
        history = by_day(sums.by_day, ask.basis)
        return CoverageReport(
            window=window,
            as_of=as_of,
            basis=ask.basis,
            total=_total(history.values()),
            history=history,
            places=tuple(
                known.with_history(
                    days.get(known.place, {}), ask.basis, around, why.get(known.place, ())
                )
                for known in shown
            ),
            rest_count=len(kept) - len(shown),
            silent_places=sum(known.silence is not None for known in found),
        )


async def _surroundings(tx: TenantTx, window: Window, today: date) -> Surroundings:
    first, end = window.first_day, window.end_day
    return Surroundings(
        accounts=await places.read_accounts(tx),
        logged_places=await places.read_logged_places(tx),
        calls=await places.read_calls(tx, first, end),
        billed_accounts=await places.read_billed_accounts(tx, first, end),
        batch_nano=await places.read_batch_money(tx, first, end),
        findings=await places.read_place_findings(tx),
        today=today,
        end_day=end,
        kept_logs=await places.read_kept_logs(tx),
    )


def _total(parts: Iterable[Coverage]) -> Coverage:
    return reduce(Coverage.plus, parts, Coverage("", ""))


def _extra(around: Surroundings | None, ask: CoverageAsk) -> list[Place]:
    return [] if around is None else [p for p in around.places() if _is_asked(p, ask)]


def _is_asked(place: Place, ask: CoverageAsk) -> bool:
    account, region = place
    return ask.account in (None, account) and ask.region in (None, region)
