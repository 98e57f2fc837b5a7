// Writes Parquet files column by column: the caller brings levels and values, nothing is built in between.
#include <arrow/io/interfaces.h>
#include <parquet/bloom_filter_writer.h>
#include <parquet/file_writer.h>
#include <parquet/index_location.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "chunk.h"
#include "sink.h"
#include "support.h"

using cpq::check;
using cpq::Failure;
using cpq::guarded;
using cpq::take;
using parquet::schema::GroupNode;
using parquet::schema::Node;
using parquet::schema::NodePtr;
using parquet::schema::NodeVector;
using parquet::schema::PrimitiveNode;

namespace {

constexpr char magic[] = {'P', 'A', 'R', '1'};

std::shared_ptr<const parquet::LogicalType> annotation(int32_t value) {
    switch (value) {
    case CPQ_STRING: return parquet::LogicalType::String();
    case CPQ_TIMESTAMP_US:
        return parquet::LogicalType::Timestamp(true, parquet::LogicalType::TimeUnit::MICROS);
    case CPQ_LIST: return parquet::LogicalType::List();
    case CPQ_MAP: return parquet::LogicalType::Map();
    default: return parquet::LogicalType::None();
    }
}

parquet::Type::type physical(int32_t type) {
    switch (type) {
    case CPQ_BOOL: return parquet::Type::BOOLEAN;
    case CPQ_INT32: return parquet::Type::INT32;
    case CPQ_INT64: return parquet::Type::INT64;
    case CPQ_DOUBLE: return parquet::Type::DOUBLE;
    case CPQ_BYTES: return parquet::Type::BYTE_ARRAY;
    default: throw Failure(CPQ_MISUSED, "no such column type");
    }
}

void set_leaf(parquet::WriterProperties::Builder &builder, const std::string &path, uint32_t flags,
              const cpq_options &options) {
    if (!(flags & CPQ_BLOOM)) return;
    parquet::BloomFilterOptions bloom;
    bloom.ndv = options.bloom_distinct;
    bloom.fpp = options.bloom_false_positives;
    builder.enable_bloom_filter(path, bloom);
}

/// Reads one node and its children; `next` is the first node behind them. Adds the flags of the leaves in order.
NodePtr tree(const cpq_node *nodes, int32_t count, int32_t &next, const std::string &prefix,
             parquet::WriterProperties::Builder &builder, const cpq_options &options, std::vector<uint32_t> &flags) {
    if (next >= count) throw Failure(CPQ_MISUSED, "schema ends inside a group");
    const cpq_node &node = nodes[next++];
    std::string path = prefix.empty() ? node.name : prefix + "." + node.name;
    auto repetition = static_cast<parquet::Repetition::type>(node.repetition);
    if (node.type != CPQ_GROUP) {
        set_leaf(builder, path, node.flags, options);
        flags.push_back(node.flags);
        return PrimitiveNode::Make(
            node.name, repetition, annotation(node.annotation), physical(node.type), -1, node.field_id);
    }
    NodeVector children;
    for (int32_t i = 0; i < node.child_count; i++) {
        children.push_back(tree(nodes, count, next, path, builder, options, flags));
    }
    if (node.annotation == CPQ_PLAIN) {
        return GroupNode::Make(node.name, repetition, children, parquet::ConvertedType::NONE, node.field_id);
    }
    return GroupNode::Make(node.name, repetition, children, annotation(node.annotation), node.field_id);
}

}  // namespace

struct cpq_writer {
    std::unique_ptr<cpq::Sink> sink;
    parquet::SchemaDescriptor schema;
    std::shared_ptr<parquet::WriterProperties> properties;
    std::vector<cpq::Leaf> leaves;
    std::unique_ptr<cpq::ChunkWriter> chunks;
    std::unique_ptr<parquet::FileMetaDataBuilder> builder;
    std::unique_ptr<parquet::BloomFilterBuilder> blooms;
    std::shared_ptr<parquet::FileMetaData> metadata;
    int64_t row_limit = 0;
    int64_t file_bytes = 0;
    cpq::Bounds bounds;
    // The row group that is being written.
    parquet::RowGroupMetaDataBuilder *row_group = nullptr;
    int16_t row_group_count = 0;
    size_t next_leaf = 0;
    int64_t row_count = 0;
    int64_t row_group_bytes = 0;  ///< before compression

