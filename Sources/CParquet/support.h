// What the writer's and the reader's half of the shim share. Nothing here is seen from outside.
#pragma once

#include <arrow/status.h>
#include <arrow/util/io_util.h>
#include <parquet/exception.h>
#include <parquet/metadata.h>
#include <parquet/types.h>

#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "cparquet.h"

namespace cpq {

/// An error of ours, with the code that the caller sees.
struct Failure : std::runtime_error {
    cpq_code code;
    Failure(cpq_code code, const std::string &message) : std::runtime_error(message), code(code) {}
};

void set(cpq_error *error, cpq_code code, const char *message) noexcept;
cpq_code code_of_errno(int number) noexcept;
cpq_code code_of(const arrow::Status &status) noexcept;
[[noreturn]] void fail_errno(const char *verb, const std::string &path);
void configure_pools() noexcept;

inline void check(const arrow::Status &status) {
    if (!status.ok()) throw Failure(code_of(status), status.message());
}

template <class Value>
Value take(arrow::Result<Value> result) {
    check(result.status());
    return std::move(result).ValueUnsafe();
}

/// Runs the body; whatever it throws becomes a code and a text. `format` is the code of Parquet's own exceptions.
template <class Body>
int32_t guarded(cpq_error *error, cpq_code format, Body &&body) noexcept {
    try {
        configure_pools();
        body();
        return CPQ_OK;
    } catch (const Failure &failure) {
        set(error, failure.code, failure.what());
        return failure.code;
    } catch (const parquet::ParquetStatusException &exception) {
        cpq_code code = code_of(exception.status());
        if (code == CPQ_FAILED && exception.status().IsInvalid()) code = format;
        set(error, code, exception.what());
        return code;
    } catch (const std::bad_alloc &) {
        set(error, CPQ_NO_MEMORY, "out of memory");
        return CPQ_NO_MEMORY;
    } catch (const std::exception &exception) {
        set(error, format, exception.what());
        return format;
    } catch (...) {
        set(error, format, "unknown C++ exception");
        return format;
    }
}

/// Bounds of a leaf, kept alive for the caller.
struct Bounds {
    bool known = false;
    std::string minimum;
    std::string maximum;
};

/// Fills in everything but the bounds; answers them.
Bounds describe(const parquet::ColumnChunkMetaData &chunk, const parquet::ColumnDescriptor &leaf,
                cpq_statistics *statistics);
/// Widens `bounds` by those of another row group; unknown ones make all unknown.
void merge(Bounds &bounds, const Bounds &other, parquet::Type::type type);
void lend(const Bounds &bounds, cpq_statistics *statistics);

}  // namespace cpq
