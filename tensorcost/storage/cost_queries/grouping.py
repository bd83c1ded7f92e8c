"""SQL of groups and filters. Every fragment is a constant of ours; values are parameters."""

from dataclasses import dataclass
from typing import Any, Final

from tensorcost.domain.cost.query import ACTORS, CostQuery, GroupBy, SpendFilter

_BY_AGENT: Final = (
    "actor_id IN (SELECT actor_id FROM ai.actor WHERE tenant_id = :tenant "
    "AND (agent <> '' OR workflow <> ''))"
)
_GROUP_COLUMNS: Final[dict[GroupBy, str]] = {
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
    GroupBy.USER: "coalesce(a.user_name, '')",
    GroupBy.AGENT: "coalesce(a.agent, '')",
    GroupBy.WORKFLOW: "coalesce(a.workflow, '')",
    GroupBy.WORKLOAD: "CASE WHEN d.source = 'gpu_agent' THEN 'gpu' "
    f"WHEN s.{_BY_AGENT} THEN 'agent' ELSE 'inference' END",
}
_BILL_COLUMNS: Final[dict[GroupBy, str]] = {
    **_GROUP_COLUMNS,
    GroupBy.USER: "''",
    GroupBy.AGENT: "''",
    GroupBy.WORKFLOW: "''",
    GroupBy.WORKLOAD: "CASE WHEN d.source = 'gpu_agent' THEN 'gpu' ELSE 'inference' END",
}
_DIMENSION_FILTERS: Final[dict[str, str]] = {
    "source": "d.source",
    "provider": "d.provider",
    "model_id": "d.model_id",
    "account": "d.usage_account_id",
    "region": "d.region",
    "application": "d.application",
    "team": "d.team",
    "environment": "d.environment",
    "owner": "d.owner",
}
_ACTOR_FILTERS: Final[dict[str, str]] = {
    "user": "user_name",
    "agent": "agent",
    "workflow": "workflow",
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """The key columns of usage rows and of bill lines; each ends with a comma."""

    usage_keys: str
    bill_keys: str
    joins_actor: bool
    by_actor: bool
    """Whether a key depends on the actor, joined or not."""


def grouping_of(query: CostQuery) -> Grouping:
    """Actors are joined only where the question asks for them."""
    return Grouping(
        usage_keys=_keys(_GROUP_COLUMNS, query.group_by),
        bill_keys=_keys(_BILL_COLUMNS, query.group_by),
        joins_actor=any(group in ACTORS for group in query.group_by),
        by_actor=any(group in ACTORS or group is GroupBy.WORKLOAD for group in query.group_by),
    )


def dimension_filter(wanted: SpendFilter, params: dict[str, Any]) -> str:
    """Conditions on ``ai.dimension d``, starting with AND; adds their values to ``params``."""
    parts = []
    for name, value in wanted.given().items():
        if name in _DIMENSION_FILTERS:
            params[f"only_{name}"] = value
            parts.append(f" AND {_DIMENSION_FILTERS[name]} = :only_{name}")
    if wanted.ai_only:
        parts.append(" AND d.source <> 'gpu_agent'")
    return "".join(parts)


def actor_filter(alias: str, wanted: SpendFilter, params: dict[str, Any]) -> str:
    """Conditions on ``alias.actor_id``. The empty text keeps the rows that name nobody."""
    parts = []
    for name, value in wanted.given().items():
        if name not in _ACTOR_FILTERS:
            continue
        column = _ACTOR_FILTERS[name]
        among = f"(SELECT actor_id FROM ai.actor WHERE tenant_id = :tenant AND {column}"
        if value:
            params[f"only_{name}"] = value
            parts.append(f" AND {alias}.actor_id IN {among} = :only_{name})")
        else:
            parts.append(f" AND {alias}.actor_id NOT IN {among} <> '')")
    return "".join(parts)


def _keys(columns: dict[GroupBy, str], groups: tuple[GroupBy, ...]) -> str:
    return "".join(f"{columns[group]} AS k{n}, " for n, group in enumerate(groups))
