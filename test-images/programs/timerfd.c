// SPDX-License-Identifier: Apache-2.0
//
// timerfd LOG: timer descriptors: periodic, far in the future (relative and absolute), expired and not yet read, disarmed.

#include "target.h"

#include <sys/timerfd.h>

enum { FAR = 3600, PERIOD = 20 };

static int arm(int clock, int flags, int64_t first, int64_t period, int how) {
    int fd = NEED(timerfd_create(clock, flags));
    struct itimerspec spec = {{period / SECOND, period % SECOND}, {first / SECOND, first % SECOND}};
    NEED(timerfd_settime(fd, how, &spec, NULL));
    return fd;
}

static int64_t left(int fd) {
    struct itimerspec spec;
    NEED(timerfd_gettime(fd, &spec));
    return spec.it_value.tv_sec * SECOND + spec.it_value.tv_nsec;
}

static int64_t period(int fd) {
    struct itimerspec spec;
    NEED(timerfd_gettime(fd, &spec));
    return spec.it_interval.tv_sec * SECOND + spec.it_interval.tv_nsec;
}

static void near(const char *what, int64_t expected, int64_t got) {
    if (got - expected > TOLERANCE || expected - got > TOLERANCE) wrong(what, expected, got);
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    int64_t start = now();
    int ticking = arm(CLOCK_MONOTONIC, TFD_NONBLOCK, PERIOD * MILLISECOND, PERIOD * MILLISECOND, 0);
    int booted = arm(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC, 3 * MILLISECOND, 50 * MILLISECOND, 0);
    int relative = arm(CLOCK_MONOTONIC, TFD_NONBLOCK, FAR * SECOND, 0, 0);
    int absolute = arm(CLOCK_MONOTONIC, TFD_NONBLOCK, start + FAR * SECOND, 0, TFD_TIMER_ABSTIME);
    int real = arm(CLOCK_REALTIME, TFD_NONBLOCK, FAR * SECOND, 7 * SECOND, 0);
    int expired = arm(CLOCK_MONOTONIC, TFD_NONBLOCK, 1, 0, 0);  // once, and nobody reads it for a long time
    int idle = NEED(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));

    int64_t last_tick = now(), last_boot = now();
    unsigned long long ticks = 0;
    target_ready();
    for (;;) {
        uint64_t count;
        int64_t time = now();
        if (read(ticking, &count, sizeof count) == sizeof count) {
            ticks += count;
            last_tick = time;
        } else if (time - last_tick > TOLERANCE) {
            wrong("milliseconds without a tick", 0, (time - last_tick) / MILLISECOND);
            last_tick = time;
        }
        near("nanoseconds that the ticks make", time - start, (int64_t)ticks * PERIOD * MILLISECOND);
        if (read(booted, &count, sizeof count) == sizeof count) {
            last_boot = time;
        } else if (time - last_boot > TOLERANCE) {
            wrong("milliseconds without a tick of CLOCK_BOOTTIME", 0, (time - last_boot) / MILLISECOND);
            last_boot = time;
        }
        check("period", PERIOD * MILLISECOND, period(ticking));
        check("period of CLOCK_BOOTTIME", 50 * MILLISECOND, period(booted));
        check("CLOEXEC", FD_CLOEXEC, fcntl(booted, F_GETFD));

        near("relative timer", FAR * SECOND - (time - start), left(relative));
        near("absolute timer", FAR * SECOND - (time - start), left(absolute));
        check("period of CLOCK_REALTIME", 7 * SECOND, period(real));
        if (left(real) <= 0 || left(real) > FAR * SECOND) wrong("timer of CLOCK_REALTIME", FAR * SECOND, left(real));

        check("idle timer", 0, left(idle));
        check("reading an idle timer", -1, read(idle, &count, sizeof count));
        if (target_passes % 64 == 63) {
            check("reading an expired timer", sizeof count, read(expired, &count, sizeof count));
            check("expirations", 1, count);
            struct itimerspec spec = {{0, 0}, {0, 1}};
            NEED(timerfd_settime(expired, 0, &spec, NULL));
        }
        target_pass();
    }
}
