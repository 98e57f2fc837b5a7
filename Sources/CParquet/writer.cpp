// Writes Parquet files column by column: the caller brings levels and values, nothing is built in between.
#include <arrow/array/array_binary.h>
#include <arrow/array/array_dict.h>
#include <arrow/array/array_primitive.h>
#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <arrow/type.h>
#include <fcntl.h>
#include <parquet/column_writer.h>
#include <parquet/file_writer.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

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

/// Where a file is written to, and how it comes to be seen.
class Sink {
public:
    virtual ~Sink() = default;
    virtual std::shared_ptr<arrow::io::OutputStream> stream() = 0;
    /// Everything is written: make it durable and visible, in this order.
    virtual void publish() = 0;
    /// Leave nothing behind. Must not throw.
    virtual void abandon() noexcept = 0;
};

void sync_directory(const std::string &directory) {
    int file = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) cpq::fail_errno("open", directory);
    int result = fsync(file);
    int number = errno;
    close(file);
    errno = number;
    if (result != 0) cpq::fail_errno("sync", directory);
}

std::string directory_of(const std::string &path) {
    auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// Makes a directory and those above it; each new one lasts.
void make_directory(const std::string &directory) {
    if (access(directory.c_str(), F_OK) == 0) return;
    std::string parent = directory_of(directory);
    make_directory(parent);
    if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) cpq::fail_errno("make", directory);
    sync_directory(parent);
}

/// A file of this machine, called `path`.tmp until it is whole and synced.
class LocalSink final : public Sink {
public:
    explicit LocalSink(std::string path) : path_(std::move(path)), partial_(path_ + ".tmp") {
        if (access(path_.c_str(), F_OK) == 0) throw Failure(CPQ_MISUSED, path_ + " is there already");
        make_directory(directory_of(path_));
        int file = open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (file < 0) cpq::fail_errno("create", partial_);
        exists_ = true;
        auto opened = arrow::io::FileOutputStream::Open(file);
        if (!opened.ok()) {
            close(file);
            abandon();
            check(opened.status());
        }
        stream_ = std::move(opened).ValueUnsafe();
    }

    std::shared_ptr<arrow::io::OutputStream> stream() override { return stream_; }

    void publish() override {
        check(stream_->Flush());
        if (fsync(stream_->file_descriptor()) != 0) cpq::fail_errno("sync", partial_);
        check(stream_->Close());
        if (rename(partial_.c_str(), path_.c_str()) != 0) cpq::fail_errno("rename", partial_);
        exists_ = false;
        try {
            sync_directory(directory_of(path_));
        } catch (...) {
            // Its name may not last: what the caller is told is not there must not be there.
            unlink(path_.c_str());
            throw;
        }
    }

    void abandon() noexcept override {
        if (stream_) (void)stream_->Abort();
        if (exists_) unlink(partial_.c_str());
        exists_ = false;
    }

private:
    std::string path_;
    std::string partial_;
    bool exists_ = false;
    std::shared_ptr<arrow::io::FileOutputStream> stream_;
};

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
    if (!(flags & CPQ_DICTIONARY)) builder.disable_dictionary(path);
    if (flags & CPQ_DELTA) builder.encoding(path, parquet::Encoding::DELTA_BINARY_PACKED);
    if (!(flags & CPQ_STATISTICS)) builder.disable_statistics(path);
    if (flags & CPQ_BLOOM) {
        parquet::BloomFilterOptions bloom;
        bloom.ndv = options.bloom_distinct;
        bloom.fpp = options.bloom_false_positives;
        builder.enable_bloom_filter(path, bloom);
    }
}

/// Reads one node and its children; `next` is the first node behind them.
NodePtr tree(const cpq_node *nodes, int32_t count, int32_t &next, const std::string &prefix,
             parquet::WriterProperties::Builder &builder, const cpq_options &options) {
    if (next >= count) throw Failure(CPQ_MISUSED, "schema ends inside a group");
    const cpq_node &node = nodes[next++];
    std::string path = prefix.empty() ? node.name : prefix + "." + node.name;
    auto repetition = static_cast<parquet::Repetition::type>(node.repetition);
    if (node.type != CPQ_GROUP) {
        set_leaf(builder, path, node.flags, options);
        return PrimitiveNode::Make(
            node.name, repetition, annotation(node.annotation), physical(node.type), -1, node.field_id);
    }
    NodeVector children;
    for (int32_t i = 0; i < node.child_count; i++) {
        children.push_back(tree(nodes, count, next, path, builder, options));
    }
    if (node.annotation == CPQ_PLAIN) {
        return GroupNode::Make(node.name, repetition, children, parquet::ConvertedType::NONE, node.field_id);
    }
    return GroupNode::Make(node.name, repetition, children, annotation(node.annotation), node.field_id);
}

}  // namespace

