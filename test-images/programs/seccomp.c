// SPDX-License-Identifier: Apache-2.0
//
// seccomp LOG: two filters, one on top of the other, that refuse getppid and one kind of personality, each with an errno
// of its own, in the first thread and (one filter more) in a second one; all else is allowed.

#include "target.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/prctl.h>

enum { FIRST_ERROR = EPERM, SECOND_ERROR = EXDEV, THREAD_ERROR = EDOM };

static struct heart heart;

// Refuses one system call with an errno, when the low half of its first argument, masked, has the value.
static void refuse(int call, uint32_t mask, uint32_t value, int error) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {COUNT(code), code};
    NEED((int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
}

static void check_refused(const char *what, int call, long argument, int expected) {
    errno = 0;
    long result = syscall(call, argument);
    if (check(what, -1, result)) check(what, expected, errno);
}

static void check_status(void) {
    FILE *file = fopen("/proc/thread-self/status", "re");
    if (!file) give_up("status");
    char line[256];
    int mode = -1, filters = -1, privileges = -1;
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "Seccomp: %d", &mode);
        sscanf(line, "Seccomp_filters: %d", &filters);
        sscanf(line, "NoNewPrivs: %d", &privileges);
    }
    fclose(file);
    check("seccomp mode", SECCOMP_MODE_FILTER, mode);
    if (filters >= 0) check("number of filters", 2, filters);
    check("no new privileges", 1, privileges);
}

static void check_shared(void) {
    check_refused("getppid", SYS_getppid, 0, FIRST_ERROR);
    check_refused("personality 0xdead", SYS_personality, 0xdead, SECOND_ERROR);
    check("personality asked", 1, personality(0xffffffff) >= 0);
    check("getpid", 1, syscall(SYS_getpid) > 0);
}

static void *body(void *argument) {
    (void)argument;
    refuse(SYS_getpgrp, 0, 0, THREAD_ERROR);
    for (;;) {
        check_shared();
        check_refused("getpgrp in the second thread", SYS_getpgrp, 0, THREAD_ERROR);
        atomic_fetch_add(&heart.beats, 1);
        nap(20 * MILLISECOND);
    }
    return NULL;
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    refuse(SYS_getppid, 0, 0, FIRST_ERROR);
    refuse(SYS_personality, 0xffffffff, 0xdead, SECOND_ERROR);
    target_thread(body, NULL);
    target_ready();
    for (;;) {
        check_shared();
        check_status();
        check("getpgrp in the first thread", 1, syscall(SYS_getpgrp) >= 0);
        heart_check("a silent thread", 0, &heart);
        target_pass();
    }
}
