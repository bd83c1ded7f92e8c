"""Log lines: one JSON object each on standard error, with trace ids and nothing private."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, Final, TextIO

import orjson
import structlog
from opentelemetry import trace
from pydantic import ValidationError
from structlog.typing import EventDict, Processor, WrappedLogger

from tensorcost.domain.errors import DomainError
from tensorcost.runtime.redaction import MASK, is_private_name, redact, redact_text
from tensorcost.runtime.telemetry_settings import LogFormat

MAX_MESSAGE: Final = 500
MAX_FRAMES: Final = 30
# Structlog's own keys, which name rules must not hide.
_OWN_KEYS: Final = frozenset({"event", "level", "logger", "timestamp", "trace_id", "span_id"})
_CHATTY: Final = ("httpx2", "httpcore2", "botocore", "urllib3", "asyncio", "alembic.runtime")


def configure_logs(
    level: str = "INFO", form: LogFormat = "auto", stream: TextIO | None = None
) -> None:
    """Send structlog's and the standard library's loggers to ``stream`` (standard error).

    ``auto`` is for people on a terminal and JSON elsewhere. May be called again.
    """
    out = sys.stderr if stream is None else stream
    shared = _shared_processors()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(form, out),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        foreign = logging.getLogger(name)
        foreign.handlers, foreign.propagate = [], True


def add_trace_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the current span's ids, in the form that traces show them in."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by type, safe message and frames.

    A usual traceback ends with the exception's text, which may quote a row, a statement's
    parameters or a request's body.
    """
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else None
    if given is True or isinstance(given, tuple):
        error = (sys.exc_info() if given is True else given)[1]
    if isinstance(error, BaseException):
        event["exception"] = _describe(error)
    return event


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask credentials and model text in every field; the message itself is searched too."""
    return {
        key: MASK if key not in _OWN_KEYS and is_private_name(key) else redact(value)
        for key, value in event.items()
    }


def _describe(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    described: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "message": _safe_message(error),
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    code = getattr(getattr(error, "orig", error), "sqlstate", None)
    if isinstance(code, str):
        described["sqlstate"] = code
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["cause"] = f"{type(cause).__qualname__}: {_safe_message(cause)}"
    return described


def _safe_message(error: BaseException) -> str:
    if isinstance(error, DomainError):
        return redact_text(error.message)[:MAX_MESSAGE]
    if isinstance(error, ValidationError):
        return f"{error.error_count()} invalid field(s)"  # its own text quotes the input
    # Postgres puts the offending row into the second line, SQLAlchemy the parameters.
    first = str(error).splitlines()[:1]
    return redact_text(first[0])[:MAX_MESSAGE] if first else ""


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace_ids,
        describe_exception,
        redact_event,
    ]


def _renderers(form: LogFormat, out: TextIO) -> list[Processor]:
    if form == "console" or (form == "auto" and out.isatty()):
        return [structlog.dev.ConsoleRenderer(colors=out.isatty())]
    return [structlog.processors.JSONRenderer(serializer=_to_json)]


def _to_json(event: MutableMapping[str, Any], **_: object) -> str:
    return orjson.dumps(event, default=_plain).decode()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
