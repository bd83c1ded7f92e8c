"""The documented shape of every answer, encoded to bytes once (performance.md §4).

``{"success": true, "data": …, "count": n, "next_cursor"?: …}`` and
``{"success": false, "error": …, "code": …, "trace_id": …}``.
"""

from collections.abc import Callable, Sequence, Sized
from decimal import Decimal
from typing import Any, Final, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
import orjson
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tensorcost.domain.errors import HTTP_STATUS

T = TypeVar("T")
_rows: Final = msgspec.json.Encoder()
JSON: Final = b"application/json"


class Envelope(BaseModel, Generic[T]):
    """A success: one object (``count`` 1) or one page of a list (``count`` = its items)."""

    model_config = ConfigDict(json_schema_extra={"required": ["success", "data", "count"]})
    success: Literal[True] = True
    data: T
    count: int = Field(description="Items in this answer.")
    next_cursor: str | None = Field(
        default=None, description="Opaque; give it as `cursor` to read on. Absent on the last page."
    )


class FieldProblem(BaseModel):
    field: str
    message: str


class Failure(BaseModel):
    """A failure. ``code`` is stable; ``error`` is for people and may be reworded."""

    success: Literal[False] = False
    error: str
    code: str = Field(
        description="By status: "
        + ", ".join(f"{status} `{code.value}`" for code, status in HTTP_STATUS.items())
        + ". More may follow."
    )
    trace_id: str
    details: list[FieldProblem] | None = None


class Bytes(Response):
    """A finished JSON body. Nothing is encoded or guessed after this."""

    media_type = "application/json"

    def __init__(
        self,
        body: bytes,
        status: int = 200,
        headers: Sequence[tuple[bytes, bytes]] = (),
        *,
        media: bytes = JSON,
    ) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [
            (b"content-type", media),
            (b"content-length", str(len(body)).encode("latin-1")),
            *headers,
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send({"type": "http.response.body", "body": self.body})


def encode(value: object) -> bytes:
    """JSON bytes; Decimal as its plain string, datetime with ``Z``, pydantic models as objects."""
    return orjson.dumps(value, default=_foreign, option=orjson.OPT_UTC_Z)


def ok(data: object, *, status: int = 200, next_cursor: str | None = None) -> Bytes:
    """The success envelope. ``count`` is the length of a list, 1 for anything else."""
    count = len(data) if isinstance(data, list | tuple) and isinstance(data, Sized) else 1
    return Bytes(encode(_success(data, count, next_cursor)), status)


def row_of(shape: type[BaseModel]) -> Callable[..., object]:
    """Makes the rows of ``listed``: takes the values of ``shape`` by place, in published order.

    A row costs half of what a dictionary does, and by place half of what it does by name.
    Nothing is converted: amounts come as text, for a Decimal might show its exponent.
    """
    names = [(name, Any) for name in shape.model_fields]
    return msgspec.defstruct(shape.__name__, names, frozen=True, gc=False)


def listed(rows: list[object], *, next_cursor: str | None = None) -> Bytes:
    """The success envelope of rows made by ``row_of``."""
    return Bytes(_rows.encode(_success(rows, len(rows), next_cursor)))


def created(data: object) -> Bytes:
    """201 with the success envelope."""
    return ok(data, status=201)


def accepted(data: object) -> Bytes:
    """202 with the success envelope: a durable process was started."""
    return ok(data, status=202)


def _success(data: object, count: int, next_cursor: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"success": True, "data": data, "count": count}
    if next_cursor is not None:
        body["next_cursor"] = next_cursor
    return body


def _foreign(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, UUID):  # the driver's own subclass
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    raise TypeError(f"not part of an answer: {type(value).__name__}")
