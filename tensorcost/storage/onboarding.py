"""The projection of a tenant's way from sign-up to the first recommendation."""

from datetime import datetime

import orjson

from tensorcost.domain.tenancy.onboarding import OnboardingState
from tensorcost.domain.tenancy.onboarding_contracts import OnboardingEntry, OnboardingProgress
from tensorcost.storage.session import TenantTx

_SAVE = """
    INSERT INTO app.onboarding AS o (tenant_id, state, history, updated_at)
    VALUES (:tenant, :state, CAST(:history AS jsonb), :now)
    ON CONFLICT (tenant_id) DO UPDATE SET state = excluded.state, history = excluded.history,
        updated_at = excluded.updated_at
    WHERE o.history IS DISTINCT FROM excluded.history OR o.state <> excluded.state
"""


async def save_onboarding(tx: TenantTx, progress: OnboardingProgress, now: datetime) -> bool:
    """Write the projection; False when it said the same before."""
    history = [entry.model_dump(mode="json") for entry in progress.history]
    return bool(
        await tx.run(
            _SAVE,
            tenant=tx.tenant_id,
            state=progress.state.value,
            history=orjson.dumps(history).decode(),
            now=now,
        )
    )


async def find_onboarding(tx: TenantTx) -> OnboardingProgress | None:
    """How far the transaction's tenant is, or None before its onboarding began."""
    row = await tx.first(
        "SELECT state, history::text AS history FROM app.onboarding WHERE tenant_id = :tenant",
        tenant=tx.tenant_id,
    )
    if row is None:
        return None
    history = tuple(OnboardingEntry.model_validate(item) for item in orjson.loads(row.history))
    return OnboardingProgress(
        tenant_id=tx.tenant_id, state=OnboardingState(row.state), history=history
    )
