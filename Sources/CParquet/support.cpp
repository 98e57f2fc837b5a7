#include "support.h"

#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/util/config.h>
#include <arrow/util/thread_pool.h>
#include <parquet/statistics.h>

#include <cerrno>
#include <cstring>
#include <mutex>

namespace cpq {

void set(cpq_error *error, cpq_code code, const char *message) noexcept {
    if (error == nullptr) return;
    error->code = code;
    std::strncpy(error->message, message, sizeof error->message - 1);
    error->message[sizeof error->message - 1] = 0;
}

cpq_code code_of_errno(int number) noexcept {
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return CPQ_FULL;
    case ENOENT:
    case ENOTDIR: return CPQ_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return CPQ_DENIED;
    case ENOMEM: return CPQ_NO_MEMORY;
    default: return CPQ_FAILED;
    }
}

cpq_code code_of(const arrow::Status &status) noexcept {
    if (status.IsOutOfMemory()) return CPQ_NO_MEMORY;
    if (int number = arrow::internal::ErrnoFromStatus(status)) return code_of_errno(number);
    return CPQ_FAILED;
}

void fail_errno(const char *verb, const std::string &path) {
    int number = errno;
    throw Failure(code_of_errno(number), std::string("cannot ") + verb + " " + path + ": " + std::strerror(number));
}

void configure_pools() noexcept {
    static std::once_flag once;
    std::call_once(once, [] {
        (void)arrow::SetCpuThreadPoolCapacity(1);
        (void)arrow::io::SetIOThreadPoolCapacity(4);
    });
}

Bounds describe(const parquet::ColumnChunkMetaData &chunk, const parquet::ColumnDescriptor &leaf,
                cpq_statistics *statistics) {
    *statistics = cpq_statistics{};
    statistics->field_id = leaf.schema_node()->field_id();
    statistics->compressed_bytes = chunk.total_compressed_size();
    statistics->value_count = chunk.num_values();
    statistics->null_count = -1;
    statistics->has_bloom = chunk.bloom_filter_offset().has_value();
    Bounds bounds;
    auto encoded = chunk.encoded_statistics();
    if (!encoded) return bounds;
    if (encoded->has_null_count) statistics->null_count = encoded->null_count;
    if (encoded->has_min && encoded->has_max) {
        bounds.known = true;
        bounds.minimum = encoded->min();
        bounds.maximum = encoded->max();
    }
    return bounds;
}

namespace {

template <class Value>
bool less_fixed(const std::string &one, const std::string &other) {
    Value a{}, b{};
    std::memcpy(&a, one.data(), std::min(sizeof a, one.size()));
    std::memcpy(&b, other.data(), std::min(sizeof b, other.size()));
    return a < b;
}

bool less(const std::string &one, const std::string &other, parquet::Type::type type) {
    switch (type) {
    case parquet::Type::INT32: return less_fixed<int32_t>(one, other);
    case parquet::Type::INT64: return less_fixed<int64_t>(one, other);
    case parquet::Type::DOUBLE: return less_fixed<double>(one, other);
    case parquet::Type::BOOLEAN: return less_fixed<uint8_t>(one, other);
    default: return one < other;  // char_traits compares bytes as unsigned
    }
}

}  // namespace

void merge(Bounds &bounds, const Bounds &other, parquet::Type::type type) {
    bounds.known = bounds.known && other.known;
    if (!bounds.known) return;
    if (less(other.minimum, bounds.minimum, type)) bounds.minimum = other.minimum;
    if (less(bounds.maximum, other.maximum, type)) bounds.maximum = other.maximum;
}

void lend(const Bounds &bounds, cpq_statistics *statistics) {
    statistics->has_bounds = bounds.known;
    if (!bounds.known) return;
    statistics->minimum = reinterpret_cast<const uint8_t *>(bounds.minimum.data());
    statistics->minimum_count = bounds.minimum.size();
    statistics->maximum = reinterpret_cast<const uint8_t *>(bounds.maximum.data());
    statistics->maximum_count = bounds.maximum.size();
}

}  // namespace cpq

extern "C" {

const char *cpq_version(void) {
    cpq::configure_pools();
    return ARROW_VERSION_STRING;
}
int64_t cpq_memory_now(void) { return arrow::default_memory_pool()->bytes_allocated(); }
int64_t cpq_memory_peak(void) { return arrow::default_memory_pool()->max_memory(); }

}
