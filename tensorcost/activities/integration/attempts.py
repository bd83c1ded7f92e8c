"""Why an attempt at a work item failed, kept on its step while the next one is awaited."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from tensorcost.activities.integration.announce import tell_run
from tensorcost.domain.errors import DomainError
from tensorcost.domain.integration.contracts_steps import ItemOrder
from tensorcost.storage.session import Database
from tensorcost.storage.sync_steps import retry_step

NOTE_WITHIN: Final = timedelta(seconds=5)
"""A database that does not answer is no reason to hold up the retry."""
WITHHELD: Final = "an error of our own; its text stands in the worker's log and the Temporal UI"


async def note_failure(db: Database, order: ItemOrder, error: Exception, now: datetime) -> None:
    """Show on the step what ended this attempt, where another one follows; never raises.

    What nobody will retry is written by the workflow, which gives the item up.
    """
    if isinstance(error, ApplicationError) and error.non_retryable:
        return
    code, text = told(error)
    try:
        async with (
            asyncio.timeout(NOTE_WITHIN.total_seconds()),
            db.tenant(order.connection.tenant_id) as tx,
        ):
            attempt = order.tried + activity.info().attempt
            if await retry_step(
                tx, order.run_id, order.step_key, attempt=attempt, code=code, error=text
            ):
                await tell_run(tx, order.run_id, now)
    except Exception:
        activity.logger.warning("the failure of an attempt could not be noted", exc_info=True)


def told(error: Exception) -> tuple[str, str]:
    """Code and text for the customer. Only texts that were made for people, and masked, are shown:
    those of other errors may quote what was being read."""
    if isinstance(error, ApplicationError):
        named = str(error.details[0]) if error.details else ""
        return named or error.type or "", error.message
    if isinstance(error, DomainError):
        return error.code.value, error.message
    return type(error).__name__, WITHHELD
