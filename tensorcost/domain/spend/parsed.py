"""The hand-over between parsers and the ingest pipeline: columns, not rows.

A parser interns its dimensions and actors and appends one value per column and row. The
composition in ``activities`` prices the columns, turns them into Arrow and loads them.
Bodies never get this far: parsers hash them and let go.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from tensorcost.domain.spend.facts import Actor, Dimension, Grain


@dataclass(frozen=True, slots=True)
class Reject:
    """A row or file that was not accepted. Keeps a hash of the line, never the line."""

    file: str
    position: int
    """1-based line or row number; 0 when the whole file is meant."""
    reason: str
    """Stable reason code such as ``not_json`` or ``negative_tokens``."""
    detail: str = ""
    line_hash: bytes = b""


def line_of(lines: Sequence[tuple[int, int]], row: int) -> int:
    """The line of a row by ``ParsedSpend.lines``; 0 where it has none."""
    place = bisect_right(lines, row, key=itemgetter(0)) - 1
    if place < 0:
        return 0
    first_row, first_line = lines[place]
    return first_line + row - first_row


@dataclass(slots=True)
class ParsedSpend:
    """Columns of equal length, plus the interned values that ``dim`` and ``actor`` index.

    Token counts are the five disjoint buckets of decisions 6. ``native_id`` is hashed into
    the event id together with the dimension's source, account and region.
    """

    grain: Grain
    ts_us: list[int] = field(default_factory=list)
    """Event time, microseconds since the Unix epoch, UTC."""
    native_id: list[str] = field(default_factory=list)
    dim: list[int] = field(default_factory=list)
    """Index into ``dimensions``."""
    actor: list[int] = field(default_factory=list)
    """Index into ``actors``."""
    requests: list[int] = field(default_factory=list)
    input_tokens: list[int] = field(default_factory=list)
    cached_tokens: list[int] = field(default_factory=list)
    cache_write_5m_tokens: list[int] = field(default_factory=list)
    cache_write_1h_tokens: list[int] = field(default_factory=list)
    output_tokens: list[int] = field(default_factory=list)
    quantity_micro: list[int | None] = field(default_factory=list)
    """Quantity of what is not tokens (images, seconds, GPU hours), times 10^6."""
    unit: list[str | None] = field(default_factory=list)
    recorded_cost_nano: list[int | None] = field(default_factory=list)
    """The cost that the source itself states; kept beside our own price, never instead."""
    recorded_currency: list[str | None] = field(default_factory=list)
    latency_ms: list[int | None] = field(default_factory=list)
    error_code: list[str | None] = field(default_factory=list)
    request_id: list[str | None] = field(default_factory=list)
    conversation_id: list[str | None] = field(default_factory=list)
    session_id: list[str | None] = field(default_factory=list)
    prompt_hash: list[bytes | None] = field(default_factory=list)
    response_hash: list[bytes | None] = field(default_factory=list)
    prefix_hashes: list[bytes | None] = field(default_factory=list)
    """Concatenated 8-byte hashes at the tools, system and message boundaries (decisions 12)."""
    dimensions: list[Dimension] = field(default_factory=list)
    actors: list[Actor] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rows_read: int = 0
    """Rows seen, accepted or not."""
    lines: list[tuple[int, int]] = field(default_factory=list)
    """(row, its 1-based line) wherever the two do not count up together; empty where a row has
    no line."""
    _dim_index: dict[Dimension, int] = field(default_factory=dict, repr=False)
    _actor_index: dict[Actor, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.ts_us)

    def mark_line(self, row: int, line: int) -> None:
        """Row number ``row``, from 0, is the one of ``line``. Call it in their order."""
        if self.lines:
            last_row, last_line = self.lines[-1]
            if line - row == last_line - last_row:
                return
            if last_row == row:
                self.lines.pop()
        self.lines.append((row, line))

    def intern_dimension(self, dimension: Dimension) -> int:
        """Index of ``dimension``, added when new."""
        index = self._dim_index.get(dimension)
        if index is None:
            index = len(self.dimensions)
            self.dimensions.append(dimension)
            self._dim_index[dimension] = index
        return index

    def intern_actor(self, actor: Actor) -> int:
        """Index of ``actor``, added when new."""
        index = self._actor_index.get(actor)
        if index is None:
            index = len(self.actors)
            self.actors.append(actor)
            self._actor_index[actor] = index
        return index
