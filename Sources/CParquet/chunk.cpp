#include "chunk.h"

#include <parquet/properties.h>
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "support.h"

using parquet::Encoding;
using parquet::Type;

namespace cpq {

namespace {

/// Levels of a page: with them alone it has at most some hundred kilobytes.
constexpr size_t page_levels = 1 << 20;

int32_t page_size(size_t bytes, const Leaf &leaf) {
    if (bytes > std::numeric_limits<int32_t>::max()) {
        throw Failure(CPQ_MISUSED, "a row has more than 2 GiB in " + leaf.path());
    }
    return static_cast<int32_t>(bytes);
}

uint32_t start_of(const cpq_values &values, size_t entry) { return entry == 0 ? 0 : values.ends[entry - 1]; }

const uint8_t *bytes_of(const cpq_values &values) { return static_cast<const uint8_t *>(values.values); }

void put_text(const uint8_t *text, uint32_t count, Bytes &out) {
    uint8_t *end = out.room(sizeof count + count);
    std::memcpy(end, &count, sizeof count);
    if (count == 16) {
        std::memcpy(end + sizeof count, text, 16);
    } else if (count != 0) {
        std::memcpy(end + sizeof count, text, count);
    }
    out.extend(sizeof count + count);
}

/// Data pages of version 1 have the length of encoded levels in front of them.
template <class Put>
void put_with_length(Bytes &out, Put &&put) {
    const size_t start = out.size();
    uint32_t count = 0;
    out.append(&count, sizeof count);
    put();
    count = static_cast<uint32_t>(out.size() - start - sizeof count);
    std::memcpy(out.data() + start, &count, sizeof count);
}

/// How many of the bytes are `value`: eight at a time, counted in the bytes of a word.
size_t count_of(const uint8_t *bytes, size_t count, uint8_t value) {
    constexpr uint64_t ones = 0x0101010101010101;
    const uint64_t pattern = value * ones;
    size_t total = 0;
    size_t i = 0;
    while (i + 8 <= count) {
        uint64_t sum = 0;
        // At most 255 rounds: each adds at most one to a byte.
        const size_t end = std::min(count - 7, i + 255 * 8);
        for (; i < end; i += 8) {
            uint64_t word;
            std::memcpy(&word, bytes + i, sizeof word);
            word ^= pattern;
            // The high bit of a byte is set where it is not zero.
            const uint64_t other = ((word & ~(ones << 7)) + ~(ones << 7)) | word;
            sum += ~other >> 7 & ones;
        }
        for (int byte = 0; byte < 8; byte++) total += sum >> 8 * byte & 0xFF;
    }
    for (; i < count; i++) total += bytes[i] == value;
    return total;
}

uint8_t highest_of(const uint8_t *bytes, size_t count) {
    uint8_t highest = 0;
    for (size_t i = 0; i < count; i++) highest = std::max(highest, bytes[i]);
    return highest;
}

/// Numbers of a page header: Thrift's compact protocol, fields of 32 bits and structs only.
///
/// Source: Apache Parquet, parquet.thrift, `PageHeader`; Apache Thrift, "Thrift compact protocol".
class Header {
public:
    explicit Header(Bytes &out) : out_(out) { out.clear(); }

    void number(int id, int32_t value) {
        field(id, 5);
        auto bits = static_cast<uint32_t>(value) << 1 ^ (value < 0 ? ~0u : 0);
        for (; bits >= 0x80; bits >>= 7) out_.append(static_cast<uint8_t>(bits | 0x80));
        out_.append(static_cast<uint8_t>(bits));
    }
    /// The fields of a page of this kind follow.
    void begin(int id) {
        field(id, 12);
        last_ = 0;
    }
    void end() {
        out_.append(0);
        out_.append(0);
    }

private:
    void field(int id, int type) {
        out_.append(static_cast<uint8_t>((id - last_) << 4 | type));
        last_ = id;
    }

