"""Makes the fixtures of the table format with pyiceberg; README.md says what they are."""

import base64
import datetime
import json
import pathlib
import shutil
import tempfile

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import sorting
from pyiceberg.table import update as updating
from pyiceberg.table.metadata import new_table_metadata
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import (
    DoubleType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

FOLDER = pathlib.Path(__file__).parent
NOW = 1_800_000_000_000
FILES = "file:///fixture"

SCHEMA = Schema(
    NestedField(1, "trace_id", StringType(), required=True),
    NestedField(2, "start_time", TimestamptzType(), required=False),
    NestedField(3, "duration_ms", LongType(), required=False, doc="end - start"),
    NestedField(4, "share", DoubleType(), required=False),
    NestedField(5, "tags", MapType(7, StringType(), 8, StructType(NestedField(9, "text", StringType())))),
    NestedField(6, "links", ListType(10, StructType(NestedField(11, "id", StringType(), required=True)))),
)
SPEC = PartitionSpec(PartitionField(2, 1000, DayTransform(), "start_time_day"))
ORDER = sorting.SortOrder(sorting.SortField(1, IdentityTransform()))


def dump(model):
    return json.loads(model.model_dump_json(by_alias=True, exclude_none=True))


def snapshot(number, parent, sequence, milliseconds):
    return Snapshot(
        snapshot_id=number,
        parent_snapshot_id=parent,
        sequence_number=sequence,
        timestamp_ms=milliseconds,
        manifest_list=f"{FILES}/metadata/snap-{number}.avro",
        summary=Summary(Operation.APPEND, **{"added-records": "3", "total-records": "9"}),
        schema_id=0,
    )


def commits():
    """Each step is applied to the metadata of the step before."""
    main = "main"
    wider = Schema(*SCHEMA.fields, NestedField(12, "added", StringType()), schema_id=1)
    other_order = sorting.SortOrder(sorting.SortField(3, IdentityTransform()), order_id=2)
    steps = [
        [updating.SetPropertiesUpdate(updates={"a": "1", "b": "2"})],
        [
            updating.AddSnapshotUpdate(snapshot=snapshot(11, None, 1, NOW + 1)),
            updating.SetSnapshotRefUpdate(ref_name=main, type="branch", snapshot_id=11),
            updating.SetPropertiesUpdate(updates={"tss.position": "{}"}),
        ],
        [
            updating.AddSnapshotUpdate(snapshot=snapshot(12, 11, 2, NOW + 2)),
            updating.SetSnapshotRefUpdate(ref_name=main, type="branch", snapshot_id=12),
        ],
        [updating.SetSnapshotRefUpdate(ref_name="kept", type="tag", snapshot_id=11, max_ref_age_ms=5)],
        [updating.RemovePropertiesUpdate(removals=["a"]), updating.SetPropertiesUpdate(updates={"b": "3"})],
        [updating.AddSchemaUpdate(schema_=wider), updating.SetCurrentSchemaUpdate(schema_id=-1)],
        [
            updating.AddSortOrderUpdate(sort_order=other_order),
            updating.SetDefaultSortOrderUpdate(sort_order_id=-1),
        ],
        [updating.AddSnapshotUpdate(snapshot=snapshot(13, 12, 3, NOW + 3))],
        [updating.SetSnapshotRefUpdate(ref_name=main, type="branch", snapshot_id=13)],
        [updating.SetSnapshotRefUpdate(ref_name=main, type="branch", snapshot_id=12)],
        [updating.SetPropertiesUpdate(updates={"write.metadata.previous-versions-max": "3"})],
        [updating.RemoveSnapshotRefUpdate(ref_name="kept")],
        [updating.RemoveSnapshotsUpdate(snapshot_ids=[11])],
        [updating.SetPropertiesUpdate(updates={"b": "3"})],
        [updating.SetLocationUpdate(location=f"{FILES}-moved")],
    ]
    metadata = new_table_metadata(SCHEMA, SPEC, ORDER, FILES, {})
    metadata = metadata.model_copy(update={"last_updated_ms": NOW})
    cases = []
    for number, step in enumerate(steps):
        clock = NOW + 1000 * (number + 1)
        updating.datetime_to_millis = lambda _: clock
        location = f"{FILES}/metadata/{number:05d}.metadata.json"
        after = updating.update_table_metadata(metadata, tuple(step), metadata_location=location)
        cases.append(
            {
                "now": clock,
                "location": location,
                "updates": [dump(update) for update in step],
                "before": dump(metadata),
                "after": dump(after),
            }
        )
        metadata = after
    (FOLDER / "commits.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


def rows(day, count):
    moment = datetime.datetime(2026, 1, day, tzinfo=datetime.timezone.utc)
    return pa.table(
        {
            "trace_id": pa.array([f"{day:02x}{index:030x}" for index in range(count)], pa.string()),
            "start_time": pa.array([moment] * count, pa.timestamp("us", tz="UTC")),
            "duration_ms": pa.array([index if index else None for index in range(count)], pa.int64()),
            "share": pa.array([float("nan") if index == 0 else index / 2 for index in range(count)], pa.float64()),
            "tags": pa.array([[("k", {"text": "v"})]] * count, pa.map_(pa.string(), pa.struct([("text", pa.string())]))),
            "links": pa.array(
                [[{"id": "a"}]] * count, pa.list_(pa.struct([pa.field("id", pa.string(), nullable=False)]))
            ),
        },
        schema=None,
    )


def plain(value):
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def table():
    base = tempfile.mkdtemp()
    catalog = load_catalog("default", type="sql", uri=f"sqlite:///{base}/catalog.db", warehouse=f"file://{base}")
    catalog.create_namespace("default")
    table = catalog.create_table(
        "default.spans", SCHEMA, partition_spec=SPEC, sort_order=ORDER, properties={"owner": "x"}
    )
    arrow = table.schema().as_arrow()
    table.append(pa.concat_tables([rows(1, 3), rows(2, 4)]).cast(arrow))
    table.manage_snapshots().create_tag(table.current_snapshot().snapshot_id, "first").commit()
    with table.update_schema() as update:
        update.add_column("added", StringType())
    table.append(rows(3, 5).cast(arrow))
    snapshot = table.current_snapshot()
    manifests = snapshot.manifests(table.io)
    expected = {"manifests": [], "entries": []}
    for manifest in manifests:
        expected["manifests"].append(
            {
                "path": manifest.manifest_path,
                "sequence": manifest.sequence_number,
                "min_sequence": manifest.min_sequence_number,
                "snapshot": manifest.added_snapshot_id,
                "added_files": manifest.added_files_count,
                "added_rows": manifest.added_rows_count,
                "lower": plain(manifest.partitions[0].lower_bound),
                "upper": plain(manifest.partitions[0].upper_bound),
                "contains_null": manifest.partitions[0].contains_null,
            }
        )
    # The older manifest has two files, and inherits all that a manifest can give.
    oldest = min(manifests, key=lambda manifest: manifest.sequence_number)
    for entry in oldest.fetch_manifest_entry(table.io, discard_deleted=False):
        file = entry.data_file
        expected["entries"].append(
            {
                "status": int(entry.status.value),
                "snapshot": entry.snapshot_id,
                "sequence": entry.sequence_number,
                "file_sequence": entry.file_sequence_number,
                "path": file.file_path,
                "day": file.partition[0],
                "records": file.record_count,
                "bytes": file.file_size_in_bytes,
                "column_sizes": plain(file.column_sizes),
                "value_counts": plain(file.value_counts),
                "null_counts": plain(file.null_value_counts),
                "nan_counts": plain(file.nan_value_counts),
                "lower": plain(file.lower_bounds),
                "upper": plain(file.upper_bounds),
                "splits": file.split_offsets,
            }
        )
    expected["oldest"] = oldest.manifest_path
    shutil.copy(snapshot.manifest_list.removeprefix("file://"), FOLDER / "manifest-list.avro")
    shutil.copy(oldest.manifest_path.removeprefix("file://"), FOLDER / "manifest.avro")
    metadata = pathlib.Path(table.metadata_location.removeprefix("file://")).read_text()
    (FOLDER / "table.metadata.json").write_text(metadata)
    (FOLDER / "expected.json").write_text(json.dumps(expected, separators=(",", ":"), sort_keys=True) + "\n")
    shutil.rmtree(base)


commits()
table()