struct cpq_writer {
    std::unique_ptr<Sink> sink;
    std::unique_ptr<parquet::ParquetFileWriter> file;
    parquet::RowGroupWriter *row_group = nullptr;
    int32_t next_leaf = 0;
    std::shared_ptr<parquet::FileMetaData> metadata;
    int64_t file_bytes = 0;
    cpq::Bounds bounds;
    int64_t dictionary_bytes = 0;
    // Scratch of one batch of levels, or of a column chunk with a dictionary.
    std::vector<int16_t> definition;
    std::vector<parquet::ByteArray> texts;
    std::vector<int32_t> offsets;
    std::vector<int32_t> indices;
    std::vector<uint8_t> validity;

    ~cpq_writer() {
        if (metadata) return;
        // Destroying an open writer would write a valid footer: the sink is closed to it first.
        if (sink) sink->abandon();
        try {
            file.reset();
        } catch (...) {
        }
    }
};

namespace {

/// Levels given to Arrow at once; a batch ends where a record ends.
constexpr int64_t batch_levels = 1024;

/// Walks a column chunk in batches of whole records.
class Batches {
public:
    Batches(cpq_writer &writer, const cpq_levels &levels, int16_t maximum)
        : writer_(writer), levels_(levels), maximum_(maximum) {
        if (levels.definition == nullptr && maximum != 0) {
            throw Failure(CPQ_MISUSED, "a column that is not required needs definition levels");
        }
    }

    int64_t first = 0;        ///< first level of the batch
    int64_t count = 0;        ///< levels
    int64_t value_count = 0;  ///< values among them
    const int16_t *definition = nullptr;
    const int16_t *repetition = nullptr;

    bool next() {
        first += count;
        if (first >= levels_.count) return false;
        int64_t end = std::min(first + batch_levels, levels_.count);
        if (levels_.repetition != nullptr) {
            while (end < levels_.count && levels_.repetition[end] != 0) end++;
            repetition = levels_.repetition + first;
        }
        count = end - first;
        define();
        return true;
    }

private:
    void define() {
        if (levels_.definition == nullptr) {
            value_count = count;
            return;
        }
        const int16_t *base = levels_.definition + first;
        if (levels_.chosen < 0) {
            definition = base;
        } else {
            const uint8_t *choice = levels_.choice + first;
            const uint8_t chosen = static_cast<uint8_t>(levels_.chosen);
            writer_.definition.resize(count);
            int16_t *out = writer_.definition.data();
            for (int64_t i = 0; i < count; i++) out[i] = static_cast<int16_t>(base[i] + (choice[i] == chosen));
            definition = out;
        }
        int64_t present = 0;
        for (int64_t i = 0; i < count; i++) present += definition[i] == maximum_;
        value_count = present;
    }