    ~cpq_writer() {
        if (sink && !metadata) sink->abandon();
    }
};

namespace {

void open_writer(cpq_writer &writer, const char *path, const cpq_node *nodes, int32_t node_count,
                 const cpq_options &options) {
    parquet::WriterProperties::Builder builder;
    builder.version(parquet::ParquetVersion::PARQUET_2_6)
        ->compression(parquet::Compression::ZSTD)
        ->compression_level(options.zstd_level)
        ->max_row_group_length(options.row_group_rows)
        ->created_by(options.created_by)
        ->set_size_statistics_level(parquet::SizeStatisticsLevel::None);
    NodeVector columns;
    std::vector<uint32_t> flags;
    for (int32_t next = 0; next < node_count;) {
        columns.push_back(tree(nodes, node_count, next, "", builder, options, flags));
    }
    writer.schema.Init(GroupNode::Make("table", parquet::Repetition::REQUIRED, columns));
    for (int i = 0; i < writer.schema.num_columns(); i++) writer.leaves.emplace_back(writer.schema.Column(i), flags[i]);
    writer.properties = builder.build();
    writer.row_limit = options.row_group_rows;
    writer.chunks = std::make_unique<cpq::ChunkWriter>(options);
    writer.builder = parquet::FileMetaDataBuilder::Make(&writer.schema, writer.properties);
    writer.blooms = parquet::BloomFilterBuilder::Make(&writer.schema, writer.properties.get());
    writer.sink = cpq::open_local_sink(path);
    check(writer.sink->stream()->Write(magic, sizeof magic));
}

void write_column(cpq_writer &writer, int32_t type, const cpq_levels &levels, const cpq_values &values) {
    if (writer.row_group == nullptr) throw Failure(CPQ_MISUSED, "no row group has begun");
    if (writer.next_leaf >= writer.leaves.size()) throw Failure(CPQ_MISUSED, "too many columns");
    const auto column = static_cast<int16_t>(writer.next_leaf++);
    const cpq::Leaf &leaf = writer.leaves[column];
    if (leaf.descriptor->physical_type() != physical(type)) {
        throw Failure(CPQ_MISUSED, "another type than column " + leaf.path());
    }
    cpq::Place place{writer.sink->stream(), writer.row_group->NextColumnChunk(),
                     writer.blooms->CreateBloomFilter(column), writer.row_group_count, column};
    const int64_t rows = writer.chunks->write(leaf, place, levels, values, writer.row_group_bytes);
    if (column == 0) writer.row_count = rows;
    if (rows != writer.row_count) throw Failure(CPQ_MISUSED, "another number of rows in " + leaf.path());
    if (rows > writer.row_limit) throw Failure(CPQ_MISUSED, "too many rows for a row group");
}

void publish(cpq_writer &writer) {
    auto stream = writer.sink->stream();
    writer.builder->SetIndexLocations(parquet::IndexKind::kBloomFilter, writer.blooms->WriteTo(stream.get()));
    std::shared_ptr<parquet::FileMetaData> metadata = writer.builder->Finish();
    parquet::WriteFileMetaData(*metadata, stream.get());
    writer.file_bytes = take(stream->Tell());
    writer.sink->publish();
    writer.metadata = metadata;
}

}  // namespace

