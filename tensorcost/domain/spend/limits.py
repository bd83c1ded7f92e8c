"""What an acceptable spend row is. One set of bounds for every way in."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
EARLIEST: Final = datetime(2015, 1, 1, tzinfo=UTC)
FUTURE_SLACK: Final = timedelta(hours=24)
MAX_TOKENS_PER_REQUEST: Final = 100_000_000
"""Ten times the largest context window sold; more is a defect of the source."""
MAX_QUANTITY: Final = 1_000_000_000
"""Of one request, in its unit: sums of many such rows still fit into 64 bits."""
MAX_TOKENS_PER_METRIC: Final = 2**53
AWS_ACCOUNT: Final = re.compile(r"[0-9]{12}")
MAX_LABEL_LENGTH: Final = 256


class RejectReason:
    """Stable reason codes of quarantined rows and files; ``reject_meanings`` explains each."""

    NOT_GZIP = "not_gzip"
    TRUNCATED_GZIP = "truncated_gzip"
    TRUNCATED_CSV = "truncated_csv"
    NOT_JSON = "not_json"
    NOT_PARQUET = "not_parquet"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NEGATIVE_TOKENS = "negative_tokens"
    ABSURD_TOKENS = "absurd_tokens"
    BAD_ACCOUNT = "bad_account"
    BAD_TIMESTAMP = "bad_timestamp"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"
    BAD_AMOUNT = "bad_amount"
    ID_CONFLICT = "id_conflict"
    LINE_TOO_LONG = "line_too_long"
    BAD_MANIFEST = "bad_manifest"
    BROKEN_DELIVERY = "broken_delivery"
    NO_ROWS = "no_rows"


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """Accepted event times, microseconds since the epoch, both inclusive (decisions 13)."""

    lower_us: int
    upper_us: int

    @classmethod
    def at(cls, now: datetime, lower: datetime | None = None) -> "TimeBounds":
        """Bounds for rows read at ``now``; ``lower`` is the connection's own bound."""
        earliest = EARLIEST if lower is None else max(lower, EARLIEST)
        return cls(to_us(earliest), to_us(now + FUTURE_SLACK))

    def problem(self, ts_us: int) -> str | None:
        """The reject reason of a time outside the bounds, or None."""
        if ts_us < self.lower_us:
            return RejectReason.TOO_OLD
        if ts_us > self.upper_us:
            return RejectReason.IN_THE_FUTURE
        return None


def to_us(moment: datetime) -> int:
    """Microseconds since the Unix epoch, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def tokens_problem(counts: tuple[int, ...], *, limit: int = MAX_TOKENS_PER_REQUEST) -> str | None:
    """The reject reason of token counts that cannot be, or None."""
    if min(counts) < 0:
        return RejectReason.NEGATIVE_TOKENS
    if max(counts) > limit:
        return RejectReason.ABSURD_TOKENS
    return None


def context_bucket(total_input_tokens: int) -> str:
    """Highest published long-context threshold that the request's whole input exceeds."""
    if total_input_tokens <= 128_000:
        return "base"
    if total_input_tokens <= 200_000:
        return "above_128k"
    if total_input_tokens <= 272_000:
        return "above_200k"
    return "above_272k" if total_input_tokens <= 512_000 else "above_512k"
