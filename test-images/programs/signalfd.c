// SPDX-License-Identifier: Apache-2.0
//
// signalfd LOG: descriptors that give out signals, each for a set of its own; signals with values wait in them.

#include "target.h"

#include <sys/signalfd.h>

#define FIRST (SIGRTMIN + 3)
#define SECOND_SIGNAL (SIGRTMIN + 4)

enum { WAITING = 4 };

static sigset_t set_of(int a, int b) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    sigaddset(&set, b);
    return set;
}

static void queue(int number, int value) {
    union sigval data = {.sival_int = value};
    NEED(sigqueue(getpid(), number, data));
}

static void expect(const char *what, int fd, int number, int value) {
    struct signalfd_siginfo info;
    ssize_t length = read(fd, &info, sizeof info);
    if (!check(what, sizeof info, length)) return;
    check(what, number, info.ssi_signo);
    check(what, value, info.ssi_int);
    check(what, getpid(), info.ssi_pid);
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    sigset_t all = set_of(FIRST, SECOND_SIGNAL);
    sigaddset(&all, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &all, NULL));
    sigset_t one = set_of(FIRST, FIRST), two = set_of(SECOND_SIGNAL, SIGUSR1);
    int first = NEED(signalfd(-1, &one, SFD_NONBLOCK));
    int second = NEED(signalfd(-1, &two, SFD_NONBLOCK | SFD_CLOEXEC));
    int copy = NEED(dup(first));
    for (int i = 0; i < WAITING; i++) queue(FIRST, i);

    target_ready();
    for (int value = 0;; value++) {
        expect("waiting value", value % 2 ? first : copy, FIRST, value);
        queue(FIRST, value + WAITING);

        struct signalfd_siginfo info;
        check("nothing for the second", -1, read(second, &info, sizeof info));
        check("nothing for the second", EAGAIN, errno);
        queue(SECOND_SIGNAL, -value);
        expect("value at once", second, SECOND_SIGNAL, -value);
        check("flags", O_NONBLOCK, fcntl(second, F_GETFL) & O_NONBLOCK);
        check("CLOEXEC", FD_CLOEXEC, fcntl(second, F_GETFD));
        target_pass();
    }
}
