"""What every embedded server does alike: start again where that helps, stop, die, be a context."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, TypeVar

from tensorcost.runtime.embedded.process import ChildProcess, EmbeddedServerError

A = TypeVar("A")
T = TypeVar("T")


class EmbeddedServer(ABC, Generic[A]):
    """A server in a child process, reached at an ``A``."""

    def __init__(self) -> None:
        self._child: ChildProcess | None = None

    @abstractmethod
    def start(self) -> A:
        """Start the server and return when it answers; raises EmbeddedServerError."""

    def stop(self) -> None:
        """End the server in order, with what it keeps saved; nothing happens if not running."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """End the server at once, as a crash would; nothing happens if not running."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def __enter__(self) -> A:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def until_started(
    launch: Callable[[], T], passing: Sequence[str], *, attempts: int, pause: float
) -> T:
    """What ``launch`` returns, tried again after ``pause`` seconds while its failure may pass.

    ``passing`` are texts of such failures; any other EmbeddedServerError is raised at once, and
    the last one when all attempts are used up.
    """
    for _ in range(attempts - 1):
        try:
            return launch()
        except EmbeddedServerError as error:
            if not any(text in error.message for text in passing):
                raise
        time.sleep(pause)
    return launch()
