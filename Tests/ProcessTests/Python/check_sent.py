"""Reads the table with one reader and compares every value with what send_traces.py sent.

usage: check_sent.py SENT pyiceberg CATALOG_DB WAREHOUSE_FOLDER NAMESPACE.TABLE
       check_sent.py SENT duckdb CATALOG_DB WAREHOUSE_FOLDER NAMESPACE.TABLE
       check_sent.py SENT arrow FILE                    an answer of the program's own queries, as an Arrow stream

pyiceberg and DuckDB read through the catalog: the current snapshot there must be an empty one, and the first too.
"""

import base64
import glob
import json
import os
import struct
import sys

MEMBERS = {
    "string_value": "text", "int_value": "int", "double_value": "double", "bool_value": "bool",
    "bytes_value": "bytes", "json_value": "json",
}
PLAIN = [
    "parent_span_id", "operation_name", "span_kind", "start_time_unix_nano", "end_time_unix_nano", "status_code",
    "status_message", "scope_name", "scope_version",
]


def bits(number):
    return struct.pack(">d", number).hex()


def from_otlp_json(value):
    if not value:
        return ["empty"]
    ((kind, content),) = value.items()
    if kind == "stringValue":
        return ["text", content]
    if kind == "boolValue":
        return ["bool", content]
    if kind == "intValue":
        return ["int", content]
    if kind == "doubleValue":
        return ["double", bits(float(content))]
    if kind == "bytesValue":
        return ["bytes", base64.b64decode(content, validate=True).hex()]
    if kind == "arrayValue":
        return ["list", [from_otlp_json(element) for element in content["values"]]]
    assert kind == "kvlistValue", kind
    return ["map", [[member["key"], from_otlp_json(member["value"])] for member in content["values"]]]


def tagged(value):
    """A value of the map, a struct with at most one member, in the form of send_traces.py."""
    present = [(MEMBERS[name], content) for name, content in value.items() if content is not None]
    if not present:
        return ["empty"]
    assert len(present) == 1, f"two members: {value}"
    ((kind, content),) = present
    expected = {"text": str, "int": int, "double": float, "bool": bool, "json": str}
    if kind == "bytes":
        return [kind, bytes(content).hex()]
    assert type(content) is expected[kind], f"{kind} is a {type(content)}"
    if kind == "int":
        return [kind, str(content)]
    if kind == "double":
        return [kind, bits(content)]
    return from_otlp_json(json.loads(content)) if kind == "json" else [kind, content]


def attribute_set(pairs):
    pairs = list(pairs.items()) if isinstance(pairs, dict) else list(pairs)
    result = {key: tagged(value) for key, value in pairs}
    assert len(result) == len(pairs), "a key is there twice"
    return result


def normal(row):
    """A row in the form of send_traces.py."""
    result = {name: row[name] for name in PLAIN}
    for name in ("attributes", "resource_attributes"):
        result[name] = attribute_set(row[name])
    result["events"] = [
        [event["name"], event["time_unix_nano"], attribute_set(event["attributes"])] for event in row["events"]]
    result["links"] = [
        [link["trace_id"], link["span_id"], attribute_set(link["attributes"])] for link in row["links"]]
    return result


def load_table(catalog_db, warehouse, name):
    from pyiceberg.catalog import load_catalog

    catalog = load_catalog("default", type="sql", uri=f"sqlite:///{catalog_db}", warehouse=f"file://{warehouse}")
    table = catalog.load_table(name)
    added = [int((snapshot.summary or {}).additional_properties.get("added-records", "0"))
             for snapshot in table.metadata.snapshots]
    # Every start of the program makes one: the test started it twice.
    assert added[0] == 0 and added[-1] == 0 and sum(added) > 0, f"records added by each snapshot: {added}"
    return table


def read_pyiceberg(*place):
    table = load_table(*place)
    first = table.metadata.snapshots[0].snapshot_id
    assert table.scan(snapshot_id=first).to_arrow().num_rows == 0
    return table.scan().to_arrow().to_pylist()


def read_duckdb(*place):
    import duckdb

    location = load_table(*place).metadata_location
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    for name in ("avro", "iceberg"):
        package = __import__(f"duckdb_extension_{name}")
        (path,) = glob.glob(
            os.path.join(os.path.dirname(package.__file__), "**", f"{name}.duckdb_extension"), recursive=True)
        connection.execute(f"LOAD '{path}'")
    # As numbers: DuckDB needs a time zone package to make Python's own times.
    times = ", ".join(f"epoch_us({name}) AS {name}" for name in ("start_time", "decided_at"))
    cursor = connection.execute(f"SELECT * REPLACE ({times}) FROM iceberg_scan('{location}')")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def read_arrow(path):
    import pyarrow

    with pyarrow.OSFile(path) as file:
        return pyarrow.ipc.open_stream(file).read_all().to_pylist()


def main():
    sent_path, reader, *place = sys.argv[1:]
    with open(sent_path) as file:
        sent = [json.loads(line) for line in file]
    rows = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb, "arrow": read_arrow}[reader](*place)
    found = {(row["trace_id"], row["span_id"]): row for row in rows}
    assert len(found) == len(rows), "a span is there twice"
    differences = []
    values = 0
    for span in sent:
        kind = span.pop("kind")
        row = found.pop((span.pop("trace_id"), span.pop("span_id")), None)
        if kind == "normal":
            if row is not None:
                differences.append(f"kept: {row}")
            continue
        if row is None:
            differences.append(f"missing: {span}")
            continue
        reason = {"error": ("error", "always_sample_errors"), "slow": ("latency", "sample_latency")}[kind]
        assert (row["decision_reason"], row["decision_policy"], row["adjusted_count"]) == (*reason, 1.0), row
        service = span["resource_attributes"].get("service.name", ["text", "unknown_service"])[1]
        start, end = span["start_time_unix_nano"], span["end_time_unix_nano"]
        derived = (row["service_name"], row["timestamp_ms"], row["duration_ms"])
        assert derived == (service, start // 10**6, (end - start) // 10**6), derived
        read = normal(row)
        assert set(read) == set(span), set(read) ^ set(span)
        for name, value in span.items():
            values += len(value) if isinstance(value, (dict, list)) else 1
            if read[name] != value:
                differences.append(f"{name}: sent {value!r}, read {read[name]!r}")
    differences += [f"not sent: {key}" for key in found]
    for line in differences[:20]:
        print(line)
    print(f"{reader}: {len(rows)} rows, {values} values compared, {len(differences)} differences")
    sys.exit(1 if differences or not rows else 0)


main()
