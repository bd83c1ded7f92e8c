"""Writes a look for accounts and sources into the history of its run."""

from datetime import datetime
from uuid import UUID

from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.contracts_steps import LookNote
from tensorcost.domain.integration.progress_look import STEP, look_told
from tensorcost.domain.integration.states import StepState
from tensorcost.storage.session import TenantTx
from tensorcost.storage.sync_steps import StepSaving, add_finished_step


async def record_look(
    tx: TenantTx, run_id: UUID, note: LookNote, *, position: int, now: datetime
) -> None:
    """One step that is over: what was found, or why nobody could look. Safe to repeat."""
    if note.found is None:
        state, detail = StepState.FAILED, f"{note.code}: {note.error}" if note.code else note.error
    else:
        state, detail = StepState.COMPLETED, look_told(note.found)
    saving = StepSaving(run_id, STEP, state, Tally(), detail)
    await add_finished_step(tx, saving, position=position, source=STEP, now=now)
