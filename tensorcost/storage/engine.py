"""Engines. URLs come in as ``postgresql://``; the driver is ours to choose."""

import orjson
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def make_engine(url: str, *, application_name: str, pool_size: int = 10) -> AsyncEngine:
    """An asyncpg engine whose connections name themselves and use orjson for jsonb."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
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
