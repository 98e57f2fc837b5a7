#include "cre2.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <atomic>
#include <cstring>
#include <new>
#include <string>

struct cre2_pattern {
    RE2 expression;
    cre2_pattern(re2::StringPiece text, const RE2::Options &options) : expression(text, options) {}
};

struct cre2_set {
    RE2::Set expressions;
    mutable std::atomic<uint64_t> exhausted{0};
    explicit cre2_set(const RE2::Options &options) : expressions(options, RE2::UNANCHORED) {}
};

namespace {

RE2::Options options(int64_t memory) {
    RE2::Options options;
    options.set_log_errors(false);  // what is wrong is answered, not printed
    options.set_max_mem(memory);
    options.set_never_capture(true);
    return options;
}

re2::StringPiece piece(const void *text, size_t count) {
    return count == 0 ? re2::StringPiece("", 0) : re2::StringPiece(static_cast<const char *>(text), count);
}

void set(char *message, size_t capacity, const std::string &text) {
    if (capacity == 0) return;
    size_t count = text.size() < capacity ? text.size() : capacity - 1;
    std::memcpy(message, text.data(), count);
    message[count] = 0;
}

}  // namespace

cre2_pattern *cre2_pattern_new(const char *text, size_t count, int64_t memory, cre2_code *code, char *message,
                               size_t message_capacity) noexcept {
    try {
        auto *pattern = new cre2_pattern(piece(text, count), options(memory));
        if (pattern->expression.ok()) {
            *code = CRE2_OK;
            return pattern;
        }
        *code = pattern->expression.error_code() == RE2::ErrorPatternTooLarge ? CRE2_TOO_LARGE : CRE2_INVALID;
        set(message, message_capacity, pattern->expression.error());
        delete pattern;
    } catch (const std::bad_alloc &) {
        *code = CRE2_TOO_LARGE;
        set(message, message_capacity, "out of memory");
    }
    return nullptr;
}

void cre2_pattern_free(cre2_pattern *pattern) noexcept { delete pattern; }

bool cre2_pattern_matches(const cre2_pattern *pattern, const void *text, size_t count) noexcept {
    return pattern->expression.Match(piece(text, count), 0, count, RE2::UNANCHORED, nullptr, 0);
}

cre2_set *cre2_set_new(int64_t memory) noexcept { return new (std::nothrow) cre2_set(options(memory)); }

void cre2_set_free(cre2_set *set) noexcept { delete set; }

bool cre2_set_add(cre2_set *set, const char *text, size_t count) noexcept {
    return set->expressions.Add(piece(text, count), nullptr) >= 0;
}

bool cre2_set_compile(cre2_set *set) noexcept { return set->expressions.Compile(); }

cre2_answer cre2_set_matches(const cre2_set *set, const void *text, size_t count) noexcept {
    RE2::Set::ErrorInfo error{RE2::Set::kNoError};
    // Without a vector for the numbers of the patterns the search ends at the first match and allocates nothing.
    if (set->expressions.Match(piece(text, count), nullptr, &error)) return CRE2_SOME;
    if (error.kind == RE2::Set::kNoError) return CRE2_NONE;
    set->exhausted.fetch_add(1, std::memory_order_relaxed);
    return CRE2_EXHAUSTED;
}

uint64_t cre2_set_exhausted_count(const cre2_set *set) noexcept {
    return set->exhausted.load(std::memory_order_relaxed);
}
