"""The published OpenAPI 3.1 document."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tensorcost.domain.identity.scopes import ROLE_SCOPES
from tensorcost.gateway.scoped import BEARER

DESCRIPTION: Final = """\
Attributes, explains and governs every dollar of AI spend.

Send `Authorization: Bearer <token>`; every request acts in one tenant, that of the token, or
for members of several the one named in `X-Active-Tenant-Id`. Amounts of money are decimal
strings, times are RFC 3339 in UTC, ids are UUIDs. Lists are paged: give `next_cursor` back as
`cursor`. `POST` and `PATCH` accept an `Idempotency-Key`; a repeat within a day gets the first
answer again. `x-scopes` names the scopes that an operation asks for, `x-roles` the scopes of
each role.
"""
_IDEMPOTENCY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "Repeat a request safely: same key and body, same answer, one effect.",
}
_ACTIVE_TENANT: Final = {
    "name": "X-Active-Tenant-Id",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "format": "uuid"},
    "description": "For members of several tenants: the one to act in.",
}


def install(app: FastAPI) -> None:
    """Make ``app.openapi()`` the published document, built once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def describe(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of every route, with the bearer scheme and the headers that all share."""
    schema = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description=DESCRIPTION,
        routes=app.routes,
    )
    components = schema.setdefault("components", {})
    components["securitySchemes"] = {
        BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    components["parameters"] = {
        "IdempotencyKey": _IDEMPOTENCY,
        "ActiveTenant": _ACTIVE_TENANT,
    }
    schema["x-roles"] = {role.value: sorted(scopes) for role, scopes in ROLE_SCOPES.items()}
    for path, operations in schema.get("paths", {}).items():
        for method, operation in operations.items():
            _share(path, method, operation)
    return schema


def _share(path: str, method: str, operation: dict[str, Any]) -> None:
    if not operation.get("security"):
        return
    parameters = operation.setdefault("parameters", [])
    parameters.append({"$ref": "#/components/parameters/ActiveTenant"})
    if method in ("post", "patch") and path.startswith("/v1/"):
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
