"""Reads the table with one reader and compares every value with what was sent.

    check_rows.py pyiceberg|duckdb|datafusion METADATA EXPECTED [DATA_FILE ...]

METADATA is the table's metadata file, EXPECTED the rows as ExpectedRows.swift writes them. DataFusion is given the
data files, as the product's own workers are. Prints the first differences; exit code 1 when there is one.
"""

import base64
import json
import math
import struct
import sys

MEMBERS = {
    "string_value": "text", "int_value": "int", "double_value": "double", "bool_value": "bool",
    "bytes_value": "bytes", "json_value": "json",
}
MAPS = {"attributes", "resource_attributes", "scope_attributes"}
TIMES = {"start_time", "decided_at"}


def bits(number):
    return "nan" if math.isnan(number) else struct.pack(">d", number).hex()


def from_otlp_json(value):
    """A nested value of OTLP/JSON as a tagged one."""
    if not value:
        return ["empty"]
    (kind, content), = value.items()
    if kind == "stringValue":
        return ["text", content]
    if kind == "boolValue":
        assert isinstance(content, bool)
        return ["bool", "true" if content else "false"]
    if kind == "intValue":
        assert isinstance(content, str), "64-bit integers are texts in OTLP/JSON"
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
    """A value of the map as the reader gives it: a struct with at most one member."""
    assert set(value) == set(MEMBERS), value
    present = [(MEMBERS[name], content) for name, content in value.items() if content is not None]
    if not present:
        return ["empty"]
    assert len(present) == 1, f"two members: {value}"
    kind, content = present[0]
    if kind == "text":
        assert type(content) is str
        return [kind, content]
    if kind == "int":
        assert type(content) is int
        return [kind, str(content)]
    if kind == "double":
        assert type(content) is float
        return [kind, bits(content)]
    if kind == "bool":
        assert type(content) is bool
        return [kind, "true" if content else "false"]
    if kind == "bytes":
        assert type(content) in (bytes, bytearray), type(content)
        return [kind, bytes(content).hex()]
    return from_otlp_json(json.loads(content))


def attribute_set(pairs):
    pairs = list(pairs.items()) if isinstance(pairs, dict) else list(pairs)
    result = {key: tagged(value) for key, value in pairs}
    assert len(result) == len(pairs), "a key is there twice"
    return result


def normal(row):
    row = dict(row)
    for name in MAPS:
        row[name] = attribute_set(row[name])
    for name in ("events", "links"):
        row[name] = [dict(element, attributes=attribute_set(element["attributes"])) for element in row[name]]
    row["adjusted_count"] = ["double", bits(row["adjusted_count"])]
    return row


def arrow_rows(table):
    import pyarrow as pa

    for name in TIMES:
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, table.column(name).cast(pa.int64()))
    return table.to_pylist()


