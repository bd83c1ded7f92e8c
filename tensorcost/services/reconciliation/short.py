"""Places below their service level, each with what was seen of its probable causes."""

from collections.abc import Mapping, Sequence
from typing import Final

from tensorcost.domain.cost.reconciliation.coverage import Place
from tensorcost.domain.cost.reconciliation.shortfall import PartlyLogged, Shortfall, shortfalls
from tensorcost.domain.cost.reconciliation.surroundings import Surroundings
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.spend.facts import Grain
from tensorcost.services.reconciliation.covered import Known
from tensorcost.storage.reconciliation.coverage import CoverageQuery
from tensorcost.storage.reconciliation.missed import LoggedDays, read_excess, read_missed
from tensorcost.storage.reconciliation.places import read_calls_between
from tensorcost.storage.session import TenantTx

_HIDDEN: Final = ("a connection has an open finding about this place",)
"""For a caller who may not read connections."""


async def read_shortfalls(
    tx: TenantTx,
    query: CoverageQuery,
    shown: Sequence[Known],
    around: Surroundings | None,
    principal: Principal,
) -> Mapping[Place, Sequence[Shortfall]]:
    """The causes of the shown places that are short; none where causes are not asked for."""
    if around is None:
        return {}
    logged = [
        LoggedDays(*known.place, *days)
        for known in shown
        if known.is_short and (days := around.logged_days(known.place))
    ]
    if not logged:
        return {}
    missed = await read_missed(tx, query, logged)
    excess = await read_excess(tx, query, {one.account_id for one in logged})
    calls = await read_calls_between(tx, logged)
    found: dict[Place, Sequence[Shortfall]] = {}
    for one in logged:
        place = (one.account_id, one.region)
        titles = tuple(finding.title for finding in around.in_the_way(place))
        found[place] = shortfalls(
            PartlyLogged(
                first_logged=one.first_day,
                last_logged=one.last_day,
                logged_requests=calls.get((place, Grain.REQUEST), 0),
                metered_requests=calls.get((place, Grain.METRIC), 0),
                logged_elsewhere=_elsewhere(excess, place),
                open_findings=titles
                if principal.may(Scope.INTEGRATION_READ)
                else _HIDDEN[: len(titles)],
                missed=missed.get(place, ()),
                kept_logs=around.kept_logs.get(place),
            )
        )
    return found


def _elsewhere(
    excess: Mapping[str, Mapping[str, set[str]]], place: Place
) -> Mapping[str, set[str]]:
    """By model the other regions of the account with more logs than bill."""
    account, here = place
    regions = {model: found - {here} for model, found in excess.get(account, {}).items()}
    return {model: others for model, others in regions.items() if others}
