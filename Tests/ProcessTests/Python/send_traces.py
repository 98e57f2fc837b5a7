"""An instrumented application: sends normal, failing and slow traces with the OpenTelemetry SDK over OTLP/HTTP.

usage: send_traces.py ENDPOINT OUTPUT

Writes what it sent to OUTPUT, a line of JSON for each span with ids, times and attributes as the SDK has them,
so that a test can compare the table value by value.
"""

import json
import sys
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

ATTRIBUTES = {
    "whole": 5,
    "real": 5.0,
    "flag": True,
    "text": "5",
    "raw": b"\x00\xff5",
    "texts": ["a", "", "b"],
    "wholes": [1, 2, 3],
    "reals": [1.0, 2.5],
    "flags": [True, False],
    "empty": "",
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "unicode": "grüße 🚀",
}


class Recorder(SpanProcessor):
    """Remembers every span that ended."""

    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)


def plain(value):
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def described(kind, span):
    context = span.get_span_context()
    return {
        "kind": kind,
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "name": span.name,
        "start": span.start_time,
        "end": span.end_time,
        "status": span.status.status_code.value,
        "status_message": span.status.description,
        "attributes": {key: plain(value) for key, value in span.attributes.items()},
        "resource": {key: plain(value) for key, value in span.resource.attributes.items()},
        "scope": [span.instrumentation_scope.name, span.instrumentation_scope.version],
        "events": [
            [event.name, event.timestamp, {key: plain(value) for key, value in event.attributes.items()}]
            for event in span.events
        ],
        "links": [
            [f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}",
             {key: plain(value) for key, value in link.attributes.items()}]
            for link in span.links
        ],
    }


def send(tracer, kind, now):
    other = SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7, True, TraceFlags(1))
    seconds = 7 if kind == "slow" else 0.05
    start = now - int(seconds * 1e9)
    root = tracer.start_span(
        "GET /orders", kind=SpanKind.SERVER, attributes=ATTRIBUTES, links=[Link(other, {"why": "retry", "n": 1})],
        start_time=start)
    with trace.use_span(root, end_on_exit=False):
        child = tracer.start_span("SELECT orders", kind=SpanKind.CLIENT, start_time=start + 1_000_000)
        child.add_event("cache.miss", {"key": "orders", "tries": 2, "ratio": 0.5}, timestamp=start + 2_000_000)
        if kind == "error":
            child.set_status(Status(StatusCode.ERROR, "connection reset"))
        child.end(end_time=start + 3_000_000)
    root.end(end_time=now)


def main():
    endpoint, output = sys.argv[1:]
    recorder = Recorder()
    provider = TracerProvider(
        resource=Resource.create({"service.name": "shop", "service.version": "1.2.3", "host.cores": 8}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=Compression.Gzip)
    provider.add_span_processor(recorder)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.instrumentation", "0.9")
    lines = []
    for kind in ["normal", "error", "slow", "normal", "error"]:
        recorder.spans.clear()
        send(tracer, kind, time.time_ns())
        lines += [described(kind, span) for span in recorder.spans]
    flushed = provider.force_flush(20_000)
    provider.shutdown()
    with open(output, "w") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
    sys.exit(0 if flushed else 1)


main()
