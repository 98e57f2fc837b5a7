// Counts what Swift cannot see: allocations of the calling thread, and instructions when valgrind counts them.
#ifndef TSS_CBENCHMARK_H
#define TSS_CBENCHMARK_H
#include <stdint.h>

// Blocks that the calling thread has asked the C library for, by any function of it; 0 for ever under a sanitizer,
// which has an allocator of its own.
uint64_t tss_benchmark_allocations(void);

// Nanoseconds of the calling thread's processor time, and of a clock that never goes back.
uint64_t tss_benchmark_cpu_nanoseconds(void);
uint64_t tss_benchmark_wall_nanoseconds(void);

// Whether valgrind runs this process. Without valgrind's header at build time: never.
int tss_benchmark_is_counted(void);

// callgrind counts between these two.
void tss_benchmark_count(void);
void tss_benchmark_pause(void);

// callgrind writes what it has counted as a profile with this name in its description, and begins at 0 again.
void tss_benchmark_counted(const char *name);
#endif
