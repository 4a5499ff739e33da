// SPDX-License-Identifier: Apache-2.0
//
// sleeper LOG [strict]: threads blocked in system calls with and without a time limit. None of them may ever return EINTR,
// none may end early, or late by more than five seconds, and those without a limit not at all, until they are woken.
//
// epoll_wait is the exception: Linux itself ends it with EINTR whenever its thread is stopped and continued (signal(7)).
// So it is called again for the time that is left, unless "strict" asks that no stop be seen there either.

#include "target.h"

#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

enum { SLEEPS = 9, WAITS = 4, LIMIT = 3 };

static struct heart hearts[SLEEPS];
static int silent[2], epoll;
static uint32_t word = 7;
static int strict;

static struct timespec limit(void) { return (struct timespec){LIMIT, 0}; }

static int sleep_nanosleep(void) {
    struct timespec t = limit();
    return nanosleep(&t, NULL);
}

static int sleep_clock(void) {
    struct timespec t = limit();
    return clock_nanosleep(CLOCK_BOOTTIME, 0, &t, NULL) == 0 ? 0 : -1;
}

static int sleep_absolute(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += LIMIT;
    return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == 0 ? 0 : -1;
}

static int sleep_poll(void) {
    struct pollfd fd = {.fd = silent[0], .events = POLLIN};
    return poll(&fd, 1, LIMIT * 1000);
}

static int sleep_ppoll(void) {
    struct pollfd fd = {.fd = silent[0], .events = POLLIN};
    struct timespec t = limit();
    return ppoll(&fd, 1, &t, NULL);
}

static int sleep_select(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(silent[0], &set);
    struct timeval t = {LIMIT, 0};
    return select(silent[0] + 1, &set, NULL, NULL, &t);
}

static int sleep_epoll(void) {
    struct epoll_event event;
    int64_t until = now() + LIMIT * SECOND;
    for (;;) {
        int64_t left = (until - now() + MILLISECOND - 1) / MILLISECOND;
        int result = epoll_wait(epoll, &event, 1, left > 0 ? (int)left : 0);
        if (result >= 0 || errno != EINTR || strict) return result;
    }
}

static int sleep_futex(void) {
    struct timespec t = limit();
    long result = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &t, NULL, 0);
    return result == -1 && errno == ETIMEDOUT ? 0 : -1;
}

static int sleep_condition(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += LIMIT;
    pthread_mutex_lock(&mutex);
    errno = pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &t);
    pthread_mutex_unlock(&mutex);
    return errno == ETIMEDOUT ? 0 : -1;
}

static const struct {
    const char *name;
    int (*sleep)(void);
} sleeps[SLEEPS] = {
    {"nanosleep", sleep_nanosleep},
    {"clock_nanosleep", sleep_clock},
    {"absolute clock_nanosleep", sleep_absolute},
    {"poll", sleep_poll},
    {"ppoll", sleep_ppoll},
    {"select", sleep_select},
    {"epoll_wait", sleep_epoll},
    {"futex", sleep_futex},
    {"condition variable", sleep_condition},
};

static void *sleep_body(void *argument) {
    uintptr_t which = (uintptr_t)argument;
    const char *name = sleeps[which].name;
    for (;;) {
        int64_t start = now();
        errno = 0;
        int result = sleeps[which].sleep();
        int error = errno;
        if (result != 0) wrong(name, 0, error);
        int64_t off = now() - start - LIMIT * SECOND;
        // Linux may wake a sleeper late; early, it never does so by more than the clock's own grain.
        if (off > TOLERANCE || off < -100 * MILLISECOND) wrong(name, 0, off / MILLISECOND);
        atomic_fetch_add(&hearts[which].beats, 1);
    }
    return NULL;
}

// Those that wait without a limit, each for a byte or a change that only the first thread makes.
static int pipes[WAITS][2];
static uint32_t door;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int woken[WAITS];
static atomic_int rounds;

static void *wait_body(void *argument) {
    uintptr_t which = (uintptr_t)argument;
    for (int round = 0;; round++) {
        char byte = 0;
        struct pollfd fd = {.fd = pipes[which][0], .events = POLLIN};
        long result = 1;
        switch (which) {
            case 0: break;  // straight into read
            case 1: result = poll(&fd, 1, -1); break;
            case 2: result = ppoll(&fd, 1, NULL, NULL); break;
            case 3:
                while (__atomic_load_n(&door, __ATOMIC_ACQUIRE) == (uint32_t)round) {
                    if (syscall(SYS_futex, &door, FUTEX_WAIT_PRIVATE, round, NULL, NULL, 0) != 0 && errno != EAGAIN)
                        wrong("futex without a limit", 0, errno);
                }
                break;
        }
        if (result != 1) wrong("poll without a limit", 1, result < 0 ? -errno : result);
        ssize_t n = read(pipes[which][0], &byte, 1);
        check_at("read that waits", which, 1, n < 0 ? -errno : n);
        check_at("byte that was waited for", which, (char)round, byte);
        if (round >= rounds) wrong("a wait that ended by itself", rounds, round);
        woken[which]++;
    }
    return NULL;
}

// One that waits for a mutex the first thread holds.
static void *lock_body(void *argument) {
    (void)argument;
    pthread_mutex_lock(&lock);
    wrong("a mutex that is never let go", 0, 1);
    return NULL;
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    strict = argc > 2 && strcmp(argv[2], "strict") == 0;
    NEED(pipe(silent));
    epoll = NEED(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, silent[0], &event));
    pthread_mutex_lock(&lock);
    target_thread(lock_body, NULL);
    for (uintptr_t i = 0; i < SLEEPS; i++) target_thread(sleep_body, (void *)i);
    for (uintptr_t i = 0; i < WAITS; i++) {
        NEED(pipe(pipes[i]));
        target_thread(wait_body, (void *)i);
    }

    target_ready();
    for (;;) {
        // Every five seconds or so the waiting ones are woken; they must all have been waiting, and all wake up.
        if (target_passes % 100 == 99) {
            char byte = (char)rounds;
            for (int i = 0; i < WAITS; i++) check_at("woken before", i, rounds, woken[i]);
            rounds++;
            for (int i = 0; i < WAITS; i++) check("waking", 1, write(pipes[i][1], &byte, 1));
            __atomic_store_n(&door, (uint32_t)rounds, __ATOMIC_RELEASE);
            syscall(SYS_futex, &door, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
        }
        for (int i = 0; i < SLEEPS; i++) heart_check(sleeps[i].name, i, &hearts[i]);
        target_pass();
    }
}
