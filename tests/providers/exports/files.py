"""The sample files of the tests, the whole published ones if they lie near, and ways to write."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.exports.event_spec import EventSpec
from tensorcost.providers.exports.events import read_events

REPOSITORY = Path(__file__).resolve().parents[3]
SAMPLES = REPOSITORY / "tests" / "data" / "exports"
PUBLISHED = REPOSITORY.parent / "shared" / "data"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BOUNDS = TimeBounds.at(NOW)


def sample_and_published(sample: str, *patterns: str) -> list[Path]:
    """The small sample, and every whole file that matches."""
    whole = [path for pattern in patterns for path in sorted(PUBLISHED.glob(pattern))]
    return [SAMPLES / sample, *whole]


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def text_of(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()


def spec(**parts: Any) -> EventSpec:
    return EventSpec(**{"bounds": BOUNDS, **parts})


def read_all(path: Path, one: EventSpec, **options: Any) -> ParsedSpend:
    """Every row in one batch."""
    batches = list(read_events(path, one, batch_rows=10**9, **options))
    assert len(batches) == 1
    return batches[0]


def told(rejects: list[Reject] | tuple[Reject, ...]) -> list[tuple[int, str]]:
    return [(reject.position, reject.reason) for reject in rejects]