    Bytes &out_;
    int last_ = 0;
};

}  // namespace

Leaf::Leaf(const parquet::ColumnDescriptor *descriptor, uint32_t flags)
    : descriptor(descriptor), flags(flags), max_definition(static_cast<uint8_t>(descriptor->max_definition_level())),
      max_repetition(static_cast<uint8_t>(descriptor->max_repetition_level())) {
    if (descriptor->max_definition_level() > 127) throw Failure(CPQ_MISUSED, path() + " is nested too deeply");
}

ChunkWriter::ChunkWriter(const cpq_options &options)
    : zstd_level_(options.zstd_level), page_bytes_(static_cast<size_t>(std::max<int64_t>(options.page_bytes, 1))),
      dictionary_bytes_(static_cast<size_t>(std::max<int64_t>(options.dictionary_bytes, 0))), zstd_(ZSTD_createCCtx()) {
    if (zstd_ == nullptr) throw std::bad_alloc();
}

ChunkWriter::~ChunkWriter() { ZSTD_freeCCtx(zstd_); }

// MARK: - Levels

ChunkWriter::Levels &ChunkWriter::taken_apart(const cpq_levels &levels) {
    const auto count = static_cast<size_t>(levels.count);
    for (size_t i = 0; i < shared_count_; i++) {
        Levels &known = *shared_[i];
        if (known.version == levels.version && known.count == count && levels.version != 0) return known;
    }
    if (shared_count_ == shared_.size()) shared_.push_back(std::make_unique<Levels>());
    Levels &apart = *shared_[shared_count_++];
    apart.version = levels.version;
    apart.count = count;
    for (Encoded &encoded : apart.encoded) encoded.width = -1;
    apart.repetition_width = -1;
    apart.definition.resize(count);
    apart.repetition.resize(count);
    apart.member.resize(count);
    uint8_t *definition = apart.definition.data();
    uint8_t *repetition = apart.repetition.data();
    uint8_t *member = apart.member.data();
    const uint32_t *places = levels.places;
    for (size_t i = 0; i < count; i++) definition[i] = static_cast<uint8_t>(places[i]);
    for (size_t i = 0; i < count; i++) repetition[i] = static_cast<uint8_t>(places[i] >> 8);
    for (size_t i = 0; i < count; i++) member[i] = static_cast<uint8_t>(places[i] >> 16);
    if (count != 0 && repetition[0] != 0) throw Failure(CPQ_MISUSED, "the first level does not begin a row");
    apart.rows = static_cast<int64_t>(count_of(repetition, count, 0));
    apart.highest_repetition = highest_of(repetition, count);
    apart.highest_definition = highest_of(definition, count);
    apart.highest_count = count_of(definition, count, apart.highest_definition);
    std::fill(std::begin(apart.member_counts), std::end(apart.member_counts), 0);
    uint8_t lowest = 255, highest = 0;
    for (size_t i = 0; i < count; i++) {
        apart.member_counts[member[i]]++;
        lowest = std::min<uint8_t>(lowest, member[i] == 0 ? 255 : definition[i]);
        highest = std::max<uint8_t>(highest, member[i] == 0 ? 0 : definition[i]);
    }
    apart.lowest_chosen = lowest;
    apart.highest_chosen = highest;
    return apart;
}

/// Finds out which levels have a value, and holds them against the number of values.
void ChunkWriter::place_values(Chunk &chunk, const cpq_levels &levels) {
    const Leaf &leaf = *chunk.leaf;
    const auto value_count = static_cast<size_t>(chunk.values->count);
    chunk.count = static_cast<size_t>(levels.count);
    chunk.rows = levels.count;
    if (leaf.max_repetition == 0 && leaf.max_definition == 0) {
        if (chunk.count != value_count) throw Failure(CPQ_MISUSED, "other values than the levels of " + leaf.path());
        return;
    }
    if (leaf.max_repetition == 0) {
        if (levels.definition == nullptr) throw Failure(CPQ_MISUSED, leaf.path() + " needs definition levels");
        chunk.definition = levels.definition;
        if (highest_of(levels.definition, chunk.count) > leaf.max_definition) {
            throw Failure(CPQ_MISUSED, "a level is too high for " + leaf.path());
        }
        if (count_of(levels.definition, chunk.count, leaf.max_definition) != value_count) {
            throw Failure(CPQ_MISUSED, "other values than the levels of " + leaf.path());
        }
        return;
    }
    if (levels.places == nullptr) throw Failure(CPQ_MISUSED, leaf.path() + " needs repetition levels");
    Levels &apart = taken_apart(levels);
    chunk.levels = &apart;
    chunk.rows = apart.rows;
    chunk.repetition = apart.repetition.data();
    chunk.definition = apart.definition.data();
    check_members(chunk, levels);
    if (levels.chosen < 0 || value_count == 0) {
        chunk.shared = &apart;
        return;
    }
    const auto chosen = static_cast<uint8_t>(levels.chosen);
    definition_.resize(chunk.count);
    uint8_t *out = definition_.data();
    const uint8_t *base = apart.definition.data();
    const uint8_t *member = apart.member.data();
    for (size_t i = 0; i < chunk.count; i++) out[i] = static_cast<uint8_t>(base[i] + (member[i] == chosen));
    chunk.definition = out;
}

/// Holds the levels of a repeated leaf against its type and the number of its values.
void ChunkWriter::check_members(const Chunk &chunk, const cpq_levels &levels) const {
    const Leaf &leaf = *chunk.leaf;
    const Levels &apart = *chunk.levels;
    size_t present = 0;
    bool fits = apart.highest_repetition <= leaf.max_repetition;
    if (levels.chosen < 0) {
        fits = fits && apart.highest_definition <= leaf.max_definition;
        if (apart.highest_definition == leaf.max_definition) present = apart.highest_count;
    } else {
        present = apart.member_counts[static_cast<uint8_t>(levels.chosen)];
        // Elements with a member are one below the leaf, and nothing is above them.
        fits = fits && levels.chosen > 0 && apart.highest_definition < leaf.max_definition;
        if (present != 0) {
            fits = fits && apart.lowest_chosen + 1 == leaf.max_definition &&
                   apart.highest_chosen + 1 == leaf.max_definition;
        }
    }
    if (!fits) throw Failure(CPQ_MISUSED, "a level is too high or too low for " + leaf.path());
    if (present != static_cast<size_t>(chunk.values->count)) {
        throw Failure(CPQ_MISUSED, "other values than the levels of " + leaf.path());
    }
}

const Bytes &ChunkWriter::encoded_repetition(Levels &levels, int width) {
    if (levels.repetition_width != width) {
        levels.repetition_width = width;
        levels.encoded_repetition.clear();
        put_with_length(levels.encoded_repetition, [&] {
            put_hybrid(levels.repetition.data(), levels.count, width, levels.encoded_repetition);
        });
    }
    return levels.encoded_repetition;
}

ChunkWriter::Encoded &ChunkWriter::encoded(Levels &levels, int width) {
    Encoded *free = &levels.encoded[0];
    for (Encoded &encoded : levels.encoded) {
        if (encoded.width == width) return encoded;
        if (encoded.width < 0) free = &encoded;
    }
    free->width = width;
    free->empty_page_bytes = 0;
    free->definition.clear();
    put_with_length(free->definition, [&] {
        put_hybrid(levels.definition.data(), levels.count, width, free->definition);
    });
    return *free;
}

void ChunkWriter::put_levels(const Chunk &chunk, const Cut &cut) {
    const Leaf &leaf = *chunk.leaf;
    const bool is_whole = cut.first_level == 0 && cut.level_end == chunk.count;
    const size_t count = cut.level_end - cut.first_level;
    if (leaf.max_repetition != 0) {
        const int width = bit_width(leaf.max_repetition);
        if (is_whole) {
            const Bytes &shared = encoded_repetition(*chunk.levels, width);
            page_.append(shared.data(), shared.size());
        } else {
            put_with_length(page_, [&] { put_hybrid(chunk.repetition + cut.first_level, count, width, page_); });
        }
    }
    if (leaf.max_definition == 0) return;
    const int width = bit_width(leaf.max_definition);
    if (is_whole && chunk.shared != nullptr) {
        const Bytes &shared = encoded(*chunk.shared, width).definition;
        page_.append(shared.data(), shared.size());
    } else {
        put_with_length(page_, [&] { put_hybrid(chunk.definition + cut.first_level, count, width, page_); });
    }
}

// MARK: - Values

template <class Value>
bool ChunkWriter::number(Chunk &chunk, IntegerDictionary<Value> &dictionary) {
    auto *values = static_cast<const Value *>(chunk.values->values);
    if (!dictionary.build(values, static_cast<size_t>(chunk.values->count))) return false;
    chunk.indices = dictionary.indices();
    chunk.index_width = std::max(1, bit_width(dictionary.entry_count() - 1));
    return true;
}

void ChunkWriter::choose_encoding(Chunk &chunk) {
    const cpq_values &values = *chunk.values;
    const Type::type type = chunk.leaf->descriptor->physical_type();
    const bool may_number = chunk.leaf->flags & (CPQ_DICTIONARY | CPQ_DELTA);
    bool is_numbered = false;
    if (values.count == 0) return;
    switch (type) {
    case Type::INT32: is_numbered = may_number && number(chunk, narrow_); break;
    case Type::INT64:
    case Type::DOUBLE: is_numbered = may_number && number(chunk, wide_); break;
    case Type::BYTE_ARRAY: {
        if (values.indices == nullptr) break;
        const auto entries = static_cast<size_t>(values.dictionary_count);
        is_numbered = start_of(values, entries) + 4 * entries < dictionary_bytes_;
        chunk.indices = reinterpret_cast<const uint32_t *>(values.indices);
        chunk.index_width = std::max(1, bit_width(entries - 1));
        break;
    }
    default: break;
    }
    if (is_numbered) {
        chunk.encoding = Encoding::RLE_DICTIONARY;
    } else if (chunk.leaf->flags & CPQ_DELTA && (type == Type::INT32 || type == Type::INT64)) {
        chunk.encoding = Encoding::DELTA_BINARY_PACKED;
    }
}

void ChunkWriter::put_entries(const Chunk &chunk) {
    const cpq_values &values = *chunk.values;
    switch (chunk.leaf->descriptor->physical_type()) {
    case Type::INT32: return page_.append(narrow_.entries(), narrow_.entry_count() * sizeof(int32_t));
    case Type::INT64:
    case Type::DOUBLE: return page_.append(wide_.entries(), wide_.entry_count() * sizeof(int64_t));
    default:
        for (size_t i = 0; i < static_cast<size_t>(values.dictionary_count); i++) {
            const uint32_t start = start_of(values, i);
            put_text(bytes_of(values) + start, values.ends[i] - start, page_);
        }
    }
}

void ChunkWriter::write_dictionary(Chunk &chunk) {
    page_.clear();
    put_entries(chunk);
    size_t entries = static_cast<size_t>(chunk.values->dictionary_count);
    switch (chunk.leaf->descriptor->physical_type()) {
    case Type::INT32: entries = narrow_.entry_count(); break;
    case Type::INT64:
    case Type::DOUBLE: entries = wide_.entry_count(); break;
    default: break;
    }
    compress(page_, compressed_);
    chunk.written.dictionary_offset = take(chunk.place->stream->Tell());
    Header header(header_);
    header.number(1, 2);  // type: DICTIONARY_PAGE
    header.number(2, page_size(page_.size(), *chunk.leaf));
    header.number(3, page_size(compressed_.size(), *chunk.leaf));
    header.begin(7);
    header.number(1, static_cast<int32_t>(entries));
    header.number(2, Encoding::PLAIN);
    header.end();
    put_page(chunk, header_, page_.size(), compressed_);
}

void ChunkWriter::put_plain(const Chunk &chunk, const Cut &cut) {
    const cpq_values &values = *chunk.values;
    const size_t count = cut.value_end - cut.first_value;
    switch (chunk.leaf->descriptor->physical_type()) {
    case Type::BOOLEAN: return put_bits(bytes_of(values) + cut.first_value, count, page_);
    case Type::INT32: return page_.append(bytes_of(values) + 4 * cut.first_value, 4 * count);
    case Type::INT64:
    case Type::DOUBLE: return page_.append(bytes_of(values) + 8 * cut.first_value, 8 * count);
    default: break;
    }
    if (chunk.indices != nullptr) {
        for (size_t i = cut.first_value; i < cut.value_end; i++) {
            const uint32_t start = start_of(values, chunk.indices[i]);
            put_text(bytes_of(values) + start, values.ends[chunk.indices[i]] - start, page_);
        }
        return;
    }
    uint32_t start = start_of(values, cut.first_value);
    for (size_t i = cut.first_value; i < cut.value_end; i++) {
        put_text(bytes_of(values) + start, values.ends[i] - start, page_);
        start = values.ends[i];
    }
}

void ChunkWriter::put_values(const Chunk &chunk, const Cut &cut) {
    const size_t count = cut.value_end - cut.first_value;
    switch (chunk.encoding) {
    case Encoding::RLE_DICTIONARY:
        page_.append(static_cast<uint8_t>(chunk.index_width));
        return put_hybrid(chunk.indices + cut.first_value, count, chunk.index_width, page_);
    case Encoding::DELTA_BINARY_PACKED:
        if (chunk.leaf->descriptor->physical_type() == Type::INT32) {
            return put_delta(static_cast<const int32_t *>(chunk.values->values) + cut.first_value, count, page_);
        }
        return put_delta(static_cast<const int64_t *>(chunk.values->values) + cut.first_value, count, page_);
    default: return put_plain(chunk, cut);
    }
}

// MARK: - Pages

/// Bytes of a value in a plain page.
size_t ChunkWriter::plain_bytes(const Chunk &chunk, size_t value) const {
    switch (chunk.leaf->descriptor->physical_type()) {
    case Type::BOOLEAN: return 1;
    case Type::INT32: return 4;
    case Type::BYTE_ARRAY: {
        if (chunk.encoding == Encoding::RLE_DICTIONARY) return 4;
        const size_t entry = chunk.indices == nullptr ? value : chunk.indices[value];
        return 4 + chunk.values->ends[entry] - start_of(*chunk.values, entry);
    }
    default: return 8;
    }
}

/// Pages of whole rows, each ended by the row that fills it.
std::vector<ChunkWriter::Cut> ChunkWriter::cuts(const Chunk &chunk) const {
    const auto value_count = static_cast<size_t>(chunk.values->count);
    // Before looking at each: a chunk of usual size is one page.
    size_t most = 8 * value_count;
    if (chunk.leaf->descriptor->physical_type() == Type::BYTE_ARRAY && chunk.encoding == Encoding::PLAIN) {
        most = 4 * value_count;
        if (chunk.indices == nullptr) {
            most += start_of(*chunk.values, value_count);
        } else {
            for (size_t i = 0; i < value_count; i++) most += plain_bytes(chunk, i);
        }
    }
    if (chunk.count <= page_levels && most <= page_bytes_) return {Cut{0, chunk.count, 0, value_count}};
    std::vector<Cut> cuts;
    Cut cut{0, 0, 0, 0};
    size_t bytes = 0;
    while (cut.level_end < chunk.count) {
        if (chunk.definition == nullptr || chunk.definition[cut.level_end] == chunk.leaf->max_definition) {
            bytes += plain_bytes(chunk, cut.value_end);
            cut.value_end++;
        }
        cut.level_end++;
        const bool ends_row = cut.level_end == chunk.count || chunk.repetition == nullptr ||
                              chunk.repetition[cut.level_end] == 0;
        const bool is_full = bytes >= page_bytes_ || cut.level_end - cut.first_level >= page_levels;
        if (ends_row && (is_full || cut.level_end == chunk.count)) {
            cuts.push_back(cut);
            cut = Cut{cut.level_end, cut.level_end, cut.value_end, cut.value_end};
            bytes = 0;
        }
    }
    return cuts;
}

void ChunkWriter::compress(const Bytes &page, Bytes &out) {
    out.clear();
    const size_t bound = ZSTD_compressBound(page.size());
    const size_t count = ZSTD_compressCCtx(zstd_, out.room(bound), bound, page.data(), page.size(), zstd_level_);
    if (ZSTD_isError(count)) throw Failure(CPQ_FAILED, std::string("zstd: ") + ZSTD_getErrorName(count));
    out.extend(count);
}

void ChunkWriter::put_page(Chunk &chunk, const Bytes &header, size_t plain_bytes, const Bytes &compressed) {
    check(chunk.place->stream->Write(header.data(), static_cast<int64_t>(header.size())));
    check(chunk.place->stream->Write(compressed.data(), static_cast<int64_t>(compressed.size())));
    chunk.written.compressed_bytes += static_cast<int64_t>(header.size() + compressed.size());
    chunk.written.plain_bytes += static_cast<int64_t>(header.size() + plain_bytes);
}

void ChunkWriter::put_data_page(Chunk &chunk, size_t levels, size_t plain_bytes, const Bytes &compressed) {
    if (chunk.written.data_offset < 0) chunk.written.data_offset = take(chunk.place->stream->Tell());
    chunk.written.page_count++;
    Header header(header_);
    header.number(1, 0);  // type: DATA_PAGE
    header.number(2, page_size(plain_bytes, *chunk.leaf));
    header.number(3, page_size(compressed.size(), *chunk.leaf));
    header.begin(5);
    header.number(1, page_size(levels, *chunk.leaf));
    header.number(2, chunk.encoding);
    header.number(3, Encoding::RLE);
    header.number(4, Encoding::RLE);
    header.end();
    put_page(chunk, header_, plain_bytes, compressed);
}

void ChunkWriter::write_page(Chunk &chunk, const Cut &cut) {
    page_.clear();
    put_levels(chunk, cut);
    put_values(chunk, cut);
    compress(page_, compressed_);
    put_data_page(chunk, cut.level_end - cut.first_level, page_.size(), compressed_);
}

/// The page of a leaf without any value: the same bytes for all such leaves of one list or map.
void ChunkWriter::write_empty_page(Chunk &chunk) {
    Encoded &shared = encoded(*chunk.shared, bit_width(chunk.leaf->max_definition));
    if (shared.empty_page_bytes == 0) {
        page_.clear();
        put_levels(chunk, Cut{0, chunk.count, 0, 0});
        compress(page_, shared.empty_page);
        shared.empty_page_bytes = page_.size();
    }
    put_data_page(chunk, chunk.count, shared.empty_page_bytes, shared.empty_page);
}

int64_t ChunkWriter::write(const Leaf &leaf, const Place &place, const cpq_levels &levels, const cpq_values &values,
                           int64_t &total_bytes) {
    Chunk chunk;
    chunk.leaf = &leaf;
    chunk.place = &place;
    chunk.values = &values;
    place_values(chunk, levels);
    choose_encoding(chunk);
    const bool has_dictionary = chunk.encoding == Encoding::RLE_DICTIONARY;
    if (has_dictionary) write_dictionary(chunk);
    if (values.count == 0 && chunk.shared != nullptr && chunk.count <= page_levels) {
        write_empty_page(chunk);
    } else {
        for (const Cut &cut : cuts(chunk)) write_page(chunk, cut);
    }
    if (leaf.flags & CPQ_STATISTICS) place.metadata->SetStatistics(statistics(chunk));
    if (place.bloom != nullptr) fill_bloom(chunk, *place.bloom);
    std::map<Encoding::type, int32_t> of_dictionary;
    if (has_dictionary) of_dictionary[Encoding::PLAIN] = 1;
    const Written &written = chunk.written;
    place.metadata->Finish(
        static_cast<int64_t>(chunk.count), written.dictionary_offset, -1, written.data_offset,
        written.compressed_bytes, written.plain_bytes, has_dictionary, false, of_dictionary,
        {{chunk.encoding, written.page_count}});
    total_bytes += written.plain_bytes;
    return chunk.rows;
}

// MARK: - Statistics

namespace {

template <class Value>
std::string plain(Value value) {
    return std::string(reinterpret_cast<const char *>(&value), sizeof value);
}

template <class Value>
void bound_integers(const Value *values, size_t count, parquet::EncodedStatistics &out) {
    if (count == 0) return;
    Value smallest = values[0], largest = values[0];
    for (size_t i = 0; i < count; i++) {
        smallest = std::min(smallest, values[i]);
        largest = std::max(largest, values[i]);
    }
    out.set_min(plain(smallest));
    out.set_max(plain(largest));
}

/// NaN is no bound; zero is -0.0 below and 0.0 above (Parquet's thrift definition, `ColumnOrder`).
void bound_numbers(const double *values, size_t count, parquet::EncodedStatistics &out) {
    double smallest = std::numeric_limits<double>::infinity();
    double largest = -smallest;
    bool is_any = false;
    for (size_t i = 0; i < count; i++) {
        if (std::isnan(values[i])) continue;
        is_any = true;
        smallest = std::min(smallest, values[i]);
        largest = std::max(largest, values[i]);
    }
    if (!is_any) return;
    out.set_min(plain(smallest == 0 ? -0.0 : smallest));
    out.set_max(plain(largest == 0 ? 0.0 : largest));
}

/// The first eight bytes as a number that compares as they do.
uint64_t head(const uint8_t *text, size_t count) {
    uint64_t word = 0;
    std::memcpy(&word, text, std::min<size_t>(count, 8));
    return __builtin_bswap64(word);
}

struct Text {
    const uint8_t *bytes;
    size_t count;
    uint64_t head;

