"""Whether anybody of a name was ever seen."""

from typing import Final

from tensorcost.domain.cost.query import GroupBy
from tensorcost.storage.session import TenantTx

_COLUMNS: Final = {GroupBy.AGENT: "agent", GroupBy.WORKFLOW: "workflow", GroupBy.USER: "user_name"}


async def names_actor(tx: TenantTx, kind: GroupBy, name: str) -> bool:
    """True when a row of the tenant names the agent, workflow or user; never for the empty text."""
    found: bool = await tx.scalar(
        f"SELECT EXISTS (SELECT FROM ai.actor WHERE tenant_id = :tenant "
        f"AND {_COLUMNS[kind]} = :name AND {_COLUMNS[kind]} <> '')",
        tenant=tx.tenant_id,
        name=name,
    )
    return found
