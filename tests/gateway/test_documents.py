"""The published description of the API, and the page that shows it."""

import re
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tensorcost.domain.cost.query import TAGS
from tensorcost.domain.errors import ErrorCode
from tensorcost.domain.identity.scopes import Role
from tensorcost.gateway.blueprint import published
from tests.gateway.world import World

SNAPSHOT = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
FILES = {"get_accounts_script", "get_bucket_policy", "get_template"}
"""Operations that answer with a file to keep, not with an envelope."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = orjson.loads(published())
    return loaded


def test_the_committed_document_is_the_one_that_is_served() -> None:
    assert SNAPSHOT.read_bytes() == published(), (
        "the API changed: run `python -m tensorcost.gateway.blueprint > docs/openapi.json`"
    )


def test_it_is_a_valid_openapi_3_1_document(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_has_a_readable_id_a_summary_and_the_failure_shape(
    document: dict[str, Any],
) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method} {path}"
            assert re.fullmatch(r"[a-z][a-z0-9_]*", operation["operationId"]), name
            assert operation["summary"], name
            failure = operation["responses"]["default"]["content"]["application/json"]["schema"]
            assert failure == {"$ref": "#/components/schemas/Failure"}, name
            assert "422" not in operation["responses"], name


def test_every_success_but_a_file_is_an_envelope(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["operationId"] in FILES:
                continue
            success = next(value for key, value in operation["responses"].items() if key[0] == "2")
            reference = success["content"]["application/json"]["schema"].get("$ref", "")
            assert "Envelope" in reference, f"{method} {path}: give it response_model=Envelope[…]"


def test_operations_name_their_scopes_and_take_the_shared_headers(
    document: dict[str, Any],
) -> None:
    operation = document["paths"]["/v1/tenant/members"]["post"]
    assert operation["security"] == [{"bearer": []}]
    assert operation["x-scopes"] == ["tenant:admin"]
    references = {parameter.get("$ref") for parameter in operation["parameters"]}
    assert references == {
        "#/components/parameters/ActiveTenant",
        "#/components/parameters/IdempotencyKey",
    }
    assert "security" not in document["paths"]["/v1/auth/login"]["post"]


def test_the_roles_and_their_scopes_are_published(document: dict[str, Any]) -> None:
    assert set(document["x-roles"]) == {role.value for role in Role}
    assert "audit:read" not in document["x-roles"]["viewer"]
    assert "cost:read" in document["x-roles"]["viewer"]


def test_by_tag_publishes_the_tags_that_it_takes(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/v1/cost/by-tag"]["get"]["parameters"]
    (tag,) = [found["schema"] for found in parameters if found.get("name") == "tag"]
    assert tag["enum"] == [tag.value for tag in TAGS]


def test_every_failure_code_is_published(document: dict[str, Any]) -> None:
    described = document["components"]["schemas"]["Failure"]["properties"]["code"]["description"]
    assert [code for code in ErrorCode if f"`{code.value}`" not in described] == []


async def test_the_page_and_its_assets_come_from_us_and_name_nobody_else(world: World) -> None:
    async with world.client() as client:
        page = await client.get("/docs")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers.get_list("content-security-policy") == [
            page.headers["content-security-policy"]
        ]
        linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert {"/docs/docs.js", "/docs/docs.css", "/openapi.json"} <= set(linked)
        for address in linked:
            if not address.startswith("data:"):
                assert address.startswith("/")
                asset = await client.get(address)
                assert asset.status_code == 200
                assert "http://" not in asset.text
                assert "https://" not in asset.text or address == "/openapi.json"


async def test_the_served_document_is_json_with_the_routes_of_this_gateway(world: World) -> None:
    async with world.client() as client:
        answer: httpx2.Response = await client.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert "/v1/auth/login" in answer.json()["paths"]
