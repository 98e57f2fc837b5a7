// One column chunk: levels and values to pages. Schema, footer and bloom filters are Arrow's.
#pragma once

#include <arrow/io/interfaces.h>
#include <parquet/bloom_filter.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include <memory>
#include <vector>

#include "cparquet.h"
#include "encodings.h"

struct ZSTD_CCtx_s;

namespace cpq {

/// A leaf of the schema and how it is stored.
struct Leaf {
    const parquet::ColumnDescriptor *descriptor;
    uint32_t flags;
    uint8_t max_definition;
    uint8_t max_repetition;

    Leaf(const parquet::ColumnDescriptor *descriptor, uint32_t flags);
    std::string path() const { return descriptor->path()->ToDotString(); }
};

/// Where a chunk goes to.
struct Place {
    std::shared_ptr<arrow::io::OutputStream> stream;
    parquet::ColumnChunkMetaDataBuilder *metadata;
    parquet::BloomFilter *bloom;  ///< NULL: none
    int16_t row_group;
    int16_t column;
};

/// Writes the chunks of one file, one after the other; scratch memory is used again.
///
/// The leaves of one list or map have their levels in common: these are taken apart and encoded once in a row group,
/// and the page of a leaf without any value, which is the same for all of them, is compressed once.
class ChunkWriter {
public:
    explicit ChunkWriter(const cpq_options &options);
    ~ChunkWriter();

    void begin_row_group() { shared_count_ = 0; }

    /// Answers the rows of the chunk; adds its uncompressed bytes to `total_bytes`.
    int64_t write(
        const Leaf &leaf, const Place &place, const cpq_levels &levels, const cpq_values &values, int64_t &total_bytes);

private:
    /// The definition levels of all leaves of one width, encoded, and the page of those without a value.
    struct Encoded {
        int width = -1;
        Bytes definition;
        Bytes empty_page;
        size_t empty_page_bytes = 0;  ///< before compression; 0: not made yet
    };

    /// Levels, taken apart.
    struct Levels {
        uint64_t version = 0;
        size_t count = 0;
        int64_t rows = 0;
        uint8_t highest_repetition = 0;
        uint8_t highest_definition = 0;
        size_t highest_count = 0;             ///< levels with that definition
        uint8_t lowest_chosen = 0;            ///< lowest definition of a level with a member; 255: there is none
        uint8_t highest_chosen = 0;
        size_t member_counts[256];
        int repetition_width = -1;  ///< of the encoded ones; negative: not made yet
        Bytes definition;
        Bytes repetition;
        Bytes member;
        Bytes encoded_repetition;
        Encoded encoded[2];
    };

    /// What of a chunk is written.
    struct Written {
        int64_t dictionary_offset = 0;
        int64_t data_offset = -1;
        int64_t compressed_bytes = 0;  ///< headers included
        int64_t plain_bytes = 0;       ///< before compression, headers included
        int32_t page_count = 0;        ///< data pages
    };

    /// What is common to the pages of the chunk that is being written.
    struct Chunk {
        const Leaf *leaf = nullptr;
        const cpq_values *values = nullptr;
        size_t count = 0;  ///< levels
        int64_t rows = 0;
        const uint8_t *definition = nullptr;  ///< NULL: all are values
        const uint8_t *repetition = nullptr;  ///< NULL: each level is a row
        Levels *shared = nullptr;             ///< the leaf's levels are these, unchanged
        Levels *levels = nullptr;             ///< of a repeated leaf
        const Place *place = nullptr;
        Written written;
        parquet::Encoding::type encoding = parquet::Encoding::PLAIN;
        const uint32_t *indices = nullptr;
        int index_width = 0;
    };

    struct Cut {
        size_t first_level, level_end, first_value, value_end;
    };

    Levels &taken_apart(const cpq_levels &levels);
    void place_values(Chunk &chunk, const cpq_levels &levels);
    void choose_encoding(Chunk &chunk);
    template <class Value>
    bool number(Chunk &chunk, IntegerDictionary<Value> &dictionary);
    void check_members(const Chunk &chunk, const cpq_levels &levels) const;
    void write_dictionary(Chunk &chunk);
    void put_entries(const Chunk &chunk);
    std::vector<Cut> cuts(const Chunk &chunk) const;
    size_t plain_bytes(const Chunk &chunk, size_t value) const;
    void write_page(Chunk &chunk, const Cut &cut);
    void write_empty_page(Chunk &chunk);
    void put_data_page(Chunk &chunk, size_t levels, size_t plain_bytes, const Bytes &compressed);
    void put_page(Chunk &chunk, const Bytes &header, size_t plain_bytes, const Bytes &compressed);
    void put_levels(const Chunk &chunk, const Cut &cut);
    void put_values(const Chunk &chunk, const Cut &cut);
    void put_plain(const Chunk &chunk, const Cut &cut);
    const Bytes &encoded_repetition(Levels &levels, int width);
    Encoded &encoded(Levels &levels, int width);
    void compress(const Bytes &page, Bytes &out);
    parquet::EncodedStatistics statistics(const Chunk &chunk) const;
    void fill_bloom(const Chunk &chunk, parquet::BloomFilter &bloom) const;

    int zstd_level_;
    size_t page_bytes_;
    size_t dictionary_bytes_;
    ZSTD_CCtx_s *zstd_;
    std::vector<std::unique_ptr<Levels>> shared_;
    size_t shared_count_ = 0;
    Bytes definition_;  ///< of the leaf at hand, when it differs from the shared one
    Bytes header_;
    Bytes page_;
    Bytes compressed_;
    IntegerDictionary<int32_t> narrow_;
    IntegerDictionary<int64_t> wide_;
};

}  // namespace cpq
