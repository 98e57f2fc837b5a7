#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "cspawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// What the child tells its parent through the memory they share until it runs its program.
struct outcome {
    int error;
    const char *step;
};

static int failed(volatile struct outcome *outcome, const char *step) {
    outcome->error = errno;
    outcome->step = step;
    return -1;
}

// An ignored or handled signal would be inherited as ignored; SIGKILL and SIGSTOP cannot be set.
static void reset_signals(void) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP) sigaction(number, &standard, NULL);
    }
}

// First every descriptor moves above the child's own numbers, then into place: no order can collide.
static int place_descriptors(const tss_spawn_request *request, volatile struct outcome *outcome) {
    int wanted[4] = {request->standard_input, request->standard_output, request->standard_error,
                     request->channel};
    int count = request->channel >= 0 ? 4 : 3;
    for (int place = 0; place < count; place++) {
        int source = wanted[place];
        if (source < 0) source = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (source < 0) return failed(outcome, "open /dev/null");
        wanted[place] = fcntl(source, F_DUPFD, 4);
        if (wanted[place] < 0) return failed(outcome, "duplicate a descriptor");
    }
    for (int place = 0; place < count; place++) {
        if (dup2(wanted[place], place) < 0) return failed(outcome, "place a descriptor");
    }
    if (syscall(SYS_close_range, (unsigned)count, ~0U, 0) < 0) return failed(outcome, "close_range");
    return 0;
}

// Runs in the child, in the parent's memory: only async-signal-safe calls.
static void run_child(const tss_spawn_request *request, pid_t parent, volatile struct outcome *outcome) {
    reset_signals();
    if (setpgid(0, 0) < 0) {
        failed(outcome, "setpgid");
        return;
    }
    if (request->death_signal != 0) {
        if (prctl(PR_SET_PDEATHSIG, request->death_signal) < 0) {
            failed(outcome, "prctl");
            return;
        }
        if (getppid() != parent) {
            errno = ESRCH;
            failed(outcome, "the parent is gone");
            return;
        }
    }
    if (request->address_limit != 0) {
        struct rlimit limit = {request->address_limit, request->address_limit};
        if (setrlimit(RLIMIT_AS, &limit) < 0) {
            failed(outcome, "setrlimit");
            return;
        }
    }
    if (request->folder != NULL && chdir(request->folder) < 0) {
        failed(outcome, "chdir");
        return;
    }
    if (place_descriptors(request, outcome) < 0) return;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(request->path, request->arguments, request->environment);
    failed(outcome, "exec");
}

int tss_spawn(const tss_spawn_request *request, pid_t *process, const char **step) {
    volatile struct outcome outcome = {0, NULL};
    pid_t parent = getpid();
    sigset_t all, before;
    int cancel_state;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pid_t child = vfork();
    if (child == 0) {
        run_child(request, parent, &outcome);
        _exit(127);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setcancelstate(cancel_state, &cancel_state);
    if (child < 0) {
        *step = "vfork";
        return error;
    }
    if (outcome.error != 0) {
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
        *step = outcome.step;
        return outcome.error;
    }
    *process = child;
    return 0;
}
