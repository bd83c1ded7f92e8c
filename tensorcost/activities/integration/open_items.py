"""Work items while they are read: what of each is committed, and what stopped it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tensorcost.activities.integration.cursor import ItemCursor
from tensorcost.activities.integration.ports import ConnectorError, ReadJob
from tensorcost.domain.integration.contracts import ConnectionKey, Tally
from tensorcost.domain.integration.states import StepState
from tensorcost.storage.spend.batches import Origin
from tensorcost.storage.sync_steps import StepSaving


@dataclass(slots=True, eq=False)
class OpenItem:
    """One item. ``cursor`` is past what the loader has reported, ``saved`` the one of its step.

    The step has it from the transaction that loaded the rows, so that an attempt that dies takes
    no counter with it. Only an object that was loaded before moves ``cursor`` first.
    """

    job: ReadJob
    cursor: ItemCursor
    saved: ItemCursor
    attempt: int
    in_hand: int = 0
    """Chunks handed out and not loaded yet."""
    is_read: bool = False
    """Whether all its chunks were handed out."""
    failed: bool = False
    """Whether a chunk could not be loaded: none after it may be."""
    error: ConnectorError | None = None
    ended: bool = False
    """Whether its step says that it is done."""

    @property
    def step_key(self) -> str:
        return self.cursor.step_key

    @property
    def is_complete(self) -> bool:
        return self.is_read and not self.in_hand and self.error is None

    @property
    def is_due(self) -> bool:
        """Whether there is something to write to its step."""
        changed = self.is_complete or self.error is not None or self.furthest is not self.saved
        return changed and not self.ended

    @property
    def furthest(self) -> ItemCursor:
        """One transaction loads several chunks, which are reported one by one."""
        return max(self.saved, self.cursor, key=lambda cursor: cursor.tally.objects)

    def saving(self, run_id: UUID, cursor: ItemCursor) -> StepSaving:
        """Its step as it is to be written with a cursor."""
        return StepSaving(
            run_id,
            self.step_key,
            StepState.COMPLETED if self.is_complete else StepState.RUNNING,
            cursor.tally,
            detail=cursor.note,
            cursor=cursor.position,
            error_code=cursor.code,
            attempt=self.attempt,
        )


@dataclass(slots=True)
class OpenItems:
    """The items of one activity, most often a single one."""

    connection: ConnectionKey
    run_id: UUID
    items: list[OpenItem]
    ended_before: Tally
    """Sum of those that an earlier attempt ended."""
    saved_at: datetime
    newest: ItemCursor | None = field(init=False)
    """What the heartbeat tells: the cursor that moved last."""

    def __post_init__(self) -> None:
        self.newest = self.items[0].cursor if self.items else None

    @property
    def origin(self) -> Origin:
        connection_id = self.connection.connection_id
        return Origin(str(connection_id), connection_id, self.run_id)

    def tally(self) -> Tally:
        """Counters of all that ended."""
        ended = (item.cursor.tally for item in self.items if item.ended)
        return self.ended_before + total(tally.model_copy(update={"done": 1}) for tally in ended)


def total(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())
