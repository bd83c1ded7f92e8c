"""Arrow batches in COPY's binary form."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

import pgpq
import pyarrow as pa

_SLICE_ROWS: Final = 2_000


async def encoded(
    batches: Sequence[pa.RecordBatch], columns: Sequence[str], schema: pa.Schema
) -> AsyncIterator[bytes]:
    """The ``columns`` of batches of one ``schema``, a slice at a time, so that Postgres stores one
    while the next is encoded."""
    encoder = pgpq.ArrowToPostgresBinaryEncoder(pa.schema([schema.field(c) for c in columns]))
    yield encoder.write_header()
    for batch in batches:
        chosen = batch.select(columns)
        for start in range(0, chosen.num_rows, _SLICE_ROWS):
            yield encoder.write_batch(chosen.slice(start, _SLICE_ROWS))
    yield encoder.finish()
