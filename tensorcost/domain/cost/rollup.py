"""What a rollup sums; storage has a column of each name, in this order."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class RollupMeasures:
    """Sums over the rows of one key; they may be negative where a metric row was restated.

    ``cost_nano`` leaves unpriced rows out: ``unpriced_requests`` and ``unpriced_tokens``
    say how much is missing from it. The token sums hold all rows.
    """

    requests: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    quantity_micro: int = 0
    cost_nano: int = 0
    unpriced_requests: int = 0
    unpriced_tokens: int = 0
    error_requests: int = 0
    latency_ms_sum: int = 0
    latency_count: int = 0

    def __add__(self, other: "RollupMeasures") -> "RollupMeasures":
        return RollupMeasures(*(getattr(self, n) + getattr(other, n) for n in MEASURE_NAMES))

    def __sub__(self, other: "RollupMeasures") -> "RollupMeasures":
        return RollupMeasures(*(getattr(self, n) - getattr(other, n) for n in MEASURE_NAMES))

    @property
    def all_input_tokens(self) -> int:
        """Everything that went in: plain, read from cache and written to cache."""
        return (
            self.input_tokens
            + self.cached_tokens
            + self.cache_write_5m_tokens
            + self.cache_write_1h_tokens
        )

    @property
    def all_tokens(self) -> int:
        return self.all_input_tokens + self.output_tokens


MEASURE_NAMES = tuple(f.name for f in fields(RollupMeasures))
