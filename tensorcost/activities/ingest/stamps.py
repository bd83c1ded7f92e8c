"""Files on disk while they are read: whether they can be, and whether they stay as they are."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.exports.bad_file import BadFile

CHANGED: Final = "changed while it was read: import it again"


class Stamps:
    """What files looked like before the first byte of them was read."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._seen = {path: _stamp(path) for path in paths}

    def changed(self) -> list[Path]:
        """Those that were written to, replaced or taken away since."""
        return [path for path, stamp in self._seen.items() if _stamp(path) != stamp]


@contextmanager
def readable() -> Iterator[None]:
    """Turns a file that cannot be opened or read into BadFile."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        told = f"{Path(error.filename).name} cannot be read: {error.strerror}"
        raise BadFile(told, RejectReason.BROKEN_DELIVERY) from error


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