    cpq_writer &writer_;
    const cpq_levels &levels_;
    int16_t maximum_;
};

template <class Column>
int64_t write_fixed(cpq_writer &writer, Column &column, const cpq_levels &levels, const cpq_values &values) {
    using Value = typename Column::T;
    auto *next = static_cast<const Value *>(values.values);
    int64_t left = values.count;
    Batches batch(writer, levels, column.descr()->max_definition_level());
    while (batch.next()) {
        if (batch.value_count > left) throw Failure(CPQ_MISUSED, "fewer values than the levels say");
        column.WriteBatch(batch.count, batch.definition, batch.repetition, next);
        next += batch.value_count;
        left -= batch.value_count;
    }
    return left;
}

int64_t write_bytes(cpq_writer &writer, parquet::ByteArrayWriter &column, const cpq_levels &levels,
                    const cpq_values &values) {
    auto *bytes = static_cast<const uint8_t *>(values.values);
    int64_t next = 0;
    uint32_t start = 0;
    Batches batch(writer, levels, column.descr()->max_definition_level());
    while (batch.next()) {
        if (batch.value_count > values.count - next) throw Failure(CPQ_MISUSED, "fewer values than the levels say");
        writer.texts.resize(batch.value_count);
        for (int64_t i = 0; i < batch.value_count; i++) {
            uint32_t end = values.ends[next + i];
            writer.texts[i] = parquet::ByteArray(end - start, bytes + start);
            start = end;
        }
        column.WriteBatch(batch.count, batch.definition, batch.repetition, writer.texts.data());
        next += batch.value_count;
    }
    return values.count - next;
}

/// The bytes that a dictionary page of the entries has: a length in front of each.
int64_t dictionary_page_bytes(const cpq_values &values) {
    if (values.dictionary_count == 0) return 0;
    return values.ends[values.dictionary_count - 1] + 4 * values.dictionary_count;
}

/// Values of a dictionary that is too large for one page: each by itself, and Parquet does what it thinks best.
int64_t write_looked_up(cpq_writer &writer, parquet::ByteArrayWriter &column, const cpq_levels &levels,
                        const cpq_values &values) {
    auto *bytes = static_cast<const uint8_t *>(values.values);
    int64_t next = 0;
    Batches batch(writer, levels, column.descr()->max_definition_level());
    while (batch.next()) {
        if (batch.value_count > values.count - next) throw Failure(CPQ_MISUSED, "fewer values than the levels say");
        writer.texts.resize(batch.value_count);
        for (int64_t i = 0; i < batch.value_count; i++) {
            int32_t entry = values.indices[next + i];
            uint32_t start = entry == 0 ? 0 : values.ends[entry - 1];
            writer.texts[i] = parquet::ByteArray(values.ends[entry] - start, bytes + start);
        }
        column.WriteBatch(batch.count, batch.definition, batch.repetition, writer.texts.data());
        next += batch.value_count;
    }
    return values.count - next;
}

/// The definition levels of the whole chunk; NULL when every level is a value.
const int16_t *whole_definition(cpq_writer &writer, const cpq_levels &levels) {
    if (levels.definition == nullptr || levels.chosen < 0) return levels.definition;
    const uint8_t chosen = static_cast<uint8_t>(levels.chosen);
    writer.definition.resize(levels.count);
    for (int64_t i = 0; i < levels.count; i++) {
        writer.definition[i] = static_cast<int16_t>(levels.definition[i] + (levels.choice[i] == chosen));
    }
    return writer.definition.data();
}

/// Spreads the indices over the elements that have the leaf, as Arrow wants them: null where there is no value.
/// Answers the number of elements, negative when there are fewer values than the levels say.
int64_t spread_indices(cpq_writer &writer, const cpq_levels &levels, const int16_t *definition, int16_t maximum,
                       const cpq_values &values) {
    writer.indices.resize(levels.count);
    writer.validity.assign((levels.count + 7) / 8, 0);
    int64_t elements = 0;
    int64_t next = 0;
    for (int64_t i = 0; i < levels.count; i++) {
        if (definition[i] < maximum - 1) continue;
        bool present = definition[i] == maximum;
        if (present && next == values.count) return -1;
        writer.indices[elements] = present ? values.indices[next] : 0;
        writer.validity[elements >> 3] |= static_cast<uint8_t>(present << (elements & 7));
        next += present;
        elements++;
    }
    return next == values.count ? elements : -1;
}

int64_t write_indexed(cpq_writer &writer, parquet::ByteArrayWriter &column, const cpq_levels &levels,
                      const cpq_values &values) {
    if (dictionary_page_bytes(values) >= writer.dictionary_bytes) {
        return write_looked_up(writer, column, levels, values);
    }
    const int16_t maximum = column.descr()->max_definition_level();
    const bool is_nullable = column.descr()->schema_node()->is_optional();
    const int16_t *definition = whole_definition(writer, levels);
    if (definition == nullptr && maximum != 0) {
        throw Failure(CPQ_MISUSED, "a column that is not required needs definition levels");
    }
    const int32_t *indices = values.indices;
    int64_t elements = values.count;
    std::shared_ptr<arrow::Buffer> validity;
    if (is_nullable) {
        elements = spread_indices(writer, levels, definition, maximum, values);
        if (elements < 0) throw Failure(CPQ_MISUSED, "other values than the levels say");
        indices = writer.indices.data();
        validity = std::make_shared<arrow::Buffer>(writer.validity.data(), (elements + 7) / 8);
    } else {
        int64_t present = levels.count;
        if (definition != nullptr) {
            present = 0;
            for (int64_t i = 0; i < levels.count; i++) present += definition[i] == maximum;
        }
        if (present != values.count) throw Failure(CPQ_MISUSED, "other values than the levels say");
    }
    writer.offsets.resize(values.dictionary_count + 1);
    writer.offsets[0] = 0;
    for (int64_t i = 0; i < values.dictionary_count; i++) {
        writer.offsets[i + 1] = static_cast<int32_t>(values.ends[i]);
    }
    auto wrap = [](const void *bytes, int64_t count) {
        return std::make_shared<arrow::Buffer>(static_cast<const uint8_t *>(bytes), count);
    };
    auto entries = std::make_shared<arrow::BinaryArray>(
        values.dictionary_count, wrap(writer.offsets.data(), writer.offsets.size() * sizeof(int32_t)),
        wrap(values.values, writer.offsets.back()));
    auto numbers = std::make_shared<arrow::Int32Array>(
        elements, wrap(indices, elements * sizeof(int32_t)), validity,
        is_nullable ? elements - values.count : 0);
    arrow::DictionaryArray array(arrow::dictionary(arrow::int32(), arrow::binary()), numbers, entries);
    auto properties = parquet::default_arrow_writer_properties();
    parquet::ArrowWriteContext context(arrow::default_memory_pool(), properties.get());
    check(column.WriteArrow(definition, levels.repetition, levels.count, array, &context, is_nullable));
    return 0;
}

int64_t write_column(cpq_writer &writer, parquet::ColumnWriter *column, const cpq_levels &levels,
                     const cpq_values &values) {
    switch (column->type()) {
    case parquet::Type::BOOLEAN:
        return write_fixed(writer, static_cast<parquet::BoolWriter &>(*column), levels, values);
    case parquet::Type::INT32:
        return write_fixed(writer, static_cast<parquet::Int32Writer &>(*column), levels, values);
    case parquet::Type::INT64:
        return write_fixed(writer, static_cast<parquet::Int64Writer &>(*column), levels, values);
    case parquet::Type::DOUBLE:
        return write_fixed(writer, static_cast<parquet::DoubleWriter &>(*column), levels, values);
    case parquet::Type::BYTE_ARRAY:
        if (values.indices != nullptr) {
            return write_indexed(writer, static_cast<parquet::ByteArrayWriter &>(*column), levels, values);
        }
        return write_bytes(writer, static_cast<parquet::ByteArrayWriter &>(*column), levels, values);
    default: throw Failure(CPQ_MISUSED, "no such column type");
    }
}

}  // namespace

