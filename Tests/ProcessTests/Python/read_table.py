"""Reads the whole span table by pyiceberg, for accounting against what a sender was told.

usage: read_table.py CATALOG_DB WAREHOUSE_FOLDER NAMESPACE.TABLE [COLUMN ...]

Prints one line of JSON for each row with the columns asked for, then one line {"rows": N, "snapshots": N}.
"""

import base64
import datetime
import json
import sys

from pyiceberg.catalog import load_catalog


def plain(value):
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def main():
    database, warehouse, name, *columns = sys.argv[1:]
    catalog = load_catalog("default", type="sql", uri=f"sqlite:///{database}", warehouse=f"file://{warehouse}")
    table = catalog.load_table(name)
    scan = table.scan(selected_fields=tuple(columns)) if columns else table.scan()
    rows = 0
    for batch in scan.to_arrow_batch_reader():
        for row in batch.to_pylist():
            print(json.dumps(plain(row)))
            rows += 1
    print(json.dumps({"rows": rows, "snapshots": len(table.metadata.snapshots)}))


main()
