// Reads flat columns of Parquet files, whoever wrote them, row group by row group.
#include <arrow/io/file.h>
#include <parquet/bloom_filter.h>
#include <parquet/bloom_filter_reader.h>
#include <parquet/column_reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "support.h"

using cpq::check;
using cpq::Failure;
using cpq::guarded;
using cpq::take;

struct cpq_file {
    std::shared_ptr<arrow::io::RandomAccessFile> source;
};

struct cpq_reader {
    std::unique_ptr<parquet::ParquetFileReader> file;
    std::shared_ptr<parquet::FileMetaData> metadata;
    cpq::Bounds bounds;
    // The chunk that was read last.
    std::vector<uint8_t> present;
    std::vector<uint8_t> bytes;
    std::vector<uint32_t> ends;
    std::vector<int16_t> definition;
};

namespace {

constexpr int64_t batch_rows = 4096;

/// A flat column as the caller can take it: nothing above the leaf is repeated.
void require_flat(const parquet::ColumnDescriptor &leaf) {
    if (leaf.max_repetition_level() != 0) {
        throw Failure(CPQ_MISUSED, "column " + leaf.path()->ToDotString() + " is repeated");
    }
}

/// Reads batches until the chunk ends; `keep` takes the values of each.
template <class Column, class Keep>
int64_t read_batches(cpq_reader &reader, Column &column, int64_t rows, Keep &&keep) {
    using Value = typename Column::T;
    const int16_t maximum = column.descr()->max_definition_level();
    auto values = std::make_unique<Value[]>(batch_rows);
    reader.definition.resize(batch_rows);
    int64_t total = 0;
    int64_t done = 0;
    while (done < rows && column.HasNext()) {
        int64_t read = 0;
        int64_t levels = column.ReadBatch(
            std::min(batch_rows, rows - done), maximum > 0 ? reader.definition.data() : nullptr, nullptr,
            values.get(), &read);
        if (levels <= 0) break;
        for (int64_t i = 0; i < levels; i++) {
            reader.present[done + i] = maximum == 0 || reader.definition[i] == maximum;
        }
        keep(values.get(), read);
        done += levels;
        total += read;
    }
    if (done != rows) throw Failure(CPQ_CORRUPT, "column " + column.descr()->path()->ToDotString() + " is too short");
    return total;
}

template <class Column>
int64_t read_fixed(cpq_reader &reader, Column &column, int64_t rows) {
    using Value = typename Column::T;
    return read_batches(reader, column, rows, [&](const Value *values, int64_t count) {
        auto *first = reinterpret_cast<const uint8_t *>(values);
        reader.bytes.insert(reader.bytes.end(), first, first + count * sizeof(Value));
    });
}

int64_t read_bytes(cpq_reader &reader, parquet::ByteArrayReader &column, int64_t rows) {
    return read_batches(reader, column, rows, [&](const parquet::ByteArray *values, int64_t count) {
        for (int64_t i = 0; i < count; i++) {
            if (values[i].len > UINT32_MAX - reader.bytes.size()) {
                throw Failure(CPQ_CORRUPT, "a column chunk has more than 4 GiB of bytes");
            }
            reader.bytes.insert(reader.bytes.end(), values[i].ptr, values[i].ptr + values[i].len);
            reader.ends.push_back(static_cast<uint32_t>(reader.bytes.size()));
        }
    });
}

int64_t read_column(cpq_reader &reader, parquet::ColumnReader &column, int64_t rows) {
    switch (column.type()) {
    case parquet::Type::BOOLEAN: return read_fixed(reader, static_cast<parquet::BoolReader &>(column), rows);
    case parquet::Type::INT32: return read_fixed(reader, static_cast<parquet::Int32Reader &>(column), rows);
    case parquet::Type::INT64: return read_fixed(reader, static_cast<parquet::Int64Reader &>(column), rows);
    case parquet::Type::DOUBLE: return read_fixed(reader, static_cast<parquet::DoubleReader &>(column), rows);
    case parquet::Type::BYTE_ARRAY: return read_bytes(reader, static_cast<parquet::ByteArrayReader &>(column), rows);
    default:
        throw Failure(CPQ_CORRUPT, "column " + column.descr()->path()->ToDotString() + " has an unknown type");
    }
}

}  // namespace