extern "C" {

cpq_writer *cpq_writer_open_local(const char *path, const cpq_node *nodes, int32_t node_count,
                                  const cpq_options *options, cpq_error *error) {
    cpq_writer *result = nullptr;
    guarded(error, CPQ_MISUSED, [&] {
        parquet::WriterProperties::Builder builder;
        builder.version(parquet::ParquetVersion::PARQUET_2_6)
            ->compression(parquet::Compression::ZSTD)
            ->compression_level(options->zstd_level)
            ->max_row_group_length(options->row_group_rows)
            ->data_pagesize(options->page_bytes)
            ->dictionary_pagesize_limit(options->dictionary_bytes)
            ->write_batch_size(batch_levels)
            ->created_by(options->created_by)
            ->set_size_statistics_level(parquet::SizeStatisticsLevel::None);
        if (options->page_index) {
            builder.enable_write_page_index();
        } else {
            builder.disable_write_page_index();
        }
        NodeVector columns;
        for (int32_t next = 0; next < node_count;) {
            columns.push_back(tree(nodes, node_count, next, "", builder, *options));
        }
        auto root = GroupNode::Make("table", parquet::Repetition::REQUIRED, columns);
        auto writer = std::make_unique<cpq_writer>();
        writer->dictionary_bytes = options->dictionary_bytes;
        writer->sink = std::make_unique<LocalSink>(path);
        writer->file = parquet::ParquetFileWriter::Open(
            writer->sink->stream(), std::static_pointer_cast<GroupNode>(root), builder.build());
        result = writer.release();
    });
    return result;
}

int32_t cpq_writer_begin_row_group(cpq_writer *writer, cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (writer->row_group != nullptr) throw Failure(CPQ_MISUSED, "the last row group has not ended");
        writer->row_group = writer->file->AppendRowGroup();
        writer->next_leaf = 0;
    });
}

int32_t cpq_writer_column(cpq_writer *writer, int32_t type, const cpq_levels *levels, const cpq_values *values,
                          cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (writer->row_group == nullptr) throw Failure(CPQ_MISUSED, "no row group has begun");
        if (writer->next_leaf >= writer->file->num_columns()) throw Failure(CPQ_MISUSED, "too many columns");
        parquet::ColumnWriter *column = writer->row_group->NextColumn();
        writer->next_leaf++;
        if (column->type() != physical(type)) {
            throw Failure(CPQ_MISUSED, "another type than column " + column->descr()->path()->ToDotString());
        }
        if (write_column(*writer, column, *levels, *values) != 0) {
            throw Failure(CPQ_MISUSED, "more values than the levels of " + column->descr()->path()->ToDotString());
        }
        column->Close();
    });
}

int32_t cpq_writer_end_row_group(cpq_writer *writer, cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (writer->row_group == nullptr) throw Failure(CPQ_MISUSED, "no row group has begun");
        if (writer->next_leaf != writer->file->num_columns()) throw Failure(CPQ_MISUSED, "columns are missing");
        writer->row_group->Close();
        writer->row_group = nullptr;
    });
}

int32_t cpq_writer_publish(cpq_writer *writer, cpq_error *error) {
    return guarded(error, CPQ_FAILED, [&] {
        if (writer->row_group != nullptr) throw Failure(CPQ_MISUSED, "the last row group has not ended");
        writer->file->Close();
        auto metadata = writer->file->metadata();
        writer->file_bytes = take(writer->sink->stream()->Tell());
        writer->sink->publish();
        writer->metadata = metadata;
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
