"""One SQL query at a time over the Parquet files of one table, for the program that started us.

The parent talks over the stream socket on descriptor 3. A frame is one byte of kind, a 32-bit little-endian
length, and that many bytes.

  to us     P  {"sql", "schema", "tables"}                  plan only: which predicates bound the scan?
            X  {"files", "max_rows", "format", "shape", "int64"}   run the planned statement over these files
  from us   H  {"datafusion", "pid"}                        ready (once)
            F  {"scans": [[[column, operator, literal], ...], ...] | null}   null: prune nothing
            S  {"columns": [{"name", "type"}, ...]}         then
            R  bytes of the answer, in order                then
            D  {"rows", "truncated"}                        done
            E  {"code", "message"}                          instead of any of these; the next P starts afresh

The statement is planned against an empty table first, so that the parent can leave out files by Iceberg's
statistics; no SQL is parsed outside DataFusion. Only reading is allowed: no DDL, DML, SET, COPY or second
statement, no URL tables, no file functions.
"""

import base64
import csv
import datetime
import decimal
import io
import json
import math
import os
import socket
import struct
import sys
import tempfile

import datafusion
import pyarrow
import pyarrow.parquet
from datafusion import LogicalPlan, RuntimeEnvBuilder, SessionConfig, SessionContext, SQLOptions

READ_ONLY = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
OPERATORS = {"=", "<", "<=", ">", ">="}
# Answers leave in pieces of about this size.
CHUNK_BYTES = 1 << 18
# The table without files, under a name that no statement needs.
EMPTY = "tss_empty"


