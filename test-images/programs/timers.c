// SPDX-License-Identifier: Apache-2.0
//
// timers LOG: interval timers and POSIX timers of several kinds must keep firing, keep their intervals and identifiers,
// and a timer far in the future must stay as far; the monotonic clock must not jump.

#include "target.h"

#include <sys/time.h>

#define FIRST (SIGRTMIN + 1)
#define FAR (3600 * SECOND)

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum source { REAL, VIRTUAL, MONOTONIC, BOOTTIME, REALTIME, TO_THREAD, SOURCES };

static const char *const names[] = {"ITIMER_REAL",         "ITIMER_VIRTUAL",         "timer on CLOCK_MONOTONIC",
                                    "timer on CLOCK_BOOTTIME", "timer on CLOCK_REALTIME", "timer for one thread"};

static atomic_llong last_fired[SOURCES];
static atomic_int wrong_values, wrong_threads;
static atomic_int listener;

static void fired(int number, siginfo_t *info, void *context) {
    (void)context;
    int source;
    if (number == SIGALRM) {
        source = REAL;
    } else if (number == SIGVTALRM) {
        source = VIRTUAL;
    } else {
        source = number - FIRST;
        if (info->si_code != SI_TIMER || info->si_value.sival_int != 7000 + source) wrong_values++;
        if (source == TO_THREAD && gettid() != listener) wrong_threads++;
    }
    last_fired[source] = now();
}

static timer_t create(clockid_t clock, enum source source, int notify, int64_t period) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = FIRST + source, .sigev_value.sival_int = 7000 + source};
    if (notify == SIGEV_THREAD_ID) event.sigev_notify_thread_id = listener;
    NEED(timer_create(clock, &event, &timer));
    struct itimerspec spec = {{period / SECOND, period % SECOND}, {period / SECOND, period % SECOND}};
    NEED(timer_settime(timer, 0, &spec, NULL));
    return timer;
}

static void *listen_body(void *argument) {
    (void)argument;
    listener = gettid();
    for (;;) nap(SECOND);
    return NULL;
}

static void check_interval(enum source source, timer_t timer, int64_t period) {
    struct itimerspec spec;
    if (!check(names[source], 0, timer_gettime(timer, &spec))) return;
    check(names[source], period, spec.it_interval.tv_sec * SECOND + spec.it_interval.tv_nsec);
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    struct sigaction action = {.sa_sigaction = fired, .sa_flags = SA_SIGINFO | SA_RESTART};
    NEED(sigaction(SIGALRM, &action, NULL));
    NEED(sigaction(SIGVTALRM, &action, NULL));
    for (int source = MONOTONIC; source < SOURCES; source++) NEED(sigaction(FIRST + source, &action, NULL));
    target_thread(listen_body, NULL);
    while (listener == 0) nap(MILLISECOND);

    // Identifiers with holes between them.
    timer_t holes[3];
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    NEED(timer_create(CLOCK_MONOTONIC, &none, &holes[0]));
    timer_t monotonic = create(CLOCK_MONOTONIC, MONOTONIC, SIGEV_SIGNAL, 30 * MILLISECOND);
    NEED(timer_create(CLOCK_MONOTONIC, &none, &holes[1]));
    NEED(timer_create(CLOCK_MONOTONIC, &none, &holes[2]));
    timer_t boottime = create(CLOCK_BOOTTIME, BOOTTIME, SIGEV_SIGNAL, 170 * MILLISECOND);
    timer_t realtime = create(CLOCK_REALTIME, REALTIME, SIGEV_SIGNAL, 90 * MILLISECOND);
    timer_t to_thread = create(CLOCK_MONOTONIC, TO_THREAD, SIGEV_THREAD_ID, 50 * MILLISECOND);
    for (int i = 0; i < 3; i++) NEED(timer_delete(holes[i]));
    timer_t far;
    NEED(timer_create(CLOCK_MONOTONIC, &none, &far));
    struct itimerspec once = {{0, 0}, {FAR / SECOND, 0}};
    int64_t far_at = now() + FAR;
    NEED(timer_settime(far, 0, &once, NULL));

    struct itimerval real = {{0, 70000}, {0, 70000}}, virtual = {{0, 8000}, {0, 8000}}, seen;
    NEED(setitimer(ITIMER_REAL, &real, NULL));
    NEED(setitimer(ITIMER_VIRTUAL, &virtual, NULL));
    for (int source = 0; source < SOURCES; source++) last_fired[source] = now();

    target_ready();
    int64_t before = now();
    for (;;) {
        int64_t time = now();
        if (time < before || time - before > TOLERANCE) wrong("monotonic nanoseconds between passes", 0, time - before);
        before = time;
        for (int source = 0; source < SOURCES; source++) {
            if (time - last_fired[source] > TOLERANCE) {
                wrong(names[source], 0, (time - last_fired[source]) / MILLISECOND);
                last_fired[source] = time;
            }
        }
        check("timers with a wrong value", 0, atomic_exchange(&wrong_values, 0));
        check("timers in a wrong thread", 0, atomic_exchange(&wrong_threads, 0));
        check_interval(MONOTONIC, monotonic, 30 * MILLISECOND);
        check_interval(BOOTTIME, boottime, 170 * MILLISECOND);
        check_interval(REALTIME, realtime, 90 * MILLISECOND);
        check_interval(TO_THREAD, to_thread, 50 * MILLISECOND);
        NEED(getitimer(ITIMER_REAL, &seen));
        check("interval of ITIMER_REAL", real.it_interval.tv_usec, seen.it_interval.tv_usec);
        NEED(getitimer(ITIMER_VIRTUAL, &seen));
        check("interval of ITIMER_VIRTUAL", virtual.it_interval.tv_usec, seen.it_interval.tv_usec);

        NEED(timer_gettime(far, &once));
        int64_t off = now() + once.it_value.tv_sec * SECOND + once.it_value.tv_nsec - far_at;
        if (off > TOLERANCE || off < -TOLERANCE) wrong("milliseconds a far timer is off", 0, off / MILLISECOND);

        while (now() - time < 10 * MILLISECOND) {  // ITIMER_VIRTUAL counts work, not waiting
        }
        target_pass();
    }
}
