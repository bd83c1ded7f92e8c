"""Writes a look for accounts and sources into the history of its run."""

import asyncio
from datetime import datetime
from uuid import UUID

from temporalio import activity
from temporalio.exceptions import ApplicationError

from tensorcost.activities.integration.attempts import NOTE_WITHIN, told
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.contracts_steps import DiscoveryRequest, LookNote
from tensorcost.domain.integration.progress_look import (
    AFTER_PROBES,
    STEP,
    code_and_text,
    look_told,
    trouble_told,
)
from tensorcost.domain.integration.states import StepState
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.sync_history import find_run
from tensorcost.storage.sync_steps import StepSaving, note_step


async def record_look(
    tx: TenantTx, run_id: UUID, note: LookNote, *, position: int, now: datetime
) -> None:
    """One step that is over: what was found, or why nobody could look. Safe to repeat."""
    if note.found is None:
        state, detail = StepState.FAILED, code_and_text(note.code, note.error)
    else:
        state, detail = StepState.COMPLETED, look_told(note.found)
    saving = StepSaving(run_id, STEP, state, Tally(), detail)
    await note_step(tx, saving, position=position, source=STEP, now=now)


async def note_trouble(
    db: Database, request: DiscoveryRequest, error: Exception, now: datetime
) -> None:
    """Show why nobody could look so far, and when that is tried again; never raises.

    A sync has no run yet: what kept it from looking is written with its plan.
    """
    saving = StepSaving(request.run_id, STEP, *_trouble(error, now))
    try:
        async with (
            asyncio.timeout(NOTE_WITHIN.total_seconds()),
            db.tenant(request.connection.tenant_id) as tx,
        ):
            if await find_run(tx, request.run_id) is not None:
                await note_step(tx, saving, position=AFTER_PROBES, source=STEP, now=now)
    except Exception:
        activity.logger.warning("the failure of a look could not be noted", exc_info=True)


def _trouble(error: Exception, now: datetime) -> tuple[StepState, Tally, str]:
    info = activity.info()
    code, text = told(error)
    delay = error.next_retry_delay if isinstance(error, ApplicationError) else None
    most = info.retry_policy.maximum_attempts if info.retry_policy else 0
    refused = isinstance(error, ApplicationError) and error.non_retryable
    if refused or 0 < most <= info.attempt:
        return StepState.FAILED, Tally(), code_and_text(code, text)
    again = None if delay is None else now + delay
    return StepState.RETRYING, Tally(), trouble_told(code, text, info.attempt, again)
