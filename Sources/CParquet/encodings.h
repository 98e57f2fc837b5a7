// Parquet's encodings of page contents; what a page says about itself is Arrow's (chunk.cpp).
//
// Source: Apache Parquet, "Encodings" (PLAIN, RLE_DICTIONARY, the RLE/bit-packing hybrid, DELTA_BINARY_PACKED).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace cpq {

/// Bytes that grow by doubling and keep what they have when they are emptied; what is new is not set to zero.
class Bytes {
public:
    const uint8_t *data() const { return base_.get(); }
    uint8_t *data() { return base_.get(); }
    size_t size() const { return size_; }
    void clear() { size_ = 0; }
    void resize(size_t size) {
        if (size > size_) room(size - size_);
        size_ = size;
    }

    /// Room behind the end; `extend` announces what was written there.
    uint8_t *room(size_t count) {
        if (count > capacity_ - size_) grow(size_ + count);
        return base_.get() + size_;
    }
    void extend(size_t count) { size_ += count; }

    void append(const void *bytes, size_t count) {
        uint8_t *end = room(count);
        if (count != 0) std::memcpy(end, bytes, count);
        size_ += count;
    }
    void append(uint8_t byte) {
        *room(1) = byte;
        size_++;
    }

private:
    void grow(size_t needed);

    std::unique_ptr<uint8_t[]> base_;
    size_t size_ = 0;
    size_t capacity_ = 0;
};

/// Bits that a number of at most `maximum` takes.
inline int bit_width(uint64_t maximum) { return maximum == 0 ? 0 : 64 - __builtin_clzll(maximum); }

/// The hybrid of runs and bit-packed groups of eight.
///
/// Levels are below 2^width, width at most 8; indices below 2^width, width at most 32.
void put_hybrid(const uint8_t *levels, size_t count, int width, Bytes &out);
void put_hybrid(const uint32_t *indices, size_t count, int width, Bytes &out);

/// DELTA_BINARY_PACKED: blocks of 128 in four miniblocks.
void put_delta(const int64_t *values, size_t count, Bytes &out);
void put_delta(const int32_t *values, size_t count, Bytes &out);

/// PLAIN booleans: a bit each. `values` are bytes, 0 or 1.
void put_bits(const uint8_t *values, size_t count, Bytes &out);

/// Finds out whether integers repeat: each different one gets a number, until they are too many for it to pay.
template <class Value>
class IntegerDictionary {
public:
    /// A dictionary of more entries would not pay.
    static constexpr size_t entry_limit = 1024;

    /// False when the values are too different; then nothing of it is to be used.
    bool build(const Value *values, size_t count);

    const Value *entries() const { return entries_; }
    size_t entry_count() const { return entry_count_; }
    const uint32_t *indices() const { return indices_.get(); }

private:
    static constexpr size_t slot_count = 4 * entry_limit;

    Value entries_[entry_limit];
    size_t entry_count_ = 0;
    uint16_t slots_[slot_count];
    std::unique_ptr<uint32_t[]> indices_;
    size_t capacity_ = 0;
};

}  // namespace cpq
