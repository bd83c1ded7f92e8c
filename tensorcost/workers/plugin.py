"""One bundle for clients, workers and the replayer, so that they cannot differ."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from temporalio import client, worker
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from tensorcost.workers.codec import EncryptionCodec
from tensorcost.workers.failures import ShortEncodedFailureConverter, ShortFailureConverter
from tensorcost.workers.interceptors import TenantLogs
from tensorcost.workers.settings import CodecSettings

PASS_THROUGH: Final = ("tensorcost.domain", "tensorcost.activities", "opentelemetry", "structlog")
"""Never ``tensorcost.workflows``: passed through, its clocks and dice would go unnoticed."""


def temporal_plugin(
    codec: CodecSettings | None = None,
    interceptors: Sequence[client.Interceptor | worker.Interceptor] = (),
) -> SimplePlugin:
    """The bundle: pydantic payloads, encryption when ``codec`` is given, logs, sandbox.

    Give it to ``Client.connect(plugins=[...])`` alone: workers made from that client have it.
    Tracing goes in ``interceptors``, once.
    """
    return SimplePlugin(
        "tensorcost",
        data_converter=data_converter(codec),
        interceptors=[*interceptors, TenantLogs()],
        workflow_runner=workflow_runner(),
    )


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox, with first-party rules and contracts passed through."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASS_THROUGH)
    )


def data_converter(codec: CodecSettings | None = None) -> DataConverter:
    """Pydantic JSON; with a codec, failures' messages and stack traces are encrypted too."""
    if codec is None:
        return dataclasses.replace(
            pydantic_data_converter, failure_converter_class=ShortFailureConverter
        )
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec.of(codec.raw_keys(), codec.active),
        failure_converter_class=ShortEncodedFailureConverter,
    )
