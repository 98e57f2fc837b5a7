#!/usr/bin/env python3
"""Prints the fixture request.base64: one request made by the Python OpenTelemetry SDK."""
import base64
import textwrap

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

TRACE = 0x0AF7651916CD43DD8448EB211C80319C


def context(span_id, state=None):
    return SpanContext(TRACE, span_id, is_remote=False, trace_flags=TraceFlags(1), trace_state=state)


resource = Resource(
    {"service.name": "golden", "list": ["a", "b"], "answer": 42}, schema_url="https://opentelemetry.io/schemas/1.26.0")
scope = InstrumentationScope("golden-scope", "1.2.3", attributes={"scoped": True})
root = ReadableSpan(
    name="GET /golden",
    context=context(0xB7AD6B7169203331, TraceState([("ot", "th:0;rv:9b8233f7e3a151"), ("vendor", "x")])),
    resource=resource, instrumentation_scope=scope, kind=SpanKind.SERVER,
    start_time=1_780_000_000_000_000_000, end_time=1_780_000_000_123_456_789,
    attributes={
        "string": "text", "empty": "", "int": 5, "negative": -1, "large": 2**63 - 1, "double": 5.0,
        "true": True, "false": False, "digit": "5", "unicode": "gr\u00fc\u00df", "ints": [1, 2],
    },
    status=Status(StatusCode.ERROR, "it failed"),
    events=[Event("exception", {"exception.type": "ValueError"}, timestamp=1_780_000_000_100_000_000)],
    links=[Link(context(0x00F067AA0BA902B7), {"linked": 1.5})])
child = ReadableSpan(
    name="work", context=context(0x0102030405060708), parent=context(0xB7AD6B7169203331), resource=resource,
    instrumentation_scope=scope, kind=SpanKind.INTERNAL, start_time=1_780_000_000_001_000_000,
    end_time=1_780_000_000_002_000_000, attributes={}, status=Status(StatusCode.UNSET), events=[], links=[])
body = encode_spans([root, child]).SerializeToString()
print("\n".join(textwrap.wrap(base64.b64encode(body).decode(), 100)))
