"""How far an item is: the work already committed, never work in flight."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tensorcost.activities.ingest.report import IngestReport
from tensorcost.domain.integration.contracts import Tally


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

    def after(self, position: str, report: IngestReport, *, size: int = 0) -> Self:
        """The cursor once a chunk is committed. An object loaded before adds no rows."""
        fresh = not report.already_loaded
        added = Tally(
            objects=1,
            rows_read=report.rows_read,
            accepted=report.accepted,
            duplicate=report.duplicate,
            rejected=report.rejected,
            unpriced=sum(group.rows for group in report.unpriced),
            bytes_read=size if fresh else 0,
        )
        return self.model_copy(update={"position": position, "tally": self.tally + added})
