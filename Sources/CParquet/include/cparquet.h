/* Parquet over Arrow C++, as C: every call is noexcept and reports what went wrong in a cpq_error.
 *
 * Memory given to a call is borrowed until it returns. Memory a call answers belongs to its object
 * and lives until the next call on that object. An object belongs to one thread at a time.
 */
#ifndef CPARQUET_H
#define CPARQUET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CPQ_OK = 0,
    CPQ_FAILED = 1,    /* input or output error: another try may succeed */
    CPQ_FULL = 2,      /* no space left on the device, quota or file size limit reached */
    CPQ_NOT_FOUND = 3,
    CPQ_DENIED = 4,
    CPQ_CORRUPT = 5,   /* the bytes are no such Parquet file */
    CPQ_MISUSED = 6,   /* the caller's fault: wrong type, wrong order, wrong count */
    CPQ_NO_MEMORY = 7,
} cpq_code;

typedef struct {
    int32_t code;       /* cpq_code */
    char message[500];  /* zero-terminated, cut when longer */
} cpq_error;

/* Physical types of leaves. */
typedef enum {
    CPQ_GROUP = 0,  /* not a leaf: has children */
    CPQ_BOOL = 1,   /* one byte each, 0 or 1 */
    CPQ_INT32 = 2,
    CPQ_INT64 = 3,
    CPQ_DOUBLE = 4,
    CPQ_BYTES = 5,
} cpq_type;

typedef enum { CPQ_REQUIRED = 0, CPQ_OPTIONAL = 1, CPQ_REPEATED = 2 } cpq_repetition;

typedef enum {
    CPQ_PLAIN = 0,         /* no annotation */
    CPQ_STRING = 1,        /* on CPQ_BYTES: UTF-8 */
    CPQ_TIMESTAMP_US = 2,  /* on CPQ_INT64: microseconds since 1970, UTC */
    CPQ_LIST = 3,          /* on CPQ_GROUP */
    CPQ_MAP = 4,           /* on CPQ_GROUP */
} cpq_annotation;

enum {
    CPQ_DICTIONARY = 1,  /* numbers: dictionary encoding when they repeat; texts bring their dictionary with them */
    CPQ_DELTA = 2,       /* integers: delta encoding, unless they repeat */
    CPQ_STATISTICS = 4,  /* minimum and maximum of each row group */
    CPQ_BLOOM = 8,       /* a bloom filter for each row group */
};

/* A node of the schema. The tree is an array in pre-order without the root: a node's children follow it. */
typedef struct {
    const char *name;
    int32_t type;         /* cpq_type */
    int32_t repetition;   /* cpq_repetition */
    int32_t annotation;   /* cpq_annotation */
    int32_t field_id;     /* negative: none */
    int32_t child_count;  /* of a group */
    uint32_t flags;
} cpq_node;

typedef struct {
    int32_t zstd_level;
    int64_t row_group_rows;     /* more in one row group are refused */
    int64_t page_bytes;         /* uncompressed data of a page */
    int64_t dictionary_bytes;   /* of a column in a row group; above it plain encoding follows */
    int64_t bloom_distinct;     /* distinct values a bloom filter is made for */
    double bloom_false_positives;
    const char *created_by;
} cpq_options;

/* The levels of one column chunk: where each value stands.
 *
 *   a flat, required column: neither array, each level is a value.
 *   a flat, optional column: `definition`, 0 or 1 for each row.
 *   a repeated column: `places`, one for each element and each list that is empty or absent:
 *
 *       bits   0…7 definition, 8…15 repetition, 16…23 member (0: none)
 *
 *     chosen >= 0: the level's definition is one higher where the member is this one (a member of a struct of which at
 *     most one is there; all of them share the places).
 *   A level has a value when its definition is then the column's maximum.
 *
 * Repeated columns of a row group with the same version (not 0) and count have the same places: what is made of them
 * is made once.
 */
typedef struct {
    int64_t count;
    const uint8_t *definition;
    const uint32_t *places;
    int32_t chosen;
    uint64_t version;
} cpq_levels;

/* The values of one column chunk, without nulls. */
typedef struct {
    int64_t count;
    const void *values;         /* CPQ_BYTES: all bytes, one value behind the other */
    const uint32_t *ends;       /* CPQ_BYTES: the end of each value in them */
    const int32_t *indices;     /* CPQ_BYTES: not NULL when each value is one of a dictionary: its number there; values */
    int64_t dictionary_count;   /* and ends are then the dictionary's, whose entries are all different */
} cpq_values;

