"""Canaries are planted in every way a line can be logged; none may come out."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from pydantic import BaseModel, SecretStr, ValidationError

from tensorcost.domain.errors import Unavailable
from tensorcost.runtime.logs import configure_logs

SECRET = "fake-canary-secret-9f2c"
PROMPT = "canary prompt: summarise the merger of Alpha and Beta"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    out = io.StringIO()
    configure_logs("DEBUG", "json", out)
    yield out
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def last(lines: io.StringIO) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(lines.getvalue().splitlines()[-1])
    return parsed


def plant(**fields: object) -> None:
    structlog.get_logger("canary").info("planted", **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"password": SECRET},
        {"external_id": SECRET},
        {"refreshToken": SECRET},
        {"headers": {"Authorization": f"Bearer {SECRET}", "x-api-key": SECRET}},
        {"nested": [{"deep": ({"client_secret": SECRET},)}]},
        {"url": f"postgresql://tc_app:{SECRET}@db.internal:5432/tc"},
        {"note": f"called with Authorization: Bearer {SECRET}"},
        {"query": f"/v1/x?access_token={SECRET}&page=2"},
        {"detail": f'{{"api_key": "{SECRET}"}}'},
        {"raw": SECRET.encode()},
        {"prompt": PROMPT},
        {"request": {"messages": [{"role": "user", "content": PROMPT}]}},
        {"inputBodyJson": {"anything": PROMPT}},
        {"gen_ai.input.messages": PROMPT},
        {"body": PROMPT},
        {"model": SecretStr(SECRET)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_private_field_is_masked(lines: io.StringIO, fields: dict[str, object]) -> None:
    plant(**fields)
    written = lines.getvalue()
    assert last(lines)["event"] == "planted"
    assert SECRET not in written
    assert "merger" not in written


def test_bound_context_is_masked_too(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(session_token=SECRET, tenant="acme"):
        plant()
    assert SECRET not in lines.getvalue()
    assert last(lines)["tenant"] == "acme"


def test_foreign_loggers_are_searched_for_credentials(lines: io.StringIO) -> None:
    logging.getLogger("library").warning("connect %s", f"redis://:{SECRET}@127.0.0.1:6379")
    assert SECRET not in lines.getvalue()
    assert last(lines)["logger"] == "library"


def test_an_exception_shows_its_kind_and_frames_but_no_row_and_no_parameters(
    lines: io.StringIO,
) -> None:
    try:
        raise RuntimeError(f"statement failed\nDETAIL: Failing row contains ({PROMPT})")
    except RuntimeError:
        structlog.get_logger("canary").exception("failed")
        logging.getLogger("library").exception("failed there")
    assert "merger" not in lines.getvalue()
    for line in lines.getvalue().splitlines():
        described = json.loads(line)["exception"]
        assert described["type"] == "builtins.RuntimeError"
        assert described["message"] == "statement failed"
        assert "test_logs.py" in described["frames"][-1]


def test_a_refused_model_does_not_quote_its_input(lines: io.StringIO) -> None:
    class Sample(BaseModel):
        number: int

    try:
        Sample.model_validate({"number": PROMPT})
    except ValidationError as error:
        structlog.get_logger("canary").warning("refused", exc_info=error)
    assert "merger" not in lines.getvalue()
    assert last(lines)["exception"]["message"] == "1 invalid field(s)"


def test_a_domain_errors_message_and_its_cause_are_kept(lines: io.StringIO) -> None:
    try:
        try:
            raise ConnectionRefusedError("port 5432")
        except ConnectionRefusedError as cause:
            raise Unavailable("Postgres cannot be reached") from cause
    except Unavailable:
        structlog.get_logger("canary").exception("failed")
    described = last(lines)["exception"]
    assert described["message"] == "Postgres cannot be reached"
    assert described["cause"] == "ConnectionRefusedError: port 5432"


def test_counts_of_tokens_are_figures_and_stay(lines: io.StringIO) -> None:
    plant(input_tokens=12, cache_write_5m_tokens=7, total_tokens=19, note="tokens: 19")
    assert last(lines)["input_tokens"] == 12
    assert last(lines)["cache_write_5m_tokens"] == 7
    assert last(lines)["total_tokens"] == 19
    assert last(lines)["note"] == "tokens: 19"


def test_a_line_within_a_span_carries_its_ids(lines: io.StringIO) -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("work") as span:
        plant()
    context = span.get_span_context()
    assert last(lines)["trace_id"] == f"{context.trace_id:032x}"
    assert last(lines)["span_id"] == f"{context.span_id:016x}"


def test_a_line_outside_of_spans_has_no_ids(lines: io.StringIO) -> None:
    plant()
    assert "trace_id" not in last(lines)


def test_a_terminal_gets_lines_for_people_with_the_same_care() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    out = Terminal()
    try:
        configure_logs("INFO", "auto", out)
        plant(password=SECRET, connection="c-1")
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()
    assert "c-1" in out.getvalue()
    assert SECRET not in out.getvalue()
    assert not out.getvalue().startswith("{")
