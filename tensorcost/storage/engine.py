"""Engines. URLs come in as ``postgresql://``; the driver is ours to choose."""

from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def make_engine(url: str, *, application_name: str, pool_size: int = 10) -> AsyncEngine:
    """An asyncpg engine whose connections name themselves and use orjson for jsonb."""
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        hide_parameters=True,
        connect_args={
            "server_settings": {
                "application_name": application_name,
                "timezone": "UTC",
                # Compiling a plan costs more than running any of ours.
                "jit": "off",
            },
            "command_timeout": 600,
        },
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool replace a connection whose server went away.

    The driver hears of it when it happens. The pool's own ping would ask: three round trips
    before every transaction.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError
