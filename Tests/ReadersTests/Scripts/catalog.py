"""Reads and writes the table of an SQLite catalog with pyiceberg and DuckDB: `catalog.py VERB FOLDER [ARGUMENT...]`.

The catalog is FOLDER/catalog.db, the warehouse FOLDER/warehouse, the table default.spans. What is found goes to
standard output as one line of JSON.
"""

import datetime
import json
import pathlib
import sys
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.typedef import Record
from pyiceberg.types import StringType

DAY = 20_000


def catalog_table(folder):
    catalog = load_catalog(
        "default", type="sql", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse"
    )
    return catalog.load_table("default.spans")


def write_rows(path, name, count, day):
    """A Parquet file with the table's field ids."""

    def field(number, name, kind, nullable):
        return pa.field(name, kind, nullable=nullable, metadata={"PARQUET:field_id": str(number)})

    schema = pa.schema(
        [field(1, "trace_id", pa.string(), False), field(2, "start_time", pa.timestamp("us", tz="UTC"), True)]
    )
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(days=day)
    rows = [{"trace_id": f"{name}-{index:04d}", "start_time": start} for index in range(count)]
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def data_file(path, name, count, day):
    write_rows(path, name, count, day)
    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=f"file://{path}",
        file_format=FileFormat.PARQUET,
        partition=Record(day),
        record_count=count,
        file_size_in_bytes=pathlib.Path(path).stat().st_size,
        column_sizes={1: 10},
        value_counts={1: count},
        null_value_counts={1: 0},
        nan_value_counts={},
        lower_bounds={1: f"{name}-0000".encode()},
        upper_bounds={1: f"{name}-{count - 1:04d}".encode()},
        split_offsets=[4],
        sort_order_id=None,
    )
    file.spec_id = 0
    return file


def append(folder, name, count, day=DAY):
    """Commits until it is not beaten: pyiceberg's own retries give up after four."""
    for _ in range(200):
        table = catalog_table(folder)
        path = f"{folder}/warehouse/foreign/{name}-{uuid.uuid4()}.parquet"
        try:
            with table.transaction() as transaction:
                with transaction.update_snapshot().fast_append() as update:
                    update.append_data_file(data_file(path, name, count, day))
            return
        except CommitFailedException:
            continue
        except Exception as error:
            if "locked" not in str(error):
                raise
    raise SystemExit("beaten two hundred times")


def read(folder):
    table = catalog_table(folder)
    snapshot = table.current_snapshot()
    entries = []
    for manifest in snapshot.manifests(table.io):
        for entry in manifest.fetch_manifest_entry(table.io):
            entries.append(
                {
                    "path": entry.data_file.file_path,
                    "sequence": entry.sequence_number,
                    "file_sequence": entry.file_sequence_number,
                    "snapshot": entry.snapshot_id,
                    "day": entry.data_file.partition[0],
                    "lower": (entry.data_file.lower_bounds or {}).get(1, b"").decode(),
                }
            )
    rows = table.scan().to_arrow()
    some = table.scan(row_filter="trace_id == 'ours-1-0001'").to_arrow()
    return {
        "uuid": str(table.metadata.table_uuid),
        "snapshots": len(table.snapshots()),
        "history": len(table.history()),
        "properties": dict(table.properties),
        "columns": table.schema().column_names,
        "summary": dict(snapshot.summary.additional_properties),
        "manifests": len(snapshot.manifests(table.io)),
        "entries": sorted(entries, key=lambda entry: entry["path"]),
        "traces": sorted(rows["trace_id"].to_pylist()),
        "filtered": some.num_rows,
    }


def duckdb_rows(folder):
    import duckdb
    import importlib.util

    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    for name in ["avro", "httpfs", "iceberg"]:
        base = pathlib.Path(importlib.util.find_spec(f"duckdb_extension_{name}").origin).parent
        [extension] = base.rglob(f"{name}.duckdb_extension")
        connection.execute(f"LOAD '{extension}'")
    location = catalog_table(folder).metadata_location.removeprefix("file://")
    rows = connection.execute(f"SELECT trace_id FROM iceberg_scan('{location}') ORDER BY trace_id").fetchall()
    [(snapshots,)] = connection.execute(f"SELECT count(*) FROM iceberg_snapshots('{location}')").fetchall()
    return {"traces": [row[0] for row in rows], "snapshots": snapshots}


def main(verb, folder, *arguments):
    if verb == "write":
        for argument in arguments:
            path, name, count, day = argument.split("|")
            write_rows(path, name, int(count), int(day))
        return {}
    if verb == "append":
        name, times, count = arguments
        for number in range(int(times)):
            append(folder, f"{name}-{number}", int(count))
        return {}
    if verb == "read":
        return read(folder)
    if verb == "duckdb":
        return duckdb_rows(folder)
    if verb == "alter":
        table = catalog_table(folder)
        with table.update_schema() as update:
            update.add_column("added", StringType())
        with table.transaction() as transaction:
            transaction.set_properties({"foreign": "yes"})
        table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "kept").commit()
        return {}
    if verb == "expire":
        table = catalog_table(folder)
        referred = {reference.snapshot_id for reference in table.refs().values()}
        for snapshot in list(table.snapshots()):
            if snapshot.snapshot_id not in referred:
                table.maintenance.expire_snapshots().by_id(snapshot.snapshot_id).commit()
        return {}
    raise SystemExit(f"no verb {verb}")


print(json.dumps(main(*sys.argv[1:])))