extern "C" {

cpq_writer *cpq_writer_open_local(const char *path, const cpq_node *nodes, int32_t node_count,
                                  const cpq_options *options, cpq_error *error) {
    cpq_writer *result = nullptr;
    guarded(error, CPQ_MISUSED, [&] {
        auto writer = std::make_unique<cpq_writer>();
        open_writer(*writer, path, nodes, node_count, *options);
        result = writer.release();
    });
    return result;
}

int32_t cpq_writer_begin_row_group(cpq_writer *writer, cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (writer->row_group != nullptr) throw Failure(CPQ_MISUSED, "the last row group has not ended");
        if (writer->row_group_count == INT16_MAX) throw Failure(CPQ_MISUSED, "too many row groups");
        writer->row_group = writer->builder->AppendRowGroup();
        writer->blooms->AppendRowGroup();
        writer->chunks->begin_row_group();
        writer->next_leaf = 0;
        writer->row_count = 0;
        writer->row_group_bytes = 0;
    });
}

int32_t cpq_writer_column(cpq_writer *writer, int32_t type, const cpq_levels *levels, const cpq_values *values,
                          cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] { write_column(*writer, type, *levels, *values); });
}

int32_t cpq_writer_end_row_group(cpq_writer *writer, cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (writer->row_group == nullptr) throw Failure(CPQ_MISUSED, "no row group has begun");
        if (writer->next_leaf != writer->leaves.size()) throw Failure(CPQ_MISUSED, "columns are missing");
        writer->row_group->set_num_rows(writer->row_count);
        writer->row_group->Finish(writer->row_group_bytes, writer->row_group_count);
        writer->row_group_count++;
        writer->row_group = nullptr;
    });
}

int32_t cpq_writer_publish(cpq_writer *writer, cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (writer->row_group != nullptr) throw Failure(CPQ_MISUSED, "the last row group has not ended");
        publish(*writer);
    });
}

int64_t cpq_writer_file_bytes(const cpq_writer *writer) { return writer->file_bytes; }

int32_t cpq_writer_row_group_count(const cpq_writer *writer) {
    return writer->metadata ? writer->metadata->num_row_groups() : 0;
}

int64_t cpq_writer_row_group_offset(const cpq_writer *writer, int32_t row_group) {
    auto chunk = writer->metadata->RowGroup(row_group)->ColumnChunk(0);
    return chunk->has_dictionary_page() ? chunk->dictionary_page_offset() : chunk->data_page_offset();
}

int32_t cpq_writer_leaf_count(const cpq_writer *writer) {
    return writer->metadata ? writer->metadata->schema()->num_columns() : 0;
}

int32_t cpq_writer_statistics(cpq_writer *writer, int32_t leaf, cpq_statistics *statistics, cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (!writer->metadata) throw Failure(CPQ_MISUSED, "the file is not published");
        const parquet::ColumnDescriptor *descriptor = writer->metadata->schema()->Column(leaf);
        cpq_statistics sum{};
        sum.field_id = descriptor->schema_node()->field_id();
        writer->bounds = cpq::Bounds{};
        bool any = false;
        for (int i = 0; i < writer->metadata->num_row_groups(); i++) {
            cpq_statistics one;
            auto bounds = cpq::describe(*writer->metadata->RowGroup(i)->ColumnChunk(leaf), *descriptor, &one);
            sum.compressed_bytes += one.compressed_bytes;
            sum.value_count += one.value_count;
            sum.null_count = sum.null_count < 0 || one.null_count < 0 ? -1 : sum.null_count + one.null_count;
            sum.has_bloom |= one.has_bloom;
            // A row group of nulls has no bounds and widens none.
            if (!bounds.known && one.null_count == one.value_count) continue;
            if (any) {
                cpq::merge(writer->bounds, bounds, descriptor->physical_type());
            } else {
                writer->bounds = bounds;
            }
            any = true;
        }
        *statistics = sum;
        cpq::lend(writer->bounds, statistics);
    });
}

void cpq_writer_free(cpq_writer *writer) { delete writer; }

int32_t cpq_remove_local(const char *path) { return unlink(path) == 0 || errno == ENOENT ? 0 : errno; }

}
