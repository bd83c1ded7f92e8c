"""A minimal OTLP/HTTP collector: keeps the spans that processes send to it."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class SentSpan:
    trace_id: str
    name: str
    service: str


@dataclass(slots=True)
class Collector:
    url: str
    spans: list[SentSpan] = field(default_factory=list)

    def traces_of(self, name: str) -> set[str]:
        """Trace ids in which a span of this name stands."""
        return {span.trace_id for span in list(self.spans) if span.name == name}

    def in_trace(self, trace_id: str) -> set[tuple[str, str]]:
        """(service, span name) of every span of the trace."""
        return {(s.service, s.name) for s in list(self.spans) if s.trace_id == trace_id}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free loopback port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path.endswith("/v1/traces"):
                collector.spans.extend(_spans(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Standard error belongs to the test run."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()


def _spans(body: bytes) -> Iterator[SentSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        service = next(
            (a.value.string_value for a in resource.resource.attributes if a.key == "service.name"),
            "",
        )
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield SentSpan(span.trace_id.hex(), span.name, service)
