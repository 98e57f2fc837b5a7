#pragma once
#include <stdlib.h>
#include <zlib.h>

// zlib keeps the address of its z_stream, so the stream lives in memory of its own that never
// moves. inflateInit2 and deflateInit2 are macros, which Swift does not import.

/// An inflating stream; NULL when memory is short. windowBits as for inflateInit2.
static inline z_stream *czlib_inflate_new(int windowBits) {
    z_stream *stream = (z_stream *)calloc(1, sizeof(z_stream));
    if (stream != NULL && inflateInit2(stream, windowBits) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static inline void czlib_inflate_free(z_stream *stream) {
    inflateEnd(stream);
    free(stream);
}

/// A deflating stream; NULL when memory is short or a parameter is out of range.
static inline z_stream *czlib_deflate_new(int level, int windowBits) {
    z_stream *stream = (z_stream *)calloc(1, sizeof(z_stream));
    if (stream != NULL
        && deflateInit2(stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        return NULL;
    }
    return stream;
}

static inline void czlib_deflate_free(z_stream *stream) {
    deflateEnd(stream);
    free(stream);
}
