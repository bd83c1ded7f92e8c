"""Dimensions and actors: stored once a combination, compared on insert.

The ids are hashes; a collision would merge two customers' applications in silence, so the
stored values are compared and a difference is an error.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

from tensorcost.domain.spend.facts import (
    UNKNOWN,
    Actor,
    Dimension,
    RoutingScope,
    ServiceTier,
    Source,
)
from tensorcost.storage.session import TenantTx

_TEXTS: Final = (
    "source",
    "provider",
    "account_id",
    "usage_account_id",
    "region",
    "routing_scope",
    "model_id",
    "model_family",
    "model_tier",
    "service_tier",
    "modality",
    "context_bucket",
    "operation",
    "profile_arn",
    "application",
    "team",
    "environment",
    "owner",
)
PRICED_BY: Final = (
    "source",
    "provider",
    "region",
    "routing_scope",
    "model_id",
    "service_tier",
    "modality",
    "context_bucket",
)
"""The values that a price depends on."""
_INSERT_DIMENSIONS: Final = f"""
    INSERT INTO ai.dimension (tenant_id, dim_id, cell_id, {", ".join(_TEXTS)}, tags)
    SELECT $1, v.dim_id, v.cell_id, {", ".join(f"v.{name}" for name in _TEXTS)}, v.tags::jsonb
    FROM unnest($2::bigint[], $3::bigint[], {", ".join(f"${n + 4}::text[]" for n in range(18))},
        $22::text[]) AS v (dim_id, cell_id, {", ".join(_TEXTS)}, tags)
    ORDER BY v.dim_id
    ON CONFLICT DO NOTHING
"""
_READ_DIMENSIONS: Final = f"""
    SELECT dim_id, {", ".join(_TEXTS)}, tags::text FROM ai.dimension
    WHERE tenant_id = $1 AND dim_id = ANY($2::bigint[])
"""


def priced_dimension(values: Mapping[str, Any], account_id: str = UNKNOWN) -> Dimension:
    """A dimension of what its price depends on and nothing else: it has not the stored one's id."""
    return Dimension(
        source=Source(values["source"]),
        provider=values["provider"],
        account_id=account_id,
        usage_account_id=account_id,
        region=values["region"],
        routing_scope=RoutingScope(values["routing_scope"]),
        model_id=values["model_id"],
        service_tier=ServiceTier(values["service_tier"]),
        modality=values["modality"],
        context_bucket=values["context_bucket"],
    )


class HashCollision(RuntimeError):
    """Two different combinations have the same 64-bit id: nothing was written."""


async def ensure_dimensions(tx: TenantTx, dimensions: Collection[Dimension]) -> None:
    """Store the missing ones; raise HashCollision where a stored one differs."""
    if not dimensions:
        return
    by_id = {dimension.stable_id(): dimension for dimension in dimensions}
    if len(by_id) < len(set(dimensions)):
        raise HashCollision("two dimensions of one batch share an id")
    driver = await tx.driver()
    ordered = list(by_id.items())
    columns: list[list[Any]] = [
        [str(getattr(dimension, name)) for _, dimension in ordered] for name in _TEXTS
    ]
    await driver.execute(
        _INSERT_DIMENSIONS,
        tx.tenant_id,
        [dim_id for dim_id, _ in ordered],
        [dimension.cell_id() for _, dimension in ordered],
        *columns,
        [orjson.dumps(dict(dimension.tags)).decode() for _, dimension in ordered],
    )
    for row in await driver.fetch(_READ_DIMENSIONS, tx.tenant_id, list(by_id)):
        wanted = by_id[row[0]]
        same = all(row[n + 1] == str(getattr(wanted, name)) for n, name in enumerate(_TEXTS))
        if not same or orjson.loads(row[len(_TEXTS) + 1]) != dict(wanted.tags):
            raise HashCollision(f"dimension {row[0]} is stored with other values")


async def ensure_actors(tx: TenantTx, actors: Collection[Actor]) -> None:
    """Store the missing ones; raise HashCollision where a stored one differs."""
    by_id = {actor.stable_id(): actor for actor in actors}
    by_id.pop(Actor().stable_id(), None)
    if not by_id:
        return
    driver = await tx.driver()
    ordered = sorted(by_id.items())
    await driver.execute(
        "INSERT INTO ai.actor (tenant_id, actor_id, user_name, agent, workflow) "
        "SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) "
        "ON CONFLICT DO NOTHING",
        tx.tenant_id,
        [actor_id for actor_id, _ in ordered],
        [actor.user for _, actor in ordered],
        [actor.agent for _, actor in ordered],
        [actor.workflow for _, actor in ordered],
    )
    rows = await driver.fetch(
        "SELECT actor_id, user_name, agent, workflow FROM ai.actor "
        "WHERE tenant_id = $1 AND actor_id = ANY($2::bigint[])",
        tx.tenant_id,
        list(by_id),
    )
    for row in rows:
        if Actor(row[1], row[2], row[3]) != by_id[row[0]]:
            raise HashCollision(f"actor {row[0]} is stored with other values")
