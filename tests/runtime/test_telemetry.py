"""Providers, exporters over real HTTP, SQL spans and the Prometheus reader."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asyncpg
import pytest
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client

from tensorcost.runtime.embedded.postgres import PostgresAddress
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.runtime.telemetry import OtlpTargets, Telemetry
from tensorcost.runtime.telemetry_settings import TelemetrySettings

CANARY = "fake-parameter-canary"


class Collector(ThreadingHTTPServer):
    """Takes OTLP over HTTP and remembers path and body."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), CollectorHandler)
        self.received: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class CollectorHandler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are asserted on, not printed."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_spans_and_metrics_reach_the_collector_at_shutdown(collector: Collector) -> None:
    targets = OtlpTargets.from_environ({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    telemetry = Telemetry(TelemetrySettings(service_name="sample-service"), targets)
    with telemetry.tracer_provider.get_tracer("test").start_as_current_span("sample-span"):
        telemetry.meter_provider.get_meter("test").create_counter("sample.count").add(1)
    telemetry.shutdown()
    telemetry.shutdown()
    sent = {path: body for path, body in collector.received if b"sample" in body}
    assert b"sample-span" in sent["/v1/traces"]
    assert b"sample-service" in sent["/v1/traces"]
    assert b"sample.count" in sent["/v1/metrics"]


def test_without_an_endpoint_nothing_is_to_be_sent() -> None:
    assert OtlpTargets.from_environ({}) == OtlpTargets()


def test_the_standard_off_switch_wins() -> None:
    assert OtlpTargets.from_environ(
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    ) == OtlpTargets(is_disabled=True)


def test_a_signals_own_endpoint_and_headers_win() -> None:
    targets = OtlpTargets.from_environ(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://metrics:9/custom",
            "OTEL_EXPORTER_OTLP_HEADERS": "x-scope=a%20b, x-other=c",
        }
    )
    assert targets.traces == "http://collector:4318/v1/traces"
    assert targets.metrics == "http://metrics:9/custom"
    assert targets.metric_headers == {"x-scope": "a b", "x-other": "c"}


async def test_sql_is_a_child_span_without_its_parameters(
    postgres_server: PostgresAddress,
) -> None:
    telemetry = Telemetry(TelemetrySettings(), OtlpTargets())
    exporter = InMemorySpanExporter()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = AsyncPGInstrumentor()  # type: ignore[no-untyped-call]
    instrumentor.instrument(tracer_provider=telemetry.tracer_provider)
    try:
        connection = await asyncpg.connect(postgres_server.url())
        tracer = telemetry.tracer_provider.get_tracer("test")
        with tracer.start_as_current_span("request") as parent:
            await connection.fetchval("SELECT $1::text", CANARY)
        await connection.close()
    finally:
        telemetry.shutdown()
    (sql,) = (span for span in exporter.get_finished_spans() if span.name.startswith("SELECT"))
    assert sql.parent is not None
    assert sql.parent.span_id == parent.get_span_context().span_id
    assert CANARY not in sql.to_json()


def test_the_prometheus_reader_shows_metrics_only_when_asked_for() -> None:
    telemetry = Telemetry(TelemetrySettings(prometheus=True), OtlpTargets())
    telemetry.meter_provider.get_meter("test").create_counter("tensorcost.sample.rows").add(3)
    text = telemetry.prometheus_text()
    telemetry.shutdown()
    assert text is not None
    assert b"tensorcost_sample_rows_total" in text
    silent = Telemetry(TelemetrySettings(), OtlpTargets())
    assert silent.prometheus_text() is None
    silent.shutdown()


async def test_a_temporal_client_works_on_the_runtime_and_its_starts_are_spans(
    temporal_server: TemporalAddress,
) -> None:
    telemetry = Telemetry(TelemetrySettings(), OtlpTargets())
    exporter = InMemorySpanExporter()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    client = await Client.connect(
        temporal_server.frontend,
        namespace=temporal_server.namespace,
        runtime=telemetry.temporal_runtime,
        interceptors=[telemetry.temporal_interceptor],
    )
    await client.start_workflow("Sample", id="telemetry-sample", task_queue="nobody-listens")
    telemetry.shutdown()
    assert [span.name for span in exporter.get_finished_spans()] == ["StartWorkflow:Sample"]
