"""Repeats inside one chunk: the first row stays, an equal one is a duplicate."""

from dataclasses import dataclass

import pyarrow as pa

from tensorcost.storage.spend.events import CONTENT


@dataclass(frozen=True, slots=True)
class Deduplicated:
    events: pa.RecordBatch
    """Rows with unique event ids."""
    conflicts: list[int]
    """Further rows with the id of an earlier one and other content."""


def deduplicate(events: pa.RecordBatch) -> Deduplicated:
    """Keep the first row of each event id."""
    ids = events.column("event_id").to_pylist()
    if len(set(ids)) == len(ids):
        return Deduplicated(events, [])
    content = [events.column(name).to_pylist() for name in ("ts", *CONTENT)]
    first: dict[bytes, int] = {}
    keep: list[bool] = []
    conflicts: list[int] = []
    for row, event_id in enumerate(ids):
        earlier = first.setdefault(event_id, row)
        keep.append(earlier == row)
        if earlier != row and any(column[row] != column[earlier] for column in content):
            conflicts.append(row)
    return Deduplicated(events.filter(pa.array(keep, pa.bool_())), conflicts)