    bool operator<(const Text &other) const {
        if (head != other.head) return head < other.head;
        const int order = std::memcmp(bytes, other.bytes, std::min(count, other.count));
        return order != 0 ? order < 0 : count < other.count;
    }
    std::string string() const { return std::string(reinterpret_cast<const char *>(bytes), count); }
};

void bound_texts(const cpq_values &values, size_t count, parquet::EncodedStatistics &out) {
    Text smallest{}, largest{};
    uint32_t start = 0;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = bytes_of(values) + start;
        const size_t length = values.ends[i] - start;
        start = values.ends[i];
        const Text text{bytes, length, head(bytes, length)};
        if (i == 0 || text < smallest) smallest = text;
        if (i == 0 || largest < text) largest = text;
    }
    if (count == 0) return;
    out.set_min(smallest.string());
    out.set_max(largest.string());
}

/// Different texts of a chunk, or all.
size_t text_count(const cpq_values &values) {
    return static_cast<size_t>(values.indices == nullptr ? values.count : values.dictionary_count);
}

}  // namespace

parquet::EncodedStatistics ChunkWriter::statistics(const Chunk &chunk) const {
    const cpq_values &values = *chunk.values;
    const auto count = static_cast<size_t>(values.count);
    const bool is_numbered = chunk.encoding == Encoding::RLE_DICTIONARY;
    parquet::EncodedStatistics result;
    switch (chunk.leaf->descriptor->physical_type()) {
    case Type::INT32:
        if (is_numbered) {
            bound_integers(narrow_.entries(), narrow_.entry_count(), result);
        } else {
            bound_integers(static_cast<const int32_t *>(values.values), count, result);
        }
        break;
    case Type::INT64:
        if (is_numbered) {
            bound_integers(wide_.entries(), wide_.entry_count(), result);
        } else {
            bound_integers(static_cast<const int64_t *>(values.values), count, result);
        }
        break;
    case Type::DOUBLE: bound_numbers(static_cast<const double *>(values.values), count, result); break;
    case Type::BOOLEAN: {
        const uint8_t *bits = bytes_of(values);
        if (count == 0) break;
        result.set_min(plain(*std::min_element(bits, bits + count)));
        result.set_max(plain(*std::max_element(bits, bits + count)));
        break;
    }
    default: if (count != 0) bound_texts(values, text_count(values), result);
    }
    result.set_null_count(static_cast<int64_t>(chunk.count - count));
    // A footer is read whole: bounds of any size have no place in it.
    result.ApplyStatSizeLimits(parquet::DEFAULT_MAX_STATISTICS_SIZE);
    result.set_is_signed(chunk.leaf->descriptor->sort_order() == parquet::SortOrder::SIGNED);
    return result;
}

void ChunkWriter::fill_bloom(const Chunk &chunk, parquet::BloomFilter &bloom) const {
    const cpq_values &values = *chunk.values;
    if (chunk.leaf->descriptor->physical_type() != Type::BYTE_ARRAY) {
        throw Failure(CPQ_MISUSED, "only texts and bytes have bloom filters, not " + chunk.leaf->path());
    }
    const size_t count = values.count == 0 ? 0 : text_count(values);
    uint32_t start = 0;
    for (size_t i = 0; i < count; i++) {
        const parquet::ByteArray text(values.ends[i] - start, bytes_of(values) + start);
        bloom.InsertHash(bloom.Hash(&text));
        start = values.ends[i];
    }
}

}  // namespace cpq
