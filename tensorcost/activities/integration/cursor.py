"""How far an item is: the work already committed, never work in flight."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.integration.contracts import Tally
from tensorcost.storage.spend.batches import Counts


class ItemCursor(BaseModel):
    """Position of the last committed chunk of one step, and what was counted up to it."""

    model_config = ConfigDict(frozen=True)

    step_key: str
    position: str = ""
    tally: Tally = Tally()

    @classmethod
    def resume(cls, details: Sequence[object], saved: Self) -> Self:
        """The further one of a heartbeat's cursor and the saved one.

        Details that do not parse, or belong to another step, are no cursor: the saved one holds.
        """
        with suppress(ValidationError, IndexError):
            found = cls.model_validate(details[0])
            if found.step_key == saved.step_key and found.position > saved.position:
                return found
        return saved

    def after(
        self, position: str, report: IngestReport, *, size: int = 0, earlier: Counts | None = None
    ) -> Self:
        """The cursor once a chunk is committed.

        An object that was loaded before adds no rows, save those of ``earlier``: what this run
        itself committed without living to count it.
        """
        found = earlier or Counts(report.accepted, report.duplicate, report.rejected)
        added = Tally(
            objects=1,
            rows_read=report.rows_read or found.accepted + found.duplicate + found.rejected,
            accepted=found.accepted,
            duplicate=found.duplicate,
            rejected=found.rejected,
            unpriced=sum(group.rows for group in report.unpriced),
            bytes_read=0 if report.already_loaded and earlier is None else size,
        )
        return self.model_copy(update={"position": position, "tally": self.tally + added})
