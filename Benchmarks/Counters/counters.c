// Linked into the benchmarks only. Its malloc takes the place of the C library's for the whole process, counts the
// call, and hands it on under the name that the library exports for this purpose.
#include "cbenchmark.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TSS_HAS_OTHER_ALLOCATOR 1
#endif
#endif

#if defined(__GLIBC__) && !defined(TSS_HAS_OTHER_ALLOCATOR)
// Of the thread, so that nothing is shared and nothing waits.
static __thread uint64_t allocations;

extern void *__libc_malloc(size_t count);
extern void *__libc_calloc(size_t number, size_t count);
extern void *__libc_realloc(void *block, size_t count);
extern void *__libc_memalign(size_t alignment, size_t count);

void *malloc(size_t count) {
    allocations++;
    return __libc_malloc(count);
}

void *calloc(size_t number, size_t count) {
    allocations++;
    return __libc_calloc(number, count);
}

void *realloc(void *block, size_t count) {
    allocations++;
    return __libc_realloc(block, count);
}

void *memalign(size_t alignment, size_t count) {
    allocations++;
    return __libc_memalign(alignment, count);
}

void *aligned_alloc(size_t alignment, size_t count) {
    allocations++;
    return __libc_memalign(alignment, count);
}

int posix_memalign(void **block, size_t alignment, size_t count) {
    allocations++;
    void *found = __libc_memalign(alignment, count);
    if (found == NULL) return ENOMEM;
    *block = found;
    return 0;
}

uint64_t tss_benchmark_allocations(void) { return allocations; }
#else
uint64_t tss_benchmark_allocations(void) { return 0; }
#endif

static uint64_t nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t tss_benchmark_cpu_nanoseconds(void) { return nanoseconds(CLOCK_THREAD_CPUTIME_ID); }
uint64_t tss_benchmark_wall_nanoseconds(void) { return nanoseconds(CLOCK_MONOTONIC); }

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>

int tss_benchmark_is_counted(void) { return RUNNING_ON_VALGRIND != 0; }

void tss_benchmark_count(void) { CALLGRIND_START_INSTRUMENTATION; }
void tss_benchmark_pause(void) { CALLGRIND_STOP_INSTRUMENTATION; }
void tss_benchmark_counted(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
#else
int tss_benchmark_is_counted(void) { return 0; }
void tss_benchmark_count(void) {}
void tss_benchmark_pause(void) {}
void tss_benchmark_counted(const char *name) { (void)name; }
#endif
