"""The trace id of the work in hand, for events and audit rows that no caller hands it to."""

from contextvars import ContextVar
from typing import Final

current_trace: Final[ContextVar[str | None]] = ContextVar("tensorcost_trace_id", default=None)
"""32 hex digits. Faces set it as a request begins; None outside of one."""
