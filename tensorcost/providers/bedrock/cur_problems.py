"""Why rows of a bill are not accepted: the first reason of each counts."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from tensorcost.providers.bedrock.cur_codes import Int64, Mask

_NONE: Final = 0


class Problems:
    """The first problem of each of a run of rows."""

    def __init__(self, count: int) -> None:
        self._first = np.zeros(count, dtype=np.int64)
        self._known: list[tuple[str, str]] = [("", "")]

    def note(self, rows: Int64, reason: str, detail: str) -> None:
        """Refuse these rows, where nothing else was wrong before. ``reason`` is a RejectReason."""
        new = rows[self._first[rows] == _NONE]
        if len(new):
            self._first[new] = len(self._known)
            self._known.append((reason, detail))

    @property
    def sound(self) -> Mask:
        """Rows without a problem."""
        sound: Mask = self._first == _NONE
        return sound

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        """(row, reason, detail) in order of the rows."""
        for row in np.flatnonzero(self._first).tolist():
            yield row, *self._known[self._first[row]]
