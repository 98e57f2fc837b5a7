// Starts a child process with everything settled before its first instruction: own process group, death
// signal, address-space limit, descriptors, default signal dispositions.
#ifndef TSS_CSPAWN_H
#define TSS_CSPAWN_H
#include <stdint.h>
#include <sys/types.h>

typedef struct {
    const char *path;          // absolute path of the program
    char *const *arguments;    // NULL-terminated, the program's name first
    char *const *environment;  // NULL-terminated
    const char *folder;        // working directory; NULL: ours
    int standard_input;        // descriptor of ours, or -1 for the null device
    int standard_output;
    int standard_error;
    int channel;               // becomes descriptor 3; -1: the child has none
    uint64_t address_limit;    // bytes of address space (RLIMIT_AS); 0: ours
    int death_signal;          // sent when the *thread* that called ends (PR_SET_PDEATHSIG); 0: none
} tss_spawn_request;

// Returns 0 and the process id, or an errno with the step that failed in *step.
//
// The child shares our memory until it runs its program (vfork), so that a large parent starts children as
// fast as a small one; all signals are blocked meanwhile. Descriptors of ours above the child's own never
// reach it. Call it from a thread that lives as long as the child shall: the death signal follows the thread.
int tss_spawn(const tss_spawn_request *request, pid_t *process, const char **step);

#endif
