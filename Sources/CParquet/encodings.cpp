#include "encodings.h"

#include <algorithm>

namespace cpq {

void Bytes::grow(size_t needed) {
    size_t larger = std::max({capacity_ * 2, needed, size_t{1024}});
    std::unique_ptr<uint8_t[]> moved(new uint8_t[larger]);
    if (size_ != 0) std::memcpy(moved.get(), base_.get(), size_);
    base_ = std::move(moved);
    capacity_ = larger;
}

namespace {

void put_varint(uint64_t value, Bytes &out) {
    uint8_t *end = out.room(10);
    size_t count = 0;
    while (value >= 0x80) {
        end[count++] = static_cast<uint8_t>(value) | 0x80;
        value >>= 7;
    }
    end[count++] = static_cast<uint8_t>(value);
    out.extend(count);
}

uint64_t zigzag(uint64_t value) { return value << 1 ^ (value >> 63 ? ~uint64_t{0} : 0); }

template <class Value>
void store(uint8_t *at, Value value) {
    std::memcpy(at, &value, sizeof value);
}

uint64_t load_word(const uint8_t *at) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

/// Eight levels, a byte each, to `width` bytes, in the low bytes of the answer: neighbours are joined, then pairs,
/// then fours.
uint64_t pack_word(uint64_t word, int width) {
    word = (word & 0x00FF00FF00FF00FF) | (word & 0xFF00FF00FF00FF00) >> (8 - width);
    word = (word & 0x0000FFFF0000FFFF) | (word & 0xFFFF0000FFFF0000) >> (16 - 2 * width);
    return (word & 0x00000000FFFFFFFF) | (word >> 32) << (4 * width);
}

/// `count` is a multiple of eight, but at the end of the column: then the last group is filled up with zeros.
void put_groups(const uint8_t *levels, size_t count, int width, Bytes &out) {
    if (count == 0) return;
    size_t groups = (count + 7) / 8;
    put_varint(groups << 1 | 1, out);
    uint8_t *end = out.room(groups * width + 8);
    for (size_t i = 0; i + 8 <= count; i += 8) {
        store(end, pack_word(load_word(levels + i), width));
        end += width;
    }
    if (size_t rest = count % 8) {
        uint8_t last[8] = {};
        std::memcpy(last, levels + count - rest, rest);
        store(end, pack_word(load_word(last), width));
    }
    out.extend(groups * width);
}

void put_groups(const uint32_t *indices, size_t count, int width, Bytes &out) {
    if (count == 0) return;
    size_t groups = (count + 7) / 8;
    put_varint(groups << 1 | 1, out);
    uint8_t *end = out.room(groups * width + 8);
    uint64_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < count; i++) {
        bits |= static_cast<uint64_t>(indices[i]) << held;
        held += width;
        if (held < 32) continue;
        store(end, static_cast<uint32_t>(bits));
        end += 4;
        bits >>= 32;
        held -= 32;
    }
    store(end, bits);
    // What the last group lacks: at most seven values of 32 bits.
    uint8_t *whole = out.data() + out.size() + groups * width;
    if (end + 8 < whole) std::memset(end + 8, 0, whole - end - 8);
    out.extend(groups * width);
}

template <class Value>
void put_run(Value value, size_t count, int width, Bytes &out) {
    put_varint(count << 1, out);
    uint8_t *end = out.room(8);
    store(end, static_cast<uint32_t>(value));
    out.extend((width + 7) / 8);
}

bool are_equal(const uint8_t *eight) { return load_word(eight) == *eight * uint64_t{0x0101010101010101}; }

bool are_equal(const uint32_t *eight) {
    if (eight[0] != eight[1]) return false;
    uint32_t different = 0;
    for (int i = 2; i < 8; i++) different |= eight[i] ^ eight[0];
    return different == 0;
}

template <class Value>
void put_hybrid_of(const Value *values, size_t count, int width, Bytes &out) {
    // A run takes two to six bytes, and the groups before and behind it a header each: below that it does not pay.
    const size_t shortest_run = 48 / static_cast<size_t>(std::max(width, 1)) + 8;
    size_t first = 0;  // of the groups that are not written yet
    size_t next = 0;
    while (next + 8 <= count) {
        if (!are_equal(values + next)) {
            next += 8;
            continue;
        }
        const Value value = values[next];
        size_t end = next + 8;
        while (end + 8 <= count && values[end] == value && are_equal(values + end)) end += 8;
        if (end - next < shortest_run) {
            next = end;
            continue;
        }
        while (end < count && values[end] == value) end++;
        put_groups(values + first, next - first, width, out);
        put_run(value, end - next, width, out);
        first = next = end;
    }
    put_groups(values + first, count - first, width, out);
}

}  // namespace

void put_hybrid(const uint8_t *levels, size_t count, int width, Bytes &out) {
    put_hybrid_of(levels, count, width, out);
}

