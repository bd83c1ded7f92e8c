"""docker-compose.yml against the official schema, and against the files and names it relies on."""

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import (  # type: ignore[import-untyped]
    get_builtin_schema,
)
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from tensorcost.domain.temporal import SEARCH_ATTRIBUTE_TYPES
from tensorcost.runtime.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# Options of `tensorcost migrate`: no running process may know the superuser.
MIGRATION_OPTIONS = {"TENSORCOST_SUPERUSER_DATABASE_URL"}
ONE_SHOTS = {"migrate", "temporal-schema", "temporal-namespace"}


def example_variables() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def test_the_file_follows_the_compose_schema() -> None:
    validator = Draft202012Validator(get_builtin_schema("vendor.compose-spec"))
    assert [error.message for error in validator.iter_errors(COMPOSE)] == []


def test_the_schema_would_refuse_a_slip() -> None:
    validator = Draft202012Validator(get_builtin_schema("vendor.compose-spec"))
    slip = {"services": {"api": {"image": "x", "healthchek": {}}}}
    assert not validator.is_valid(slip)


def test_the_promised_services_are_there() -> None:
    assert SERVICES.keys() == ONE_SHOTS | {
        *("postgres", "valkey", "temporal", "temporal-ui", "collector"),
        *("api", "worker-core", "worker-cloud"),
    }


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOTS))
def test_a_lasting_service_has_a_health_check_and_restarts(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_dependency_is_awaited_in_the_way_it_can_be(name: str) -> None:
    for target, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if target in ONE_SHOTS else "service_healthy"
        assert how == {"condition": expected}, f"{name} on {target}"
        assert target in SERVICES


def test_nothing_of_ours_starts_before_the_migrations() -> None:
    ours = [name for name in SERVICES if name == "api" or name.startswith("worker-")]
    assert all("migrate" in SERVICES[name]["depends_on"] for name in ours)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_mounted_file_exists(name: str) -> None:
    sources = [volume.split(":")[0] for volume in SERVICES[name].get("volumes", [])]
    for source in sources:
        if source.startswith("."):
            assert (ROOT / source).is_file(), source
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_an_image_is_pinned_or_built_here(name: str) -> None:
    image, build = SERVICES[name]["image"], SERVICES[name].get("build")
    if build is None:
        assert re.fullmatch(r"[a-z/-]+:\d[\d.]*", image)
    elif isinstance(build, str):
        assert (ROOT / build / "Dockerfile").is_file()
    else:
        assert (ROOT / build["dockerfile"]).is_file()


def test_postgres_18_keeps_its_data_where_its_image_wants_it() -> None:
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert "postgres:/var/lib/postgresql" in SERVICES["postgres"]["volumes"]


def test_ports_are_open_on_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_example_names_every_variable_and_no_other() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", TEXT))
    assert used == example_variables().keys()


def test_credentials_of_the_example_are_obviously_fake() -> None:
    secrets = {
        name: value
        for name, value in example_variables().items()
        if name.endswith(("PASSWORD", "SECRET"))
    }
    assert len(secrets) >= 6
    assert all(value.startswith("fake-dev-") for value in secrets.values())
    assert len(secrets["AUTH_HS256_SECRET"].encode()) >= 32


def test_a_credential_without_a_value_stops_the_start() -> None:
    for name in example_variables():
        if name.endswith(("PASSWORD", "SECRET")):
            assert f"${{{name}}}" not in TEXT
            assert f"${{{name}:?}}" in TEXT


def our_variables() -> set[tuple[str, ...]]:
    names = {name for service in SERVICES.values() for name in service.get("environment", {})}
    return {
        tuple(name.removeprefix("TENSORCOST_").lower().split("__"))
        for name in names - MIGRATION_OPTIONS
        if name.startswith("TENSORCOST_")
    }


def test_every_variable_of_ours_is_a_setting() -> None:
    assert len(our_variables()) >= 8
    for path in our_variables():
        model: Any = Settings
        for part in path:
            assert part in model.model_fields, path
            model = model.model_fields[part].annotation


def test_only_the_migrations_know_the_superuser_and_the_owner() -> None:
    for name, service in SERVICES.items():
        if name not in {"postgres", "migrate"}:
            told = " ".join(map(str, service.get("environment", {}).values()))
            assert "SUPERUSER" not in told
            assert "OWNER" not in told


def test_the_search_attributes_are_the_contracts() -> None:
    given = SERVICES["temporal-namespace"]["environment"]["SEARCH_ATTRIBUTES"].split()
    assert dict(pair.split("=") for pair in given) == {
        name.value: kind for name, kind in SEARCH_ATTRIBUTE_TYPES.items()
    }


def test_the_collectors_pipelines_name_what_is_configured() -> None:
    config = yaml.safe_load((ROOT / "deploy/collector/config.yaml").read_text(encoding="utf-8"))
    for pipeline in config["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= config[kind].keys()
    assert set(config["service"]["extensions"]) <= config["extensions"].keys()
    port = config["extensions"]["health_check"]["endpoint"].rpartition(":")[2]
    assert f":{port}/" in SERVICES["collector"]["healthcheck"]["test"][-1]


def test_what_the_image_copies_exists_and_is_let_through() -> None:
    copies = [
        line.split()[1:-1]
        for line in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    sources = {source for line in copies for source in line}
    ignore = (ROOT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        patterns = (source, f"{source}/**", f"{Path(source).parent}/*{Path(source).suffix}")
        assert any(pattern in allowed for pattern in patterns), source


class _Readiness(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The exit code is what counts."""


def test_the_probe_tells_ready_from_not_ready() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Readiness)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def probe(*addresses: str) -> int:
        command = [sys.executable, str(ROOT / "deploy/probe.py"), *addresses]
        return subprocess.run(command, capture_output=True, check=False).returncode

    base = f"http://127.0.0.1:{server.server_port}"
    assert probe(f"{base}/readyz") == 0
    assert probe(f"{base}/draining") == 1
    server.shutdown()
    server.server_close()
    assert probe(f"{base}/readyz") == 1
    assert probe() == 2
