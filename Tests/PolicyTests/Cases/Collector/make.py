"""Asks an OpenTelemetry Collector what it keeps, and how many bytes it counts: python3 make.py OTELCOL > collector.json

Starts the Collector with one pipeline for each policy, sends traces over OTLP/HTTP, and reads from the files that it
writes which traces came through each. The size of a trace is found by a row of bytes_limiting policies with rising
bursts: the first that lets it through is the one that is recorded. Needs Python 3 and nothing else.
"""
import json, os, pathlib, random, signal, socket, subprocess, sys, tempfile, time, urllib.request

SEED, COUNT, LARGEST = 7, 160, 1800
dice = random.Random(SEED)


# --- Protobuf -------------------------------------------------------------------------------------------------------
def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def number(field, value): return varint(field << 3) + varint(value)
def fixed64(field, value): return varint(field << 3 | 1) + value.to_bytes(8, "little")
def fixed32(field, value): return varint(field << 3 | 5) + value.to_bytes(4, "little")
def body(field, value): return varint(field << 3 | 2) + varint(len(value)) + value
def text(field, value): return body(field, value.encode())


def any_value(value):
    if value is None: return b""
    if isinstance(value, bool): return number(2, value)
    if isinstance(value, int): return number(3, value)
    if isinstance(value, float): return varint(4 << 3 | 1) + __import__("struct").pack("<d", value)
    if isinstance(value, bytes): return body(7, value)
    if isinstance(value, list): return body(5, b"".join(body(1, any_value(v)) for v in value))
    if isinstance(value, dict): return body(6, b"".join(body(1, pair(k, v)) for k, v in value.items()))
    return text(1, value)


def pair(key, value): return text(1, key) + body(2, any_value(value))
def attributes(field, values): return b"".join(body(field, pair(k, v)) for k, v in values.items())


# --- Traces ---------------------------------------------------------------------------------------------------------
VALUES = {
    "tier": ["gold", "golden", "silver", "", "Gold", 5, True],
    "n": [0, 1, 5, 7, 8, -3, 5.0, "5", True, 1 << 60],
    "flag": [True, False, "true", 1],
    # Where 0 or false is wanted the Collector takes any value of another type for it; the product does not.
    "count": [0, 4, 5, 6, -9], "on": [True, False],
    "other": [[1, "a", None, [2]], {"k": "v", "l": {"m": -1}}, b"\x00\x01", "", None, 0, False, 0.0, {}, []],
}
STATES = ["vendor=gold", "a=b,vendor=silver", "vendor=golden", "vendor=gold,b", "vendor=gold,vendor=gold", "a=1 , vendor=gold",
          "vendor=gold,B=c", "vendor=gold,,c=d", "t@v=x", "vendor=gold,b=c=d", "2a=b,vendor=gold", "vendor= gold", ""]


def some(names, chance=0.4):
    return {n: dice.choice(VALUES[n]) for n in names if dice.random() < chance}


def span(trace_id, index):
    start = 1_700_000_000_000_000_000 + dice.randrange(1000) * 1_000_000
    out = [body(1, trace_id), body(2, bytes([index + 1] * 8))]
    if dice.random() < 0.5: out.append(text(3, dice.choice(STATES)))
    if dice.random() < 0.6: out.append(body(4, dice.choice([bytes([9] * 8)] * 4 + [b"", bytes(8)])))
    if dice.random() < 0.9: out.append(text(5, "GET /" + "x" * dice.randrange(140)))
    if dice.random() < 0.8: out.append(number(6, dice.randrange(6)))
    out += [fixed64(7, start), fixed64(8, start + dice.randrange(400) * 500_000)]
    out.append(attributes(9, some(["tier", "n", "flag", "count", "on", "other"])))
    if dice.random() < 0.2: out.append(number(10, dice.choice([0, 3, 300])))
    for _ in range(dice.choice([0, 0, 1, 2])):
        out.append(body(11, fixed64(1, dice.choice([0, start])) + text(2, dice.choice(["", "exception"])) + attributes(3, some(["tier", "other"])) + number(4, dice.choice([0, 200]))))
    for _ in range(dice.choice([0, 0, 1])):
        ids = body(1, trace_id) + body(2, bytes([4] * 8)) if dice.random() < 0.7 else dice.choice([b"", body(1, bytes(16)) + body(2, bytes(8))])
        out.append(body(13, ids + text(3, dice.choice(STATES)) + attributes(4, some(["n"])) + number(5, dice.choice([0, 2])) + fixed32(6, dice.choice([0, 1]))))
    if dice.random() < 0.2: out.append(number(12, 1) + number(14, 70000))
    if dice.random() < 0.6: out.append(body(15, b"".join([text(2, dice.choice(["", "boom"])), number(3, dice.randrange(3))])))
    if dice.random() < 0.4: out.append(fixed32(16, dice.choice([0, 1, 256, 257])))
    if dice.random() < 0.1: out.append(text(100, "a field that nobody knows"))
    dice.shuffle(out)
    return b"".join(out)


def trace(index):
    trace_id = random.Random(index * 31 + SEED).randbytes(16)
    left, request = dice.choice([1, 1, 2, 3, 5]), b""
    position = 0
    while left:
        # Two neighbours without a resource, or without a scope, would be one to whoever has the spans alone.
        is_first, scopes = not request, b""
        for _ in range(dice.choice([1, 1, 2])):
            count = min(left, dice.choice([1, 2, 3]))
            if not count: break
            spans = b""
            for _ in range(count):
                spans += body(2, span(trace_id, position))
                position += 1
            left -= count
            scope = dice.choice([b"", body(1, b"")] * (not scopes) + [body(1, text(1, "lib") + text(2, "1.%d" % position) + attributes(3, some(["other"])) + number(4, dice.choice([0, 1])))])
            scopes += body(2, scope + spans)
        resource = dice.choice([b"", body(1, b"")] * is_first + [body(1, attributes(1, {"service.name": "shop", **some(["tier", "n", "flag"], 0.2), "at": position}) + number(2, dice.choice([0, 1])))])
        request += body(1, resource + scopes)
    return trace_id, request


