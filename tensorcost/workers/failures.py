"""Failures as Temporal keeps them: short enough that the server keeps them at all.

Of an activity that is retried the server holds the last failure, up to 4 KiB with its causes;
a longer one it replaces by a note about its size, and the operator would not see why.
"""

from types import TracebackType
from typing import Final

from temporalio.api.failure.v1 import Failure
from temporalio.converter import DefaultFailureConverter, PayloadConverter

FRAMES: Final = 3
"""Of each error the innermost calls; the rest is in the worker's log."""


class ShortFailureConverter(DefaultFailureConverter):
    """The default one, with the innermost frames of each error alone. Causes come here too."""

    def to_failure(
        self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure
    ) -> None:
        exception.__traceback__ = innermost(exception.__traceback__)
        super().to_failure(exception, payload_converter, failure)


class ShortEncodedFailureConverter(ShortFailureConverter):
    """The same, with message and stack trace where a codec encrypts them."""

    def __init__(self) -> None:
        super().__init__(encode_common_attributes=True)


def innermost(trace: TracebackType | None, frames: int = FRAMES) -> TracebackType | None:
    """The last ``frames`` calls of a traceback."""
    kept = trace
    count = 0
    while trace is not None:
        count += 1
        if count > frames and kept is not None:
            kept = kept.tb_next
        trace = trace.tb_next
    return kept