/* Statistics of a leaf, of one row group or of the whole file; minimum and maximum in Parquet's plain
 * encoding (integers and doubles little endian, bytes as they are). */
typedef struct {
    int32_t field_id;
    int64_t compressed_bytes;
    int64_t value_count;       /* nulls included */
    int64_t null_count;        /* negative: unknown */
    int32_t has_bounds;
    const uint8_t *minimum;
    const uint8_t *maximum;
    size_t minimum_count;
    size_t maximum_count;
    int32_t has_bloom;
} cpq_statistics;

typedef struct cpq_writer cpq_writer;
typedef struct cpq_file cpq_file;
typedef struct cpq_reader cpq_reader;

/* Arrow's version; caps Arrow's pools (one CPU thread, four for input and output) on the first call of anything. */
const char *cpq_version(void);
/* Bytes that Arrow's memory pool holds now, and has held at most. */
int64_t cpq_memory_now(void);
int64_t cpq_memory_peak(void);

/* Starts `path` under the name `path`.tmp; nothing may be there under either name. Directories above that are
 * missing are made. NULL on error. */
cpq_writer *cpq_writer_open_local(
    const char *path, const cpq_node *nodes, int32_t node_count, const cpq_options *options, cpq_error *error);
/* Row groups one after the other, in each the leaves in the order of the schema. */
int32_t cpq_writer_begin_row_group(cpq_writer *writer, cpq_error *error);
int32_t cpq_writer_column(
    cpq_writer *writer, int32_t type, const cpq_levels *levels, const cpq_values *values, cpq_error *error);
int32_t cpq_writer_end_row_group(cpq_writer *writer, cpq_error *error);
/* Ends the file, syncs it, gives it its name and syncs the directory. After an error: abort. */
int32_t cpq_writer_publish(cpq_writer *writer, cpq_error *error);
/* After publish. */
int64_t cpq_writer_file_bytes(const cpq_writer *writer);
int32_t cpq_writer_row_group_count(const cpq_writer *writer);
int64_t cpq_writer_row_group_offset(const cpq_writer *writer, int32_t row_group);
int32_t cpq_writer_leaf_count(const cpq_writer *writer);
int32_t cpq_writer_statistics(cpq_writer *writer, int32_t leaf, cpq_statistics *statistics, cpq_error *error);
/* Frees the writer; a file that was not published is deleted and never seen. NULL is allowed. */
void cpq_writer_free(cpq_writer *writer);
/* Asks for memory that will be read soon. Never fails: an address that is not there is not read. */
static inline void cpq_prefetch(const void *address, size_t count) {
    for (size_t line = 0; line < count; line += 64) __builtin_prefetch((const char *)address + line, 0, 2);
}
/* Deletes a file; 0 also when it was not there. */
int32_t cpq_remove_local(const char *path);

/* A file that can be read at any place; where it lies is its own affair. */
cpq_file *cpq_file_open_local(const char *path, cpq_error *error);
void cpq_file_free(cpq_file *file);

/* Reads the footer. The file may be freed at once, the reader keeps what it needs. */
cpq_reader *cpq_reader_open(const cpq_file *file, cpq_error *error);
void cpq_reader_free(cpq_reader *reader);
int64_t cpq_reader_row_count(const cpq_reader *reader);
int32_t cpq_reader_row_group_count(const cpq_reader *reader);
int64_t cpq_reader_row_group_rows(const cpq_reader *reader, int32_t row_group);
/* The flat leaf with this field id, or, in a file without any field ids, with this name; -1 when there is none. */
int32_t cpq_reader_leaf(const cpq_reader *reader, int32_t field_id, const char *name);
int32_t cpq_reader_leaf_type(const cpq_reader *reader, int32_t leaf);
int32_t cpq_reader_statistics(
    cpq_reader *reader, int32_t row_group, int32_t leaf, cpq_statistics *statistics, cpq_error *error);
/* Whether the row group may hold the text: 0 only when its bloom filter says that it does not. */
int32_t cpq_reader_may_contain(
    cpq_reader *reader, int32_t row_group, int32_t leaf, const uint8_t *bytes, size_t count, int32_t *answer,
    cpq_error *error);
/* Reads one flat leaf of a row group whole: `present` has one byte per row, `values` no nulls. */
typedef struct {
    int64_t row_count;
    const uint8_t *present;
    cpq_values values;
} cpq_chunk;
int32_t cpq_reader_read(
    cpq_reader *reader, int32_t row_group, int32_t leaf, cpq_chunk *chunk, cpq_error *error);

#ifdef __cplusplus
}
#endif
#endif