# --- Policies -------------------------------------------------------------------------------------------------------
def policy(kind, members=None, name="p"): return {"name": name, "type": kind, **({kind: members} if members is not None else {})}


gold = policy("string_attribute", {"key": "tier", "values": ["gold"]}, "gold")
errors = policy("status_code", {"status_codes": ["ERROR"]}, "errors")
SETS = [[p] for p in [
    policy("latency", {"threshold_ms": 100}), policy("latency", {"threshold_ms": 0}),
    policy("numeric_attribute", {"key": "n", "min_value": 5, "max_value": 7}), policy("numeric_attribute", {"key": "n", "min_value": 5}),
    policy("numeric_attribute", {"key": "count", "max_value": 5}), policy("numeric_attribute", {"key": "n", "min_value": 5, "invert_match": True}),
    policy("string_attribute", {"key": "tier", "values": ["gold", "", "silver"]}), policy("string_attribute", {"key": "tier", "values": ["gold"], "invert_match": True}),
    policy("string_attribute", {"key": "tier", "values": ["^[gG]old$", "lver"], "enabled_regex_matching": True, "cache_max_size": 10}),
    policy("string_attribute", {"key": "tier", "values": ["old"], "enabled_regex_matching": True, "invert_match": True}),
    policy("string_attribute", {"key": "tier", "values": [""]}),
    policy("boolean_attribute", {"key": "flag", "value": True}), policy("boolean_attribute", {"key": "on", "value": False}), policy("boolean_attribute", {"key": "flag", "value": True, "invert_match": True}),
    policy("status_code", {"status_codes": ["ERROR"]}), policy("status_code", {"status_codes": ["OK", "UNSET"]}),
    policy("span_count", {"min_spans": 2}), policy("span_count", {"min_spans": 2, "max_spans": 3}),
    policy("trace_state", {"key": "vendor", "values": ["gold", "silver"]}), policy("trace_state", {"key": "t@v", "values": ["x"]}),
    policy("trace_flags", {}),
    policy("probabilistic", {"sampling_percentage": 25}), policy("probabilistic", {"sampling_percentage": 33.3, "hash_salt": "salt"}), policy("probabilistic", {"sampling_percentage": 150}),
    policy("and", {"and_sub_policy": [gold, errors]}), policy("and", {"and_sub_policy": [policy("not", {"not_sub_policy": gold}, "n"), errors]}), policy("not", {"not_sub_policy": errors}),
]] + [
    [policy("always_sample", name="all"), policy("drop", {"drop_sub_policy": [gold, errors]}, "drop")],
    [errors, gold], [policy("always_sample", name="all"), policy("drop", {"drop_sub_policy": [policy("not", {"not_sub_policy": errors}, "n")]}, "drop")],
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def main():
    folder, port = pathlib.Path(tempfile.mkdtemp()), free_port()
    traces = [trace(i) for i in range(COUNT)]
    sets = SETS + [[policy("bytes_limiting", {"bytes_per_second": 10**12, "burst_capacity": n}, str(n)) for n in range(1, LARGEST)]]
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": {f"tail_sampling/{i}": {"decision_wait": "4s", "policies": p} for i, p in enumerate(sets)},
        "exporters": {f"file/{i}": {"path": str(folder / f"{i}.json")} for i in range(len(sets))},
        "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": {
            f"traces/{i}": {"receivers": ["otlp"], "processors": [f"tail_sampling/{i}"], "exporters": [f"file/{i}"]} for i in range(len(sets))}},
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    log = open(folder / "log", "w")
    collector = subprocess.Popen([sys.argv[1], "--config", folder / "config.yaml", "--feature-gates=processor.tailsamplingprocessor.recordpolicy"], stdout=log, stderr=log)
    try:
        for _ in range(300):
            if "Everything is ready" in (folder / "log").read_text(): break
            if collector.poll() is not None: sys.exit((folder / "log").read_text())
            time.sleep(0.1)
        for _, request in traces:
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/v1/traces", request, {"Content-Type": "application/x-protobuf"})).read()
        time.sleep(12)
    finally:
        collector.send_signal(signal.SIGTERM)
        collector.wait(30)
    indexes = {t.hex(): i for i, (t, _) in enumerate(traces)}

    def kept(number):
        found = {}
        for line in (folder / f"{number}.json").read_text().splitlines():
            for resource in json.loads(line)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    recorded = [a["value"]["stringValue"] for a in scope.get("scope", {}).get("attributes", []) if a["key"] == "tailsampling.policy"]
                    for one in scope["spans"]: found[indexes[one["traceId"]]] = recorded
        return found

    sizes = kept(len(SETS))
    lines = ['"traces": [\n' + ",\n".join(f'"{r.hex()}"' for _, r in traces) + "\n]",
             '"bytes": ' + json.dumps([int(sizes[i][0]) if i in sizes else 0 for i in range(COUNT)]),
             '"sets": [\n' + ",\n".join(json.dumps({"policies": p, "kept": sorted(kept(i))}) for i, p in enumerate(SETS)) + "\n]"]
    print("{\n" + ",\n".join(lines) + "\n}")


main()
