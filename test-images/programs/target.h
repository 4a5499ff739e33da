// SPDX-License-Identifier: Apache-2.0
//
// What all target programs share: a log that says "ready", then "pass N errors E" about twenty times a second, and a
// line "error: WHAT expected X got Y" for each thing found wrong.

#ifndef TARGET_H
#define TARGET_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MILLISECOND 1000000LL
#define SECOND (1000 * MILLISECOND)
#define TOLERANCE (5 * SECOND)

static int target_log = -1;
static atomic_ulong target_errors;
static unsigned long target_passes;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length >= (int)sizeof line) length = sizeof line - 1;
    while (write(target_log, line, length) < 0 && errno == EINTR) {
    }
}

static UNUSED int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static UNUSED void nap(int64_t nanoseconds) {
    struct timespec t = {nanoseconds / SECOND, nanoseconds % SECOND};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

// A fault of the test or of the machine it runs on, not of a checkpoint.
__attribute__((noreturn)) static UNUSED void give_up(const char *what) {
    int error = errno;
    if (target_log >= 0) say("failed: %s: %s\n", what, strerror(error));
    fprintf(stderr, "%s: %s\n", what, strerror(error));
    exit(1);
}

#define NEED(call)                                                 \
    ({                                                             \
        __typeof__(call) result_ = (call);                         \
        if (result_ == (__typeof__(call))-1) give_up(#call);       \
        result_;                                                   \
    })

static UNUSED void wrong(const char *what, long long expected, long long got) {
    atomic_fetch_add(&target_errors, 1);
    say("error: %s expected %lld got %lld\n", what, expected, got);
}

static UNUSED int check(const char *what, long long expected, long long got) {
    if (expected == got) return 1;
    wrong(what, expected, got);
    return 0;
}

static UNUSED int check_at(const char *what, long long at, long long expected, long long got) {
    if (expected == got) return 1;
    char text[128];
    snprintf(text, sizeof text, "%s[%lld]", what, at);
    wrong(text, expected, got);
    return 0;
}

static UNUSED void target_begin(int argc, char **argv, int arguments) {
    if (argc < 2 + arguments) {
        fprintf(stderr, "%s: wants a log file%s\n", argv[0], arguments > 0 ? " and what the head of its source says" : "");
        exit(2);
    }
    target_log = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (target_log < 0) give_up(argv[1]);
    signal(SIGPIPE, SIG_IGN);
}

static UNUSED void target_ready(void) { say("ready\n"); }

// Ends a pass: tells it, and waits for the next one.
static UNUSED void target_pass(void) {
    say("pass %lu errors %lu\n", ++target_passes, atomic_load(&target_errors));
    nap(50 * MILLISECOND);
}

static UNUSED pthread_t target_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    errno = pthread_create(&thread, NULL, body, argument);
    if (errno != 0) give_up("pthread_create");
    return thread;
}

static UNUSED uint64_t scramble(uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

// A pattern of words that depends on a seed, so that neighbours and successive fillings differ.
static UNUSED void pattern_write(void *memory, size_t bytes, uint64_t seed) {
    uint64_t *words = memory;
    for (size_t i = 0; i < bytes / 8; i++) words[i] = scramble(seed * 0x10001 + i);
}

static UNUSED int pattern_check(const char *what, const void *memory, size_t bytes, uint64_t seed) {
    const uint64_t *words = memory;
    for (size_t i = 0; i < bytes / 8; i++)
        if (words[i] != scramble(seed * 0x10001 + i))
            return check_at(what, i * 8, (long long)scramble(seed * 0x10001 + i), (long long)words[i]);
    return 1;
}

// A thread that beats must go on beating: silence over 200 passes (10 s) is an error.
struct heart {
    atomic_ulong beats;
    unsigned long seen, since;
};

static UNUSED void heart_check(const char *what, int which, struct heart *heart) {
    unsigned long beats = atomic_load(&heart->beats);
    if (beats != heart->seen) {
        heart->seen = beats;
        heart->since = target_passes;
    } else if (target_passes - heart->since > 200) {
        check_at(what, which, (long long)beats + 1, (long long)beats);
        heart->since = target_passes;
    }
}

#endif