def read_pyiceberg(metadata, files, expected):
    from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(metadata)
    rows = arrow_rows(table.scan().to_arrow())
    # Filters go through the bounds and partition values of our manifests: one that is too narrow loses rows.
    for trace in sorted({row["trace_id"] for row in expected}):
        count = table.scan(row_filter=EqualTo("trace_id", trace)).to_arrow().num_rows
        assert count == sum(row["trace_id"] == trace for row in expected), f"filter on trace {trace}"
    for row in expected[:40]:
        where = And(EqualTo("operation_name", row["operation_name"]),
                    EqualTo("start_time_unix_nano", row["start_time_unix_nano"]))
        assert table.scan(row_filter=where).to_arrow().num_rows >= 1, f"filter on {where}"
    from datetime import datetime, timedelta, timezone
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    for day in sorted({row["start_time"] // 86_400_000_000 for row in expected}):
        first, last = epoch + timedelta(days=day), epoch + timedelta(days=day + 1)
        scan = table.scan(row_filter=And(GreaterThanOrEqual("start_time", first.isoformat()),
                                         LessThan("start_time", last.isoformat())))
        assert scan.to_arrow().num_rows == sum(row["start_time"] // 86_400_000_000 == day for row in expected)
        assert all(task.file.partition[0] == day for task in scan.plan_files()), "partition values"
    return rows


def read_duckdb(metadata, files, expected):
    import glob
    import os

    import duckdb

    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    for name in ("avro", "iceberg"):
        package = __import__(f"duckdb_extension_{name}")
        path, = glob.glob(os.path.join(os.path.dirname(package.__file__), "**", f"{name}.duckdb_extension"), recursive=True)
        connection.execute(f"LOAD '{path}'")
    connection.execute("SET TimeZone = 'UTC'")
    source = f"iceberg_scan('{metadata}')"
    cursor = connection.execute(
        f"SELECT * REPLACE (epoch_us(start_time) AS start_time, epoch_us(decided_at) AS decided_at) FROM {source}")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row)) for row in cursor.fetchall()]
    check_sql(lambda text: connection.execute(text.replace("spans", source)).fetchall())
    (count,), = connection.execute(
        f"SELECT count(*) FROM {source} WHERE attributes['int.largest'].int_value = 9223372036854775807").fetchall()
    assert count == 1
    return rows


def read_datafusion(metadata, files, expected):
    import pyarrow as pa
    from datafusion import SessionContext

    context = SessionContext()
    for index, path in enumerate(files):
        context.register_parquet(f"part{index}", path)
    union = " UNION ALL ".join(f"SELECT * FROM part{index}" for index in range(len(files)))
    context.sql(f"CREATE VIEW spans AS {union}").collect()
    table = pa.Table.from_batches(context.sql("SELECT * FROM spans").collect())

    def rows_of(text):
        return [tuple(row.values()) for row in context.sql(text).to_arrow_table().to_pylist()]

    check_sql(rows_of)
    return arrow_rows(table)


def check_sql(query):
    """What the documentation tells people to write, in both engines."""
    rows = query("SELECT attributes['int']['int_value'], attributes['double']['double_value'], "
                 "attributes['bool']['bool_value'], attributes['text']['string_value'], "
                 "attributes['absent']['string_value'], resource_attributes['service.name']['string_value'] "
                 "FROM spans WHERE attributes['int.largest']['int_value'] = 9223372036854775807")
    assert rows == [(5, 5.0, True, "5", None, "checkout")], rows
    assert query("SELECT count(*) FROM spans WHERE attributes['text']['int_value'] = 5") == [(0,)]
    assert query("SELECT events[1]['attributes']['text']['string_value'] FROM spans "
                 "WHERE status_message = 'no such order'") == [("5",)]
    rows = query("SELECT trace_id, status_code, duration_ms FROM spans LIMIT 10")
    assert len(rows) == 10


def main():
    reader, metadata, expected_path, *files = sys.argv[1:]
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)
    read = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb, "datafusion": read_datafusion}[reader]
    seen = {}
    for row in read(metadata, files, expected):
        key = (row["source_topic"], row["source_generation"], row["source_partition"], row["source_offset"],
               row["source_index"])
        assert key not in seen, f"twice: {key}"
        seen[key] = normal(row)
    differences = []
    for row in expected:
        key = (row["source_topic"], row["source_generation"], row["source_partition"], row["source_offset"],
               row["source_index"])
        found = seen.pop(key, None)
        if found is None:
            differences.append(f"missing: {key}")
            continue
        if set(found) != set(row):
            differences.append(f"columns: {set(found) ^ set(row)}")
        for name, value in row.items():
            if found.get(name) != value:
                differences.append(f"{key} {name}: sent {value!r}, read {found.get(name)!r}")
    differences += [f"not sent: {key}" for key in seen]
    for line in differences[:20]:
        print(line)
    values = sum(len(row["attributes"]) for row in expected)
    print(f"{reader}: {len(expected)} rows, {values} span attributes, {len(differences)} differences")
    sys.exit(1 if differences or not expected else 0)


main()
