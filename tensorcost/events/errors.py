"""How a stream of events ends before its reader wants it to. Each names where to go on."""

from tensorcost.domain.errors import DomainError, ErrorCode


class StreamInterrupted(DomainError):
    """The stream ended; resume after ``cursor`` and nothing is lost or seen twice."""

    code = ErrorCode.UNAVAILABLE

    def __init__(self, message: str, *, cursor: int) -> None:
        super().__init__(message)
        self.cursor = cursor


class ReaderTooSlow(StreamInterrupted):
    """The reader's bounded queue was full (decisions 25)."""

    def __init__(self, *, cursor: int) -> None:
        super().__init__(f"the reader is too slow: resume after cursor {cursor}", cursor=cursor)


class SourceClosed(StreamInterrupted):
    """This server is shutting down, or can no longer read its outbox."""

    def __init__(self, *, cursor: int) -> None:
        super().__init__(f"the stream was closed: resume after cursor {cursor}", cursor=cursor)


class CursorGone(DomainError):
    """The cursor is older than what the outbox keeps, or was never given to this tenant."""

    code = ErrorCode.GONE

    def __init__(self, cursor: int, *, first: int, last: int) -> None:
        super().__init__(
            f"events after cursor {cursor} are no longer kept: the outbox holds "
            f"{first} to {last}. Read the current state, then subscribe without a cursor."
        )
        self.cursor = cursor
        self.first = first
        self.last = last
