// SPDX-License-Identifier: Apache-2.0
//
// threads LOG: what belongs to one thread: name, affinity, nice, policy, timer slack, list of robust mutexes, rseq area,
// and the word the kernel clears at its end (without it a join never returns). New threads must go on working.

#include "target.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>

enum { THREADS = 4 };

static struct heart hearts[THREADS];
static atomic_int stop[THREADS];
static pthread_t threads[THREADS];
static pthread_mutex_t robust, held;
static unsigned long cpus;
static int cpu_numbers[CPU_SETSIZE];

struct robust_list_head_seen {
    void *head;
    size_t length;
};

static void check_rseq(void) {
#ifdef __NR_rseq
    if (__rseq_size == 0) return;
    volatile struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    for (int attempt = 0; attempt < 100; attempt++) {
        unsigned before = 0, after = 0;
        syscall(SYS_getcpu, &before, NULL, NULL);
        unsigned registered = area->cpu_id;
        syscall(SYS_getcpu, &after, NULL, NULL);
        if (before != after) continue;  // moved meanwhile
        if (registered == before) return;
        if (attempt == 99 || (int)registered < 0) {
            wrong("cpu in the rseq area", before, (int)registered);
            return;
        }
    }
#endif
}

static struct robust_list_head_seen robust_list(void) {
    struct robust_list_head_seen seen = {0};
    if (syscall(SYS_get_robust_list, 0, &seen.head, &seen.length) != 0) give_up("get_robust_list");
    return seen;
}

static void *body(void *argument) {
    int which = (int)(uintptr_t)argument;
    pid_t tid = gettid();
    char name[16], seen_name[16];
    snprintf(name, sizeof name, "worker %d", which);
    NEED(prctl(PR_SET_NAME, name));
    NEED(prctl(PR_SET_TIMERSLACK, 60000UL + which));
    if (which > 0) NEED(setpriority(PRIO_PROCESS, 0, which * 3));
    struct sched_param none = {0};
    if (which == 2) NEED(sched_setscheduler(0, SCHED_BATCH, &none));
    cpu_set_t set, seen_set;
    NEED(sched_getaffinity(0, sizeof set, &set));
    if (which > 0) {
        CPU_ZERO(&set);
        CPU_SET(cpu_numbers[which % cpus], &set);
        NEED(sched_setaffinity(0, sizeof set, &set));
    }
    struct robust_list_head_seen list = robust_list();
    while (!stop[which]) {
        NEED(prctl(PR_GET_NAME, seen_name));
        check_at("name", which, 0, strcmp(name, seen_name));
        check_at("timer slack", which, 60000 + which, prctl(PR_GET_TIMERSLACK));
        check_at("nice", which, which * 3, getpriority(PRIO_PROCESS, 0));
        check_at("policy", which, which == 2 ? SCHED_BATCH : SCHED_OTHER, sched_getscheduler(0));
        NEED(sched_getaffinity(0, sizeof seen_set, &seen_set));
        check_at("affinity", which, 1, CPU_EQUAL(&set, &seen_set));
        struct robust_list_head_seen seen = robust_list();
        check_at("robust list", which, (intptr_t)list.head, (intptr_t)seen.head);
        check_at("robust list length", which, list.length, seen.length);
        check_at("thread id", which, tid, gettid());
        check_rseq();
        atomic_fetch_add(&hearts[which].beats, 1);
        nap(10 * MILLISECOND);
    }
    return (void *)(uintptr_t)(which + 1);
}

static void *die_with_mutex(void *argument) {
    check("locking a robust mutex", 0, pthread_mutex_lock(argument));
    return argument;
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    cpu_set_t set;
    NEED(sched_getaffinity(0, sizeof set, &set));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set)) cpu_numbers[cpus++] = cpu;

    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_mutex_init(&held, &attributes);
    pthread_mutex_lock(&held);
    for (uintptr_t i = 0; i < THREADS; i++) threads[i] = target_thread(body, (void *)i);

    target_ready();
    for (;;) {
        // A thread that ends while it holds the mutex; the kernel finds it by the robust list.
        void *result;
        pthread_t dying = target_thread(die_with_mutex, &robust);
        check("joining a new thread", 0, pthread_join(dying, &result));
        check("result of a new thread", (intptr_t)&robust, (intptr_t)result);
        int locked = pthread_mutex_lock(&robust);
        check("mutex of a dead owner", EOWNERDEAD, locked);
        if (locked == EOWNERDEAD) pthread_mutex_consistent(&robust);
        if (locked == 0 || locked == EOWNERDEAD) pthread_mutex_unlock(&robust);
        check("a held mutex", EBUSY, pthread_mutex_trylock(&held));

        // Now and then an old thread, perhaps from before a checkpoint, is ended and replaced.
        if (target_passes % 40 == 39) {
            int which = target_passes / 40 % THREADS;
            stop[which] = 1;
            check("joining an old thread", 0, pthread_join(threads[which], &result));
            check("result of an old thread", which + 1, (intptr_t)result);
            stop[which] = 0;
            threads[which] = target_thread(body, (void *)(uintptr_t)which);
        }
        check_rseq();
        for (int i = 0; i < THREADS; i++) heart_check("a silent thread", i, &hearts[i]);
        target_pass();
    }
}
