// What Swift cannot import from the C library: names behind _GNU_SOURCE, variadic functions and
// composed macros. Header only: every function is static inline.
//
// _GNU_SOURCE itself must stay undefined here: it changes `fd_set`, and the compiler then refuses the
// header beside Swift's own Glibc module. Functions behind it are declared by hand.
#ifndef TSS_CSYSTEM_H
#define TSS_CSYSTEM_H
#include <sys/types.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern int pthread_setname_np(pthread_t thread, const char *name);
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
extern int pipe2(int descriptors[2], int flags);
extern int fallocate(int descriptor, int mode, off_t offset, off_t length);

static inline int tss_thread_set_name(const char *name) {
    return pthread_setname_np(pthread_self(), name);
}
static inline int tss_accept_cloexec(int descriptor) {
    return accept4(descriptor, NULL, NULL, SOCK_CLOEXEC);
}
// O_DIRECT without _GNU_SOURCE: glibc's <bits/fcntl-linux.h> always has __O_DIRECT.
static inline int tss_open_direct(const char *path, int flags, mode_t mode) {
    return open(path, flags | O_CLOEXEC | __O_DIRECT, mode);
}
static inline int tss_pidfd_open(pid_t process) {
    return (int)syscall(SYS_pidfd_open, process, 0);
}
static inline int tss_pipe_cloexec(int *descriptors) { return pipe2(descriptors, O_CLOEXEC); }
static inline void tss_stdout_line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
static inline int tss_wait_exited(int status) { return WIFEXITED(status); }
static inline int tss_wait_exit_status(int status) { return WEXITSTATUS(status); }
static inline int tss_wait_signaled(int status) { return WIFSIGNALED(status); }
static inline int tss_wait_signal(int status) { return WTERMSIG(status); }
static inline int tss_punch_allocate(int descriptor, off_t length) {
    return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, length);
}

// CRC-32C (Castagnoli), reflected polynomial 0x82F63B78. Hardware instruction where the compiler may
// use it at run time (checked once per call by the processor's own flag), else bit by bit.
static inline uint32_t tss_crc32c_software(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    }
    return crc;
}
#if defined(__x86_64__)
#include <string.h>
__attribute__((target("sse4.2"))) static inline uint32_t tss_crc32c_hardware(
    uint32_t crc, const uint8_t *bytes, size_t count) {
    uint64_t wide = crc;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = __builtin_ia32_crc32di(wide, word);
        bytes += 8;
        count -= 8;
    }
    uint32_t narrow = (uint32_t)wide;
    while (count > 0) {
        narrow = __builtin_ia32_crc32qi(narrow, *bytes);
        bytes++;
        count--;
    }
    return narrow;
}
#endif
static inline uint32_t tss_crc32c(uint32_t seed, const void *bytes, size_t count) {
    uint32_t crc = ~seed;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~tss_crc32c_hardware(crc, (const uint8_t *)bytes, count);
#endif
    return ~tss_crc32c_software(crc, (const uint8_t *)bytes, count);
}
static inline void tss_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

// Zeroed memory that costs nothing until it is touched; NULL when there is none. Large pages where the system has
// them: an index is read at random, and each miss of the address cache costs as much as one of the data cache.
static inline void *tss_map_zeroed(size_t count) {
    void *memory = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    madvise(memory, count, MADV_HUGEPAGE);
    return memory;
}
static inline void tss_unmap(void *memory, size_t count) { munmap(memory, count); }
#endif
