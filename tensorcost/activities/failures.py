"""From our exceptions to Temporal's: what is retried, when, and what is never retried."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from tensorcost.domain.errors import NotFound
from tensorcost.domain.integration.contracts import Failure

MAX_MESSAGE: Final = 1_000
"""Characters kept of a foreign error: an HTML error page would not fit into a payload."""


def never(failure: Failure, message: str, *, code: str = "") -> ApplicationError:
    """A failure that retrying cannot heal; not an error of ours, so not logged as one."""
    return ApplicationError(
        message[:MAX_MESSAGE],
        code,
        type=failure.value,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def later(failure: Failure, message: str, delay: timedelta, *, code: str = "") -> ApplicationError:
    """A failure to be retried after ``delay``."""
    return ApplicationError(message[:MAX_MESSAGE], code, type=failure.value, next_retry_delay=delay)


@contextmanager
def gone_is_final() -> Iterator[None]:
    """A row that is not there will not come back by trying again."""
    try:
        yield
    except NotFound as error:
        raise never(Failure.CONNECTION_GONE, error.message) from error