extern "C" {

cpq_file *cpq_file_open_local(const char *path, cpq_error *error) {
    cpq_file *result = nullptr;
    guarded(error, CPQ_FAILED, [&] {
        auto file = std::make_unique<cpq_file>();
        file->source = take(arrow::io::ReadableFile::Open(path));
        result = file.release();
    });
    return result;
}

void cpq_file_free(cpq_file *file) { delete file; }

cpq_reader *cpq_reader_open(const cpq_file *file, cpq_error *error) {
    cpq_reader *result = nullptr;
    guarded(error, CPQ_CORRUPT, [&] {
        auto reader = std::make_unique<cpq_reader>();
        reader->file = parquet::ParquetFileReader::Open(file->source);
        reader->metadata = reader->file->metadata();
        result = reader.release();
    });
    return result;
}

void cpq_reader_free(cpq_reader *reader) { delete reader; }

int64_t cpq_reader_row_count(const cpq_reader *reader) { return reader->metadata->num_rows(); }

int32_t cpq_reader_row_group_count(const cpq_reader *reader) { return reader->metadata->num_row_groups(); }

int64_t cpq_reader_row_group_rows(const cpq_reader *reader, int32_t row_group) {
    return reader->metadata->RowGroup(row_group)->num_rows();
}

int32_t cpq_reader_leaf(const cpq_reader *reader, int32_t field_id, const char *name) {
    const parquet::SchemaDescriptor *schema = reader->metadata->schema();
    bool has_ids = false;
    int32_t named = -1;
    for (int i = 0; i < schema->num_columns(); i++) {
        const auto &node = schema->Column(i)->schema_node();
        if (node->field_id() >= 0) has_ids = true;
        if (schema->Column(i)->max_repetition_level() != 0) continue;
        if (node->field_id() >= 0 && node->field_id() == field_id) return i;
        if (schema->Column(i)->path()->ToDotString() == name) named = i;
    }
    return has_ids ? -1 : named;
}

int32_t cpq_reader_leaf_type(const cpq_reader *reader, int32_t leaf) {
    switch (reader->metadata->schema()->Column(leaf)->physical_type()) {
    case parquet::Type::BOOLEAN: return CPQ_BOOL;
    case parquet::Type::INT32: return CPQ_INT32;
    case parquet::Type::INT64: return CPQ_INT64;
    case parquet::Type::DOUBLE: return CPQ_DOUBLE;
    case parquet::Type::BYTE_ARRAY: return CPQ_BYTES;
    default: return CPQ_GROUP;
    }
}

int32_t cpq_reader_statistics(cpq_reader *reader, int32_t row_group, int32_t leaf, cpq_statistics *statistics,
                              cpq_error *error) {
    return guarded(error, CPQ_CORRUPT, [&] {
        reader->bounds = cpq::describe(
            *reader->metadata->RowGroup(row_group)->ColumnChunk(leaf), *reader->metadata->schema()->Column(leaf),
            statistics);
        cpq::lend(reader->bounds, statistics);
    });
}

int32_t cpq_reader_may_contain(cpq_reader *reader, int32_t row_group, int32_t leaf, const uint8_t *bytes,
                               size_t count, int32_t *answer, cpq_error *error) {
    return guarded(error, CPQ_CORRUPT, [&] {
        *answer = 1;
        auto group = reader->file->GetBloomFilterReader().RowGroup(row_group);
        if (!group) return;
        auto filter = group->GetColumnBloomFilter(leaf);
        if (!filter) return;
        parquet::ByteArray value(static_cast<uint32_t>(count), bytes);
        *answer = filter->FindHash(filter->Hash(&value)) ? 1 : 0;
    });
}

int32_t cpq_reader_read(cpq_reader *reader, int32_t row_group, int32_t leaf, cpq_chunk *chunk, cpq_error *error) {
    return guarded(error, CPQ_CORRUPT, [&] {
        require_flat(*reader->metadata->schema()->Column(leaf));
        int64_t rows = reader->metadata->RowGroup(row_group)->num_rows();
        reader->present.assign(rows, 0);
        reader->bytes.clear();
        reader->ends.clear();
        auto column = reader->file->RowGroup(row_group)->Column(leaf);
        int64_t count = read_column(*reader, *column, rows);
        *chunk = cpq_chunk{rows, reader->present.data(), {count, reader->bytes.data(), reader->ends.data(), nullptr, 0}};
    });
}

}
