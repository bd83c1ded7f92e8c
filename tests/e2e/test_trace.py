"""One trace from the HTTP request through the workflow to its activities and their SQL."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tensorcost.runtime.embedded.ports import free_port
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tests.support.collector import Collector, running_collector
from tests.support.command import Command
from tests.support.databases import Database

MAIN = "from tensorcost.cli import main; main()"


@pytest.fixture
def traced(
    database: Database, temporal_server: TemporalAddress, tmp_path: Path
) -> Iterator[tuple[str, Collector]]:
    """An API and a worker as processes of their own, telling one collector."""
    with ExitStack() as stack:
        collector = stack.enter_context(running_collector())
        port = free_port()
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TENSORCOST_")},
            "TENSORCOST_HOME": str(tmp_path),
            "DATABASE_URL": database.urls.app,
            "TENSORCOST_PLATFORM_DATABASE_URL": database.urls.platform,
            "TEMPORAL_ADDRESS": temporal_server.frontend,
            "TENSORCOST_HTTP__PORT": str(port),
            # Nobody listens there: each round is denied, which is as good for a trace.
            "TENSORCOST_AWS__ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
            "TENSORCOST_AWS__ALLOW_PLAINTEXT": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }
        for service, words in (("api", ["api"]), ("worker", ["worker", "all"])):
            log = stack.enter_context((tmp_path / f"{service}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN, *words],
                env={**environment, "TENSORCOST_TELEMETRY__SERVICE_NAME": service},
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
        yield f"http://127.0.0.1:{port}", collector


def until(holds: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.2)


def ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.slow
def test_a_request_its_workflow_its_activity_and_their_sql_are_one_trace(
    traced: tuple[str, Collector], database: Database, tmp_path: Path
) -> None:
    url, collector = traced
    made = Command(database, tmp_path)(
        "tenant", "create", "--name", "Traced", "--owner-email", "t@example.test", "--json"
    ).json()
    until(lambda: ready(url))
    with httpx2.Client(base_url=url, trust_env=False, timeout=30) as client:
        token = signed_in(client, made)
        client.headers["authorization"] = f"Bearer {token}"
        created = client.post(
            "/v1/integration/connections",
            json={"provider": "bedrock", "name": "traced", "account_id": "111122223333"},
        )
        assert created.status_code == 201, created.text
        connection = created.json()["data"]["id"]
        validating = client.post(f"/v1/integration/connections/{connection}/validate")
        assert validating.status_code == 202, validating.text
        trace_id = None

        def whole() -> bool:
            nonlocal trace_id
            for candidate in collector.traces_of("RunActivity:integration.probe"):
                names = collector.in_trace(candidate)
                if any(service == "api" and "POST" in name for service, name in names):
                    trace_id = candidate
                    return True
            return False

        until(whole)
        client.post(f"/v1/integration/connections/{connection}/cancel", json={"reason": "seen"})
    assert trace_id is not None
    names = collector.in_trace(trace_id)
    assert any(s == "api" and name.startswith("POST ") for s, name in names)
    assert any(s == "worker" and name.startswith("RunWorkflow:") for s, name in names)
    assert any(s == "worker" and name.startswith("RunActivity:") for s, name in names)
    assert any(s == "worker" and "SELECT" in name for s, name in names)


def signed_in(client: httpx2.Client, made: dict[str, Any]) -> str:
    """An access token; the one-time password is changed on the way."""
    answer = client.post(
        "/v1/auth/login",
        json={
            "email": made["owner_email"],
            "password": made["one_time_password"],
            "tenant_id": made["tenant_id"],
        },
    )
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["data"]["accessToken"]
    changed = client.post(
        "/v1/auth/change-password",
        headers={"authorization": f"Bearer {token}"},
        json={
            "currentPassword": made["one_time_password"],
            "newPassword": "a-long-enough-fake-password",
        },
    )
    assert changed.status_code == 200, changed.text
    fresh: str = changed.json()["data"].get("accessToken", token)
    return fresh
