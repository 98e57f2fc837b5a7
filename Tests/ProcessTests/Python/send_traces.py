"""An instrumented application: sends normal, failing and slow traces with the OpenTelemetry SDK over OTLP/HTTP.

usage: send_traces.py ENDPOINT OUTPUT

One more trace, with values that the SDK does not make (nested maps, the empty value), is put together by hand from
OpenTelemetry's own protobuf classes. Writes what it sent to OUTPUT, a line of JSON for each span with values as
`tagged` makes them, so that a test can compare a table value by value.
"""

import json
import struct
import sys
import time
import urllib.request

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span
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
# None is the empty value.
NESTED = ATTRIBUTES | {
    "nothing": None,
    "bytes.none": b"",
    "list.none": [],
    "map.none": {},
    "zero": 0,
    "zero.real": -0.0,
    "mixed": [5, 5.0, True, "5", b"5", None, [], {}],
    "map": {"deeper": {"list": [2**63 - 1, 0.1, {"deepest": "5"}]}, "5": 5, "": "the empty key"},
}
TRACE_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c")


class Recorder(SpanProcessor):
    """Remembers every span that ended."""

    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)


def tagged(value):
    """A value with its OTLP type: 5, 5.0, true and "5" stay different in JSON, and so do -0.0 and 0."""
    if value is None:
        return ["empty"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", str(value)]
    if isinstance(value, float):
        return ["double", struct.pack(">d", value).hex()]
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, dict):
        return ["map", [[key, tagged(item)] for key, item in value.items()]]
    return ["list", [tagged(item) for item in value]]


def tagged_set(attributes):
    return {key: tagged(value) for key, value in attributes.items()}


def described(kind, span):
    """A span of the SDK as the table must have it."""
    context = span.get_span_context()
    return {
        "kind": kind,
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "operation_name": span.name,
        # The SDK counts from internal = 0, OTLP has unspecified before it.
        "span_kind": span.kind.value + 1,
        "start_time_unix_nano": span.start_time,
        "end_time_unix_nano": span.end_time,
        "status_code": span.status.status_code.value,
        "status_message": span.status.description,
        "attributes": tagged_set(span.attributes),
        "resource_attributes": tagged_set(span.resource.attributes),
        "scope_name": span.instrumentation_scope.name,
        "scope_version": span.instrumentation_scope.version,
        "events": [[event.name, event.timestamp, tagged_set(event.attributes)] for event in span.events],
        "links": [
            [f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}", tagged_set(link.attributes)]
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


def any_value(value):
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=key_values(value)))
    return AnyValue(array_value=ArrayValue(values=[any_value(item) for item in value]))


def key_values(attributes):
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def send_by_hand(endpoint, now):
    """One failing span with every kind of value in its attributes, its event, its link and its resource."""
    span = Span(
        trace_id=TRACE_ID, span_id=bytes(range(1, 9)), name="", kind=0, start_time_unix_nano=now - 2_000_001,
        end_time_unix_nano=now, attributes=key_values(NESTED))
    span.status.code = 2
    span.events.add(name="", time_unix_nano=now - 1, attributes=key_values(NESTED))
    span.events.add(name="two", time_unix_nano=now)
    span.links.add(trace_id=TRACE_ID, span_id=bytes(range(8)), attributes=key_values(NESTED))
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add()
    spans.resource.attributes.extend(key_values(NESTED))
    spans.scope_spans.add().spans.append(span)
    post = urllib.request.Request(
        f"{endpoint}/v1/traces", request.SerializeToString(), {"Content-Type": "application/x-protobuf"})
    with urllib.request.urlopen(post, timeout=20) as response:
        assert response.status == 200 and response.read() == b""
    return {
        "kind": "error", "trace_id": TRACE_ID.hex(), "span_id": span.span_id.hex(), "parent_span_id": None,
        "operation_name": "", "span_kind": 0, "start_time_unix_nano": span.start_time_unix_nano,
        "end_time_unix_nano": now, "status_code": 2, "status_message": None, "attributes": tagged_set(NESTED),
        "resource_attributes": tagged_set(NESTED), "scope_name": None, "scope_version": None,
        "events": [["", now - 1, tagged_set(NESTED)], ["two", now, {}]],
        "links": [[TRACE_ID.hex(), bytes(range(8)).hex(), tagged_set(NESTED)]],
    }


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
    lines.append(send_by_hand(endpoint, time.time_ns()))
    with open(output, "w") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")
    sys.exit(0 if flushed else 1)


main()