class QueryError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Channel:
    """Frames over a blocking socket: a slow reader slows us down, nothing is buffered without bound."""

    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)

    def send(self, kind, payload):
        self.socket.sendall(struct.pack("<cI", kind, len(payload)) + payload)

    def send_json(self, kind, value):
        self.send(kind, json.dumps(value).encode())

    def receive(self):
        header = self._exactly(5)
        if header is None:
            return None, None
        kind, count = struct.unpack("<cI", header)
        return kind, self._exactly(count)

    def _exactly(self, count):
        parts = []
        while count:
            part = self.socket.recv(min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


# --- the table's schema


def arrow_type(iceberg):
    """The Arrow type of an Iceberg type as its JSON spells it."""
    simple = {
        "boolean": pyarrow.bool_(),
        "int": pyarrow.int32(),
        "long": pyarrow.int64(),
        "float": pyarrow.float32(),
        "double": pyarrow.float64(),
        "date": pyarrow.date32(),
        "time": pyarrow.time64("us"),
        "timestamp": pyarrow.timestamp("us"),
        "timestamptz": pyarrow.timestamp("us", tz="UTC"),
        "string": pyarrow.string(),
        "uuid": pyarrow.binary(16),
        "binary": pyarrow.binary(),
    }
    if isinstance(iceberg, str):
        if iceberg in simple:
            return simple[iceberg]
        if iceberg.startswith("fixed["):
            return pyarrow.binary(int(iceberg[6:-1]))
        if iceberg.startswith("decimal("):
            precision, scale = iceberg[8:-1].split(",")
            return pyarrow.decimal128(int(precision), int(scale))
        raise QueryError("internal", f"the table has a column of the unknown type {iceberg}")
    kind = iceberg["type"]
    if kind == "struct":
        return pyarrow.struct([arrow_field(field) for field in iceberg["fields"]])
    if kind == "list":
        nullable = not iceberg["element-required"]
        return pyarrow.list_(pyarrow.field("element", arrow_type(iceberg["element"]), nullable))
    if kind == "map":
        value = pyarrow.field("value", arrow_type(iceberg["value"]), not iceberg["value-required"])
        return pyarrow.map_(pyarrow.field("key", arrow_type(iceberg["key"]), False), value)
    raise QueryError("internal", f"the table has a column of the unknown kind {kind}")


def arrow_field(field):
    # Nullable throughout: files written before a column existed have no values for it.
    return pyarrow.field(field["name"], arrow_type(field["type"]), True)


def arrow_schema(iceberg):
    return pyarrow.schema([arrow_field(field) for field in iceberg["fields"]])


# --- predicates


def literal(value):
    """A Python value that JSON can carry exactly, or None when the literal bounds nothing."""
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return {"microseconds": (moment - epoch) // datetime.timedelta(microseconds=1)}
    return None


def conjuncts(expression, found):
    """Adds every `column operator literal` that must hold for the whole expression to hold."""
    node = expression.to_variant()
    if expression.variant_name() != "BinaryExpr":
        return
    operator = node.op()
    if operator == "AND":
        conjuncts(node.left(), found)
        conjuncts(node.right(), found)
        return
    left, right = node.left(), node.right()
    flipped = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
    if left.variant_name() == "Literal" and right.variant_name() == "Column":
        left, right = right, left
        operator = flipped.get(operator)
    if operator not in OPERATORS or left.variant_name() != "Column" or right.variant_name() != "Literal":
        return
    scalar = right.python_value()
    value = literal(scalar.as_py() if hasattr(scalar, "as_py") else scalar)
    if value is not None:
        found.append([left.to_variant().name(), operator, value])


def scans_of(plan):
    """For each scan of the plan the conjuncts that bound it; None when the plan holds scans we cannot see."""
    scans = []

    def walk(node, predicates):
        variant = node.to_variant()
        kind = type(variant).__name__
        if kind == "TableScan":
            found = []
            for expression in [*predicates, *variant.filters()]:
                conjuncts(expression, found)
            scans.append(found)
            return
        if kind == "Filter":
            predicates = [*predicates, variant.predicate()]
        elif kind != "SubqueryAlias":
            predicates = []
        for part in node.inputs():
            walk(part, predicates)

    walk(plan, [])
    # A subquery that the optimizer left inside an expression is no input of its node: then nothing may be left out.
    return scans if plan.display_indent().count("TableScan:") == len(scans) else None


# --- a table made of many files: the plan of one scan, with the list of paths put in


def read_varint(data, at):
    shift = value = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields_of(message):
    at = 0
    while at < len(message):
        key, at = read_varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = read_varint(message, at)
        elif wire == 2:
            count, at = read_varint(message, at)
            value, at = message[at : at + count], at + count
        else:
            count = 8 if wire == 1 else 4
            value, at = message[at : at + count], at + count
        yield number, wire, value


def encoded(fields):
    out = bytearray()
    for number, wire, value in fields:
        out += varint(number << 3 | wire)
        if wire == 0:
            out += varint(value)
        elif wire == 2:
            out += varint(len(value)) + value
        else:
            out += value
    return bytes(out)


def table_of(context, files, schema):
    """A data frame over exactly these files; their order is the scan's."""
    first = context.read_parquet(files[0], schema=schema)
    if len(files) == 1:
        return first
    ((number, wire, scan),) = fields_of(first.logical_plan().to_bytes())
    parts = list(fields_of(scan))
    uris = [(path if "://" in path else "file://" + path).encode() for path in files]
    (place,) = {n for n, w, value in parts if w == 2 and value == uris[0]}
    at = [n for n, _, _ in parts].index(place)
    others = [part for part in parts if part[0] != place]
    others[at:at] = [(place, 2, uri) for uri in uris]
    plan = LogicalPlan.from_bytes(context, encoded([(number, wire, encoded(others))]))
    return context.create_dataframe_from_logical_plan(plan)


# --- answers


def plain(value, kind, wide_as_text):
    """A value of an Arrow type as JSON carries it.

    Whole numbers stay whole, bytes are base64, moments are RFC 3339, maps are objects (pairs when a key repeats).
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        wide = pyarrow.types.is_int64(kind) or pyarrow.types.is_uint64(kind)
        return str(value) if wide_as_text and wide else value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if pyarrow.types.is_map(kind):
        pairs = [(plain(k, kind.key_type, wide_as_text), plain(v, kind.item_type, wide_as_text)) for k, v in value]
        named = {str(k): v for k, v in pairs}
        return named if len(named) == len(pairs) else [list(pair) for pair in pairs]
    if pyarrow.types.is_struct(kind):
        return {field.name: plain(value[field.name], field.type, wide_as_text) for field in kind}
    if isinstance(value, (list, tuple)):
        return [plain(item, kind.value_type, wide_as_text) for item in value]
    return str(value)


def unique_names(schema):
    """Column names, a repeated one with a number: an object has every name once."""
    seen, names = {}, []
    for field in schema:
        seen[field.name] = seen.get(field.name, 0) + 1
        count = seen[field.name]
        names.append(field.name if count == 1 else f"{field.name}_{count}")
    return names


class RowWriter:
    """Rows as JSON array elements or CSV lines, in chunks."""

    def __init__(self, channel, schema, request):
        self.channel, self.names = channel, unique_names(schema)
        self.form, self.legacy = request["format"], request.get("shape") == "legacy"
        self.wide_as_text, self.kinds = request.get("int64") == "text", [field.type for field in schema]
        self.buffer, self.first = io.StringIO(), True
        self.csv = csv.writer(self.buffer, lineterminator="\r\n")
        if self.form == "csv":
            self.csv.writerow(self.names)

    def write(self, batch):
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns) if columns else [()] * batch.num_rows:
            values = [plain(value, kind, self.wide_as_text) for value, kind in zip(row, self.kinds)]
            if self.form == "csv":
                self.csv.writerow(
                    [json.dumps(v) if isinstance(v, (dict, list)) else "" if v is None else v for v in values])
            else:
                shaped = (
                    {"columns": [list(pair) for pair in zip(self.names, values)]}
                    if self.legacy
                    else dict(zip(self.names, values)))
                self.buffer.write(("" if self.first else ",") + json.dumps(shaped, ensure_ascii=False))
            self.first = False
            if self.buffer.tell() >= CHUNK_BYTES:
                self.flush()

    def flush(self):
        data = self.buffer.getvalue().encode("utf-8", "replace")
        self.buffer.seek(0)
        self.buffer.truncate()
        if data:
            self.channel.send(b"R", data)

    def close(self):
        self.flush()


class ArrowWriter:
    """The Arrow stream format; pyarrow writes it straight into frames."""

    def __init__(self, channel, schema, request):
        self.channel, self.closed, self.buffer = channel, False, bytearray()
        self.stream = pyarrow.ipc.new_stream(pyarrow.PythonFile(self, "w"), schema)

    def write(self, data):
        if isinstance(data, pyarrow.RecordBatch):
            self.stream.write_batch(data)
            return 0
        view = memoryview(data).cast("B")
        self.buffer += view
        while len(self.buffer) >= CHUNK_BYTES:
            self.channel.send(b"R", bytes(self.buffer[:CHUNK_BYTES]))
            del self.buffer[:CHUNK_BYTES]
        return len(view)

    def flush(self):
        pass

    def close(self):
        if not self.closed:
            self.closed = True
            self.stream.close()
            self.channel.send(b"R", bytes(self.buffer))


class Session:
    def __init__(self, channel, memory_bytes, spill):
        configuration = (
            SessionConfig()
            .with_information_schema(True)
            .with_target_partitions(max(1, min(4, os.cpu_count() or 1)))
            .set("datafusion.execution.parquet.pushdown_filters", "true")
            .set("datafusion.execution.time_zone", "UTC"))
        runtime = RuntimeEnvBuilder().with_fair_spill_pool(memory_bytes).with_disk_manager_specified(spill)
        self.context = SessionContext(configuration, runtime)
        self.channel, self.spill = channel, spill
        self.schema, self.sql, self.tables = None, None, []
        self.registered = []

    def register(self, frame):
        """Makes `frame` the table, under each of its names."""
        for name in self.tables:
            schema, _, table = name.rpartition(".")
            if not schema:
                self.context.register_view(table, frame)
            else:
                catalog = self.context.catalog("datafusion")
                if schema not in catalog.schema_names():
                    catalog.register_schema(schema, datafusion.catalog.Schema.memory_schema())
                catalog.schema(schema).register_table(table, frame.into_view())
            self.registered.append(name)

    def clear(self):
        for name in self.registered:
            schema, _, table = name.rpartition(".")
            if not schema:
                self.context.deregister_table(table)
            else:
                self.context.catalog("datafusion").schema(schema).deregister_table(table)
        self.registered = []
        self.context.deregister_table(EMPTY)

    def empty(self):
        columns = [pyarrow.array([], field.type) for field in self.schema]
        batch = pyarrow.RecordBatch.from_arrays(columns, schema=self.schema)
        return self.context.create_dataframe([[batch]], name=EMPTY)

    def plan(self, request):
        self.sql, self.tables = request["sql"], request["tables"]
        self.schema = arrow_schema(request["schema"])
        self.clear()
        self.register(self.empty())
        plan = self.context.sql_with_options(self.sql, READ_ONLY).optimized_logical_plan()
        self.channel.send_json(b"F", {"scans": scans_of(plan)})

    def execute(self, request):
        if self.sql is None:
            raise QueryError("internal", "nothing was planned")
        sql, self.sql = self.sql, None
        self.clear()
        self.register(table_of(self.context, request["files"], self.schema) if request["files"] else self.empty())
        frame = self.context.sql_with_options(sql, READ_ONLY)
        schema = frame.schema()
        self.channel.send_json(
            b"S",
            {"columns": [{"name": name, "type": str(field.type)} for name, field in zip(unique_names(schema), schema)]})
        writer = (ArrowWriter if request["format"] == "arrow" else RowWriter)(self.channel, schema, request)
        limit, rows, truncated = request["max_rows"], 0, False
        for part in frame.execute_stream():
            batch = part.to_pyarrow()
            if rows + batch.num_rows > limit:
                batch, truncated = batch.slice(0, limit - rows), True
            rows += batch.num_rows
            writer.write(batch)
            if truncated:
                break
        writer.close()
        self.channel.send_json(b"D", {"rows": rows, "truncated": truncated})


def code_of(error):
    text = str(error)
    if isinstance(error, QueryError):
        return error.code
    if "Resources exhausted" in text or isinstance(error, MemoryError):
        return "resources"
    if "not supported" in text and ("DDL" in text or "DML" in text or "Statement" in text):
        return "forbidden"
    if any(mark in text for mark in ("Error during planning", "Schema error", "SQL error", "ParserError")):
        return "invalid"
    if "This feature is not implemented" in text or "Invalid function" in text:
        return "invalid"
    return "failed"


def main():
    os.nice(10)
    memory_bytes, spill_folder = int(sys.argv[1]), sys.argv[2]
    channel = Channel(3)
    with tempfile.TemporaryDirectory(prefix="query-", dir=spill_folder) as spill:
        session = Session(channel, memory_bytes, spill)
        channel.send_json(b"H", {"datafusion": datafusion.__version__, "pid": os.getpid()})
        while True:
            kind, payload = channel.receive()
            if payload is None:
                return
            try:
                if kind == b"P":
                    session.plan(json.loads(payload))
                elif kind == b"X":
                    session.execute(json.loads(payload))
                else:
                    raise QueryError("internal", f"unknown frame {kind!r}")
            except (BrokenPipeError, ConnectionError):
                return
            except BaseException as error:  # DataFusion raises bare Exception; a panic is a BaseException
                if isinstance(error, (KeyboardInterrupt, SystemExit)):
                    raise
                message = str(error).removeprefix("DataFusion error: ")
                channel.send_json(b"E", {"code": code_of(error), "message": message[:2000]})


main()
