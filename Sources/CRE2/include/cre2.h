/* Regular expressions of RE2, as C: every call is noexcept, and what goes wrong is answered.
 *
 * A compiled pattern or set does not change any more: any number of threads may ask it at once. RE2 fills caches of its
 * own inside, behind locks of its own, within the memory given at compilation.
 */
#ifndef CRE2_H
#define CRE2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define CRE2_NOEXCEPT noexcept
#else
#define CRE2_NOEXCEPT
#endif

typedef struct cre2_pattern cre2_pattern;
typedef struct cre2_set cre2_set;

typedef enum {
    CRE2_OK = 0,
    CRE2_INVALID = 1,   /* no regular expression */
    CRE2_TOO_LARGE = 2, /* compiled, it takes more than the memory given */
} cre2_code;

typedef enum {
    CRE2_NONE = 0,      /* no pattern of the set matches */
    CRE2_SOME = 1,      /* at least one does */
    CRE2_EXHAUSTED = 2, /* not known: the memory for the automaton's states was not enough for this text */
} cre2_answer;

/* Compiles an expression of `count` bytes of UTF-8 for unanchored search within `memory` bytes. NULL: see `code` and
 * the zero-terminated message, which is cut to `message_capacity`. Freed by cre2_pattern_free. */
cre2_pattern *cre2_pattern_new(const char *text, size_t count, int64_t memory, cre2_code *code, char *message,
                               size_t message_capacity) CRE2_NOEXCEPT;
void cre2_pattern_free(cre2_pattern *pattern) CRE2_NOEXCEPT;

/* Whether the expression matches somewhere in the text; in time linear to `count`. */
bool cre2_pattern_matches(const cre2_pattern *pattern, const void *text, size_t count) CRE2_NOEXCEPT;

/* An empty set that may take `memory` bytes. NULL: no memory. Freed by cre2_set_free. */
cre2_set *cre2_set_new(int64_t memory) CRE2_NOEXCEPT;
void cre2_set_free(cre2_set *set) CRE2_NOEXCEPT;
/* Adds an expression, before compilation only; false when it is none. */
bool cre2_set_add(cre2_set *set, const char *text, size_t count) CRE2_NOEXCEPT;
/* Ends the adding; false when the compiled set would take more than its memory. */
bool cre2_set_compile(cre2_set *set) CRE2_NOEXCEPT;

/* Whether any pattern of a compiled set matches somewhere in the text. Allocates nothing but states of the automaton. */
cre2_answer cre2_set_matches(const cre2_set *set, const void *text, size_t count) CRE2_NOEXCEPT;
/* How often the answer was CRE2_EXHAUSTED. */
uint64_t cre2_set_exhausted_count(const cre2_set *set) CRE2_NOEXCEPT;

#ifdef __cplusplus
}
#endif
#endif
