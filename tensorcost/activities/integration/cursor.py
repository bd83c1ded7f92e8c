"""How far an item is: the work already committed, never work in flight."""

from collections.abc import Iterator
from typing import Final, Self

from pydantic import BaseModel, ConfigDict

from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.integration.ports import Chunk
from tensorcost.domain.integration.contracts import Tally

ROWS_REJECTED: Final = "ROWS_REJECTED"
_MOST_NOTE: Final = 900
_PARTED: Final = "; "


class ItemCursor(BaseModel):
    """Position of the last committed chunk of one step, and what was counted up to it."""

    model_config = ConfigDict(frozen=True)

    step_key: str
    position: str = ""
    tally: Tally = Tally()
    note: str = ""
    """What was refused or set aside on the way, each as ``CODE: text``; the first ones."""

    @property
    def code(self) -> str:
        """Of the first thing that the note tells; empty where nothing was refused."""
        return self.note.partition(":")[0]

    def after(self, chunk: Chunk, report: IngestReport) -> Self:
        """The cursor once a chunk is committed. An object that was loaded before adds no rows."""
        added = Tally(
            objects=1,
            rows_read=report.rows_read,
            accepted=report.accepted,
            duplicate=report.duplicate,
            rejected=report.rejected,
            unpriced=sum(group.rows for group in report.unpriced),
            bytes_read=0 if report.already_loaded else getattr(chunk, "size", 0),
        )
        told = {"tally": self.tally + added, "note": self._noting(report)}
        return self.model_copy(update={"position": chunk.position, **told})

    def _noting(self, report: IngestReport) -> str:
        note = self.note
        for code, text in _notes(report):
            longer = f"{note}{_PARTED if note else ''}{code}: {text}"
            if len(longer) > _MOST_NOTE:
                break
            note = longer
        return note


def _notes(report: IngestReport) -> Iterator[tuple[str, str]]:
    """What the load says of itself, or else the first of the rows that it refused."""
    yield from report.notes
    if report.rejects and not report.notes:
        first = report.rejects[0]
        yield (
            ROWS_REJECTED,
            f"{report.rejected} of {report.rows_read} rows, the first in {first.file} at "
            f"{first.position} ({first.reason})",
        )
