"""OpenTelemetry for one process: providers, SQL spans, Temporal's runtime, logs.

Exporters follow the standard ``OTEL_*`` variables: without an endpoint nothing leaves the
process, though spans exist and log lines carry their ids.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Self
from urllib.parse import unquote

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry, generate_latest
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    OpenTelemetryConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from tensorcost.runtime.logs import configure_logs
from tensorcost.runtime.telemetry_settings import TelemetrySettings

DISTRIBUTION: Final = "tensorcost-server"
PROMETHEUS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
TEMPORAL_METRICS_PERIOD: Final = timedelta(seconds=30)
SHUTDOWN_MILLIS: Final = 5_000


@dataclass(frozen=True, slots=True)
class OtlpTargets:
    """Full addresses of the two signals over HTTP, None where the signal stays here."""

    traces: str | None = None
    metrics: str | None = None
    metric_headers: Mapping[str, str] = field(default_factory=dict)
    is_disabled: bool = False
    """``OTEL_SDK_DISABLED``: no span and no metric is made at all."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the standard variables as the OpenTelemetry specification says."""
        if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
            return cls(is_disabled=True)
        base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
        headers = environ.get("OTEL_EXPORTER_OTLP_METRICS_HEADERS") or environ.get(
            "OTEL_EXPORTER_OTLP_HEADERS", ""
        )
        return cls(
            traces=environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            or (f"{base}/v1/traces" if base else None),
            metrics=environ.get("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
            or (f"{base}/v1/metrics" if base else None),
            metric_headers=_headers(headers),
        )


class Telemetry:
    """What the composition root hands on; ``shutdown`` sends what is still held."""

    def __init__(self, settings: TelemetrySettings, targets: OtlpTargets) -> None:
        resource = _resource(settings.service_name)
        self.tracer_provider = TracerProvider(resource=resource)
        if targets.traces:
            exporter = OTLPSpanExporter(endpoint=targets.traces)
            self.tracer_provider.add_span_processor(BatchSpanProcessor(exporter))
        self._registry = CollectorRegistry() if settings.prometheus else None
        readers: list[MetricReader] = []
        if targets.metrics:
            readers.append(
                PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=targets.metrics))
            )
        if self._registry is not None:
            readers.append(PrometheusMetricReader(registry=self._registry))
        self.meter_provider = MeterProvider(metric_readers=readers, resource=resource)
        self.temporal_runtime = Runtime(telemetry=_temporal_telemetry(settings, targets))
        # On the client only: workers inherit a client's interceptors.
        self.temporal_interceptor = TracingInterceptor(
            self.tracer_provider.get_tracer("tensorcost.temporal")
        )
        self._sql = AsyncPGInstrumentor(capture_parameters=False)  # type: ignore[no-untyped-call]
        self.is_on = not targets.is_disabled
        self._closed = False

    def install(self) -> Self:
        """Make the providers global and trace SQL; once per process."""
        trace.set_tracer_provider(self.tracer_provider)
        metrics.set_meter_provider(self.meter_provider)
        self._sql.instrument(tracer_provider=self.tracer_provider)
        return self

    def prometheus_text(self) -> bytes | None:
        """Return the current metrics in PROMETHEUS_TYPE, or None when the reader is off."""
        return None if self._registry is None else generate_latest(self._registry)

    def shutdown(self) -> None:
        """Send what is held, wait at most a few seconds for it, and stop tracing SQL."""
        if self._closed:
            return
        self._closed = True
        if self._sql.is_instrumented_by_opentelemetry:
            self._sql.uninstrument()
        self.tracer_provider.force_flush(SHUTDOWN_MILLIS)
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown(timeout_millis=SHUTDOWN_MILLIS)


def open_telemetry(
    settings: TelemetrySettings, environ: Mapping[str, str] | None = None
) -> Telemetry:
    """Configure logs and telemetry of this process. Call it before the first Temporal client."""
    configure_logs(settings.log_level, settings.log_format)
    targets = OtlpTargets.from_environ(os.environ if environ is None else environ)
    return Telemetry(settings, targets).install()


def _resource(service_name: str) -> Resource:
    try:
        release = version(DISTRIBUTION)
    except PackageNotFoundError:
        release = "unknown"  # run from a checkout that was never installed
    named = Resource({"service.name": service_name, "service.version": release})
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over what the code says.
    return Resource.create().merge(named).merge(OTELResourceDetector().detect())


def _temporal_telemetry(settings: TelemetrySettings, targets: OtlpTargets) -> TelemetryConfig:
    # The SDK's core would write lines of its own form to standard error.
    forwarding = LogForwardingConfig(logging.getLogger("temporalio.core"))
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return TelemetryConfig(
        logging=LoggingConfig(filter=levels, forwarding=forwarding),
        metrics=_temporal_metrics(settings, targets),
    )


def _temporal_metrics(
    settings: TelemetrySettings, targets: OtlpTargets
) -> OpenTelemetryConfig | PrometheusConfig | None:
    if targets.metrics:
        return OpenTelemetryConfig(
            url=targets.metrics,
            headers=targets.metric_headers,
            http=True,
            metric_periodicity=TEMPORAL_METRICS_PERIOD,
            durations_as_seconds=True,
        )
    if settings.temporal_metrics:
        return PrometheusConfig(bind_address=settings.temporal_metrics, durations_as_seconds=True)
    return None


def _headers(text: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in text.split(",") if "=" in item)
    return {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs}
