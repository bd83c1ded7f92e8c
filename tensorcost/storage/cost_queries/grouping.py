"""SQL of groups and filters. Every fragment is a constant of ours; values are parameters."""

from dataclasses import dataclass
from typing import Any, Final

from tensorcost.domain.cost.query import ACTORS, CostQuery, GroupBy, SpendFilter
from tensorcost.storage.cost_queries.members import member

_BY_AGENT: Final = (
    "actor_id IN (SELECT actor_id FROM ai.actor WHERE tenant_id = :tenant "
    "AND (agent <> '' OR workflow <> ''))"
)
_WORKLOAD: Final = "CASE WHEN d.source = 'gpu_agent' THEN 'gpu' {agent}ELSE 'inference' END"
_DIMENSIONS: Final[dict[GroupBy, str]] = {
    GroupBy.SOURCE: "d.source",
    GroupBy.PROVIDER: "d.provider",
    GroupBy.MODEL: "d.model_id",
    GroupBy.MODEL_FAMILY: "d.model_family",
    GroupBy.MODEL_TIER: "d.model_tier",
    GroupBy.SERVICE_TIER: "d.service_tier",
    GroupBy.ACCOUNT: "d.usage_account_id",
    GroupBy.REGION: "d.region",
    GroupBy.OPERATION: "d.operation",
    GroupBy.APPLICATION: "d.application",
    GroupBy.TEAM: "d.team",
    GroupBy.ENVIRONMENT: "d.environment",
    GroupBy.OWNER: "d.owner",
}
_GROUP_COLUMNS: Final[dict[GroupBy, str]] = {
    **_DIMENSIONS,
    GroupBy.USER: "coalesce(a.user_name, '')",
    GroupBy.AGENT: "coalesce(a.agent, '')",
    GroupBy.WORKFLOW: "coalesce(a.workflow, '')",
    GroupBy.WORKLOAD: _WORKLOAD.format(agent=f"WHEN s.{_BY_AGENT} THEN 'agent' "),
}
_BILL_COLUMNS: Final[dict[GroupBy, str]] = {
    **_DIMENSIONS,
    **dict.fromkeys(ACTORS, "''"),
    GroupBy.WORKLOAD: _WORKLOAD.format(agent=""),
}
_DIMENSION_FILTERS: Final[dict[str, GroupBy]] = {
    "source": GroupBy.SOURCE,
    "provider": GroupBy.PROVIDER,
    "model_id": GroupBy.MODEL,
    "account": GroupBy.ACCOUNT,
    "region": GroupBy.REGION,
    "application": GroupBy.APPLICATION,
    "team": GroupBy.TEAM,
    "environment": GroupBy.ENVIRONMENT,
    "owner": GroupBy.OWNER,
}
_ACTOR_FILTERS: Final[dict[str, tuple[GroupBy, str]]] = {
    "user": (GroupBy.USER, "user_name"),
    "agent": (GroupBy.AGENT, "agent"),
    "workflow": (GroupBy.WORKFLOW, "workflow"),
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """The key columns of usage, of bill lines and of reconciled money; each ends with a comma."""

    usage_keys: str
    bill_keys: str
    money_keys: str
    joins_actor: bool
    by_actor: bool
    """Whether a key depends on the actor, joined or not."""


def grouping_of(query: CostQuery) -> Grouping:
    """Actors are joined only where the question asks for them."""
    groups = query.group_by
    return Grouping(
        usage_keys=_keys([_GROUP_COLUMNS[group] for group in groups]),
        bill_keys=_keys([member(group, _BILL_COLUMNS[group]) for group in groups]),
        money_keys=_keys([member(group, _GROUP_COLUMNS[group]) for group in groups]),
        joins_actor=any(group in ACTORS for group in groups),
        by_actor=any(group in ACTORS or group is GroupBy.WORKLOAD for group in groups),
    )


def dimension_filter(wanted: SpendFilter, params: dict[str, Any], *, billed: bool = False) -> str:
    """Conditions on ``ai.dimension d``, starting with AND; adds their values to ``params``.

    ``billed``: for money ``s`` of a bill, which a reserved member's name asks for too.
    """
    parts = []
    for name, value in wanted.given().items():
        if name in _DIMENSION_FILTERS:
            params[f"only_{name}"] = value
            group = _DIMENSION_FILTERS[name]
            column = _DIMENSIONS[group]
            names = f"{column}, {member(group, column)}" if billed else column
            parts.append(f" AND :only_{name} IN ({names})")
    if wanted.ai_only:
        parts.append(" AND d.source <> 'gpu_agent'")
    return "".join(parts)


def actor_filter(
    alias: str, wanted: SpendFilter, params: dict[str, Any], *, billed: bool = False
) -> str:
    """Conditions on ``alias.actor_id``. The empty text keeps the rows that name nobody.

    ``billed``: for reconciled money, of which a reserved member's name asks for the part that
    stands on the bill's own lines.
    """
    parts = []
    for name, value in wanted.given().items():
        if name not in _ACTOR_FILTERS:
            continue
        group, column = _ACTOR_FILTERS[name]
        among = f"(SELECT actor_id FROM ai.actor WHERE tenant_id = :tenant AND {column}"
        if value:
            params[f"only_{name}"] = value
            known = f"{alias}.actor_id IN {among} = :only_{name})"
            unknown = f" OR {_of_bill(group, name)}" if billed else ""
            parts.append(f" AND ({known}{unknown})")
        else:
            parts.append(f" AND {alias}.actor_id NOT IN {among} <> '')")
    return "".join(parts)


def line_filter(wanted: SpendFilter, params: dict[str, Any]) -> str:
    """What an actor filter leaves of bill lines ``s``, which name nobody."""
    parts = []
    for name, value in wanted.given().items():
        if name in _ACTOR_FILTERS and value:
            params[f"only_{name}"] = value
            parts.append(f" AND {_of_bill(_ACTOR_FILTERS[name][0], name)}")
    return "".join(parts)


def _of_bill(group: GroupBy, name: str) -> str:
    nobody = member(group, "''")
    return f"(s.grain = 3 AND :only_{name} = {nobody})"


def _keys(columns: list[str]) -> str:
    return "".join(f"{column} AS k{n}, " for n, column in enumerate(columns))
