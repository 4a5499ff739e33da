// SPDX-License-Identifier: Apache-2.0
//
// signals LOG: handlers with flags and masks, a signal stack and a set of blocked signals for each thread, ignored
// signals, and signals that wait with their values: for the process and for each thread.

#include "target.h"

enum { THREADS = 4, STACK = 64 * 1024, PROCESS_VALUES = 3, THREAD_VALUES = 2 };

#define FOR_PROCESS (SIGRTMIN + 1)
#define FOR_THREAD (SIGRTMIN + 2)
#define HANDLED (SIGRTMIN + 5)

static uint8_t stacks[THREADS][STACK];
static struct heart hearts[THREADS];
static __thread volatile int handled, handled_value, handled_on_stack;
static __thread uint8_t *own_stack;

static void handler(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)context;
    uint8_t *here = __builtin_frame_address(0);
    handled_on_stack = here >= own_stack && here < own_stack + STACK;
    handled_value = info->si_value.sival_int;
    handled++;
}

static void plain(int number) { (void)number; }

static sigset_t mask_of(int which) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, FOR_PROCESS);
    sigaddset(&set, FOR_THREAD);
    sigaddset(&set, SIGRTMIN + 10 + which);
    if (which % 2) sigaddset(&set, SIGTERM);
    return set;
}

static int same_set(const sigset_t *a, const sigset_t *b) {
    for (int number = 1; number < _NSIG; number++)
        if (sigismember(a, number) != sigismember(b, number)) return 0;
    return 1;
}

static void queue(int number, int to_thread, int value) {
    union sigval data = {.sival_int = value};
    if (to_thread) {
        errno = pthread_sigqueue(pthread_self(), number, data);
        if (errno != 0) give_up("pthread_sigqueue");
    } else {
        NEED(sigqueue(getpid(), number, data));
    }
}

// Takes the signals that wait, in order, and puts them back.
static void check_queue(const char *what, int number, int to_thread, int values, int first) {
    sigset_t set;
    siginfo_t info;
    const struct timespec at_once = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, number);
    for (int i = 0; i < values; i++) {
        int got = sigtimedwait(&set, &info, &at_once);
        if (!check(what, number, got)) continue;
        check(what, first + i, info.si_value.sival_int);
        check("sender of a waiting signal", getpid(), info.si_pid);
        check("code of a waiting signal", SI_QUEUE, info.si_code);
    }
    check("no further waiting signal", -1, sigtimedwait(&set, &info, &at_once));
    for (int i = 0; i < values; i++) queue(number, to_thread, first + i);
}

static void *body(void *argument) {
    int which = (int)(uintptr_t)argument;
    own_stack = stacks[which];
    stack_t stack = {.ss_sp = own_stack, .ss_size = STACK};
    NEED(sigaltstack(&stack, NULL));
    sigset_t mask = mask_of(which), seen;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    for (int i = 0; i < THREAD_VALUES; i++) queue(FOR_THREAD, 1, which * 100 + i);
    for (int round = 1;; round++) {
        pthread_sigmask(SIG_SETMASK, NULL, &seen);
        check_at("blocked signals of a thread", which, 1, same_set(&mask, &seen));

        NEED(sigaltstack(NULL, &stack));
        check("signal stack", (intptr_t)own_stack, (intptr_t)stack.ss_sp);
        check("signal stack size", STACK, stack.ss_size);
        check("signal stack flags", 0, stack.ss_flags);

        NEED(sigpending(&seen));
        check("thread's waiting signal", 1, sigismember(&seen, FOR_THREAD));
        if (round % 8 == 0) check_queue("value for a thread", FOR_THREAD, 1, THREAD_VALUES, which * 100);

        handled = 0;
        queue(HANDLED, 1, round);
        check("handler runs", 1, handled);
        check("handler's value", round, handled_value);
        check("handler on its stack", 1, handled_on_stack);
        atomic_fetch_add(&hearts[which].beats, 1);
        nap(20 * MILLISECOND);
    }
    return NULL;
}

static void check_action(const char *what, int number, const struct sigaction *expected) {
    struct sigaction seen;
    NEED(sigaction(number, NULL, &seen));
    check(what, (intptr_t)expected->sa_sigaction, (intptr_t)seen.sa_sigaction);
    check(what, expected->sa_flags, seen.sa_flags & ~0x04000000);  // SA_RESTORER is libc's
    check(what, 1, same_set(&expected->sa_mask, &seen.sa_mask));
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);

    struct sigaction on_stack = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction restarting = {.sa_handler = plain, .sa_flags = SA_RESTART | SA_NODEFER};
    struct sigaction once = {.sa_handler = plain, .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignored = {.sa_handler = SIG_IGN};
    sigemptyset(&on_stack.sa_mask);
    sigaddset(&on_stack.sa_mask, SIGUSR1);
    sigaddset(&on_stack.sa_mask, SIGRTMAX);
    NEED(sigaction(HANDLED, &on_stack, NULL));
    NEED(sigaction(SIGUSR1, &restarting, NULL));
    NEED(sigaction(SIGUSR2, &ignored, NULL));
    NEED(sigaction(SIGWINCH, &once, NULL));

    sigset_t mask, seen;
    sigemptyset(&mask);
    sigaddset(&mask, FOR_PROCESS);
    sigaddset(&mask, FOR_THREAD);
    sigaddset(&mask, SIGHUP);
    sigaddset(&mask, SIGRTMAX);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    for (int i = 0; i < PROCESS_VALUES; i++) queue(FOR_PROCESS, 0, 1000 + i);
    // Whoever started us may have left it ignored, as nohup does; then it would not wait.
    signal(SIGHUP, SIG_DFL);
    raise(SIGHUP);
    for (uintptr_t i = 0; i < THREADS; i++) target_thread(body, (void *)i);

    target_ready();
    for (;;) {
        check_action("handler with a stack", HANDLED, &on_stack);
        check_action("restarting handler", SIGUSR1, &restarting);
        check_action("ignored signal", SIGUSR2, &ignored);
        check_action("handler for one time", SIGWINCH, &once);
        raise(SIGUSR2);

        pthread_sigmask(SIG_SETMASK, NULL, &seen);
        check("blocked signals of the first thread", 1, same_set(&mask, &seen));
        NEED(sigpending(&seen));
        check("waiting signal of the process", 1, sigismember(&seen, FOR_PROCESS));
        check("waiting SIGHUP", 1, sigismember(&seen, SIGHUP));
        if (target_passes % 8 == 0) check_queue("value for the process", FOR_PROCESS, 0, PROCESS_VALUES, 1000);
        for (int i = 0; i < THREADS; i++) heart_check("a silent thread", i, &hearts[i]);
        target_pass();
    }
}