void put_hybrid(const uint32_t *indices, size_t count, int width, Bytes &out) {
    put_hybrid_of(indices, count, width, out);
}

namespace {

constexpr size_t block_values = 128;
constexpr size_t miniblock_values = 32;
constexpr size_t miniblocks = block_values / miniblock_values;

/// 32 values below 2^width to 4 · width bytes.
void put_miniblock(const uint64_t *values, int width, Bytes &out) {
    if (width == 0) return;
    uint8_t *end = out.room(miniblock_values / 8 * width + 8);
    uint64_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < miniblock_values; i++) {
        bits |= values[i] << held;
        held += width;
        if (held < 64) continue;
        store(end, bits);
        end += 8;
        held -= 64;
        bits = held == 0 ? 0 : values[i] >> (width - held);
    }
    store(end, bits);
    out.extend(miniblock_values / 8 * width);
}

/// Differences wrap around in the column's own width, as readers add them.
template <class Signed, class Unsigned>
void put_delta_of(const Signed *values, size_t count, Bytes &out) {
    put_varint(block_values, out);
    put_varint(miniblocks, out);
    put_varint(count, out);
    put_varint(zigzag(count == 0 ? 0 : static_cast<uint64_t>(static_cast<int64_t>(values[0]))), out);
    for (size_t start = 1; start < count; start += block_values) {
        const size_t here = std::min(block_values, count - start);
        uint64_t deltas[block_values];
        Signed smallest = 0;
        for (size_t i = 0; i < here; i++) {
            auto delta = static_cast<Signed>(
                static_cast<Unsigned>(values[start + i]) - static_cast<Unsigned>(values[start + i - 1]));
            deltas[i] = static_cast<Unsigned>(delta);
            smallest = i == 0 ? delta : std::min(smallest, delta);
        }
        for (size_t i = 0; i < here; i++) {
            deltas[i] = static_cast<Unsigned>(static_cast<Unsigned>(deltas[i]) - static_cast<Unsigned>(smallest));
        }
        std::fill(deltas + here, deltas + block_values, 0);
        put_varint(zigzag(static_cast<uint64_t>(static_cast<int64_t>(smallest))), out);
        uint8_t widths[miniblocks];
        for (size_t i = 0; i < miniblocks; i++) {
            uint64_t all = 0;
            for (size_t j = 0; j < miniblock_values; j++) all |= deltas[i * miniblock_values + j];
            widths[i] = static_cast<uint8_t>(bit_width(all));
        }
        out.append(widths, sizeof widths);
        for (size_t i = 0; i * miniblock_values < here; i++) {
            put_miniblock(deltas + i * miniblock_values, widths[i], out);
        }
    }
}

}  // namespace

void put_delta(const int64_t *values, size_t count, Bytes &out) {
    put_delta_of<int64_t, uint64_t>(values, count, out);
}

void put_delta(const int32_t *values, size_t count, Bytes &out) {
    put_delta_of<int32_t, uint32_t>(values, count, out);
}

void put_bits(const uint8_t *values, size_t count, Bytes &out) {
    uint8_t *end = out.room(count / 8 + 1);
    size_t bytes = (count + 7) / 8;
    std::memset(end, 0, bytes);
    for (size_t i = 0; i < count; i++) end[i / 8] |= static_cast<uint8_t>((values[i] & 1) << (i % 8));
    out.extend(bytes);
}

template <class Value>
bool IntegerDictionary<Value>::build(const Value *values, size_t count) {
    entry_count_ = 0;
    if (count == 0) return false;
    std::memset(slots_, 0, sizeof slots_);
    if (count > capacity_) {
        indices_.reset(new uint32_t[count]);
        capacity_ = count;
    }
    // Whoever chooses the values can make them meet in one slot, but not make this take long.
    size_t steps_left = 4 * count;
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (i != 0 && values[i] == entries_[last]) {
            indices_[i] = last;
            continue;
        }
        size_t slot = static_cast<uint64_t>(values[i]) * 0x9E3779B97F4A7C15 >> 52;
        static_assert(slot_count == 1 << 12);
        while (slots_[slot] != 0 && entries_[slots_[slot] - 1] != values[i]) {
            if (steps_left-- == 0) return false;
            slot = (slot + 1) % slot_count;
        }
        if (slots_[slot] == 0) {
            // One in four new: an index and its entry are no smaller than the value.
            if (entry_count_ == entry_limit || (entry_count_ >= 64 && entry_count_ > i / 4)) return false;
            entries_[entry_count_++] = values[i];
            slots_[slot] = static_cast<uint16_t>(entry_count_);
        }
        last = slots_[slot] - 1u;
        indices_[i] = last;
    }
    return true;
}

template class IntegerDictionary<int32_t>;
template class IntegerDictionary<int64_t>;

}  // namespace cpq
