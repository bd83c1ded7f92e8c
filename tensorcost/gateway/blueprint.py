"""The whole gateway without anything behind it, to describe it and to walk its routes.

Services are made without being set up: nothing can be read or done through them. Run
``python -m tensorcost.gateway.blueprint`` to print the published OpenAPI document.
"""

import importlib
import pkgutil
import sys
import typing
from dataclasses import MISSING, fields
from typing import Any, Final

import orjson
from fastapi import APIRouter

from tensorcost.gateway import openapi, routes
from tensorcost.gateway.app import GatewayDeps, build
from tensorcost.gateway.settings import GatewaySettings

_BUILT_IN: Final = frozenset({"auth", "identity", "tenant"})
"""Areas that ``GatewayDeps`` names; the others are handed in as routers."""


def blueprint_deps() -> GatewayDeps:
    """Parts that know their routes and nothing else."""
    hints = typing.get_type_hints(GatewayDeps)
    values = {
        field.name: _hollow(hints[field.name])
        for field in fields(GatewayDeps)
        if field.default is MISSING and field.default_factory is MISSING
    }
    return GatewayDeps(**values, routers=_handed_in(), settings=GatewaySettings())


def published() -> bytes:
    """The OpenAPI document as it is committed: sorted, indented, one newline at the end."""
    document = openapi.describe(build(blueprint_deps()))
    return orjson.dumps(
        document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    )


def _handed_in() -> list[APIRouter]:
    found: list[APIRouter] = []
    for module in pkgutil.iter_modules(routes.__path__):
        make = getattr(importlib.import_module(f"{routes.__name__}.{module.name}"), "router", None)
        if make is not None and module.name not in _BUILT_IN:
            hints = typing.get_type_hints(make)
            hints.pop("return", None)
            found.append(make(*(_hollow(kind) for kind in hints.values())))
    return found


def _hollow(kind: Any) -> Any:
    """An instance without a single attribute."""
    return object.__new__(kind)


if __name__ == "__main__":
    sys.stdout.buffer.write(published())
