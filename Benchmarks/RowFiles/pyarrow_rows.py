"""Writes the rows of a file of the table again with pyarrow, one thread, same encodings: the bar to compare with.

    python Benchmarks/RowFiles/pyarrow_rows.py FILE [REPETITIONS]
"""

import os
import resource
import sys
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main():
    path = sys.argv[1]
    repetitions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    pa.set_cpu_count(1)
    table = pq.read_table(path, use_threads=False).combine_chunks()
    columns = pq.ParquetFile(path).metadata.row_group(0)
    plain, delta = [], {}
    for index in range(columns.num_columns):
        column = columns.column(index)
        if "RLE_DICTIONARY" not in column.encodings:
            plain.append(column.path_in_schema)
        if "DELTA_BINARY_PACKED" in column.encodings:
            delta[column.path_in_schema] = "DELTA_BINARY_PACKED"
    dictionary = [columns.column(i).path_in_schema for i in range(columns.num_columns)]
    dictionary = [name for name in dictionary if name not in plain]
    flat = [field.name for field in table.schema if not pa.types.is_nested(field.type)]
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            before = cpu_seconds()
            pq.write_table(
                table, os.path.join(folder, "rows.parquet"), row_group_size=8192, compression="zstd",
                compression_level=1, use_dictionary=dictionary, column_encoding=delta, write_statistics=flat,
                write_page_index=False, bloom_filter_options={"trace_id": {"ndv": 8192, "fpp": 0.01}},
                store_schema=False)
            seconds = cpu_seconds() - before
            size = os.path.getsize(os.path.join(folder, "rows.parquet"))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"pyarrow: {int(table.num_rows / seconds)} rows per CPU s, {seconds:.3f} CPU s, "
                  f"{size // table.num_rows} bytes a row, peak: process {peak} MB")


main()
