"""Temporal's development server as our child, kept in a file."""

from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from tensorcost.runtime.embedded.process import EmbeddedServerError
from tensorcost.runtime.embedded.temporal import (
    EmbeddedTemporal,
    TemporalAddress,
    TemporalOptions,
)


async def search_attributes(address: TemporalAddress) -> set[str]:
    client = await Client.connect(address.frontend, namespace=address.namespace)
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=address.namespace)
    )
    return set(known.custom_attributes)


async def test_a_second_start_finds_workflows_and_adds_new_search_attributes(
    tmp_path: Path,
) -> None:
    first = TemporalOptions(
        namespace="kept", search_attributes={"TenantId": "Keyword"}, db_file=tmp_path / "t.db"
    )
    with EmbeddedTemporal(tmp_path, first) as address:
        client = await Client.connect(address.frontend, namespace="kept")
        await client.start_workflow("Sample", id="kept-workflow", task_queue="nobody-listens")
        assert await search_attributes(address) == {"TenantId"}
    later = TemporalOptions(
        namespace="kept",
        search_attributes={"TenantId": "Keyword", "EstimatedSavingsUsd": "Double"},
        db_file=tmp_path / "t.db",
    )
    with EmbeddedTemporal(tmp_path, later) as address:
        client = await Client.connect(address.frontend, namespace="kept")
        found = await client.get_workflow_handle("kept-workflow").describe()
        assert found.workflow_type == "Sample"
        assert await search_attributes(address) == {"TenantId", "EstimatedSavingsUsd"}


async def test_a_killed_server_comes_back_with_its_workflows_at_its_address(
    tmp_path: Path,
) -> None:
    server = EmbeddedTemporal(tmp_path, TemporalOptions(db_file=tmp_path / "t.db", ui=False))
    try:
        address = server.start()
        client = await Client.connect(address.frontend)
        await client.start_workflow("Sample", id="kept-workflow", task_queue="nobody-listens")
        server.kill()
        with pytest.raises(RuntimeError, match="refused"):
            await Client.connect(address.frontend)
        assert server.start() == address
        found = await client.get_workflow_handle("kept-workflow").describe()
        assert found.workflow_type == "Sample"
    finally:
        server.stop()


async def test_the_web_interface_and_the_metrics_answer(tmp_path: Path) -> None:
    import httpx2

    with EmbeddedTemporal(tmp_path, TemporalOptions()) as address:
        async with httpx2.AsyncClient() as http:
            assert (await http.get(address.ui_url)).status_code == 200
            assert "service_requests" in (await http.get(address.metrics_url)).text


async def test_an_unknown_namespace_is_not_served(temporal_server: TemporalAddress) -> None:
    client = await Client.connect(temporal_server.frontend, namespace="elsewhere")
    with pytest.raises(RPCError, match="elsewhere"):
        await client.start_workflow("Sample", id="lost", task_queue="nobody-listens")


def test_a_refused_option_is_an_error_with_the_servers_words(tmp_path: Path) -> None:
    options = TemporalOptions(search_attributes={"TenantId": "NoSuchType"})
    with pytest.raises(EmbeddedServerError, match="NoSuchType"):
        EmbeddedTemporal(tmp_path, options).start()
