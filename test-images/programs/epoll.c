// SPDX-License-Identifier: Apache-2.0
//
// epoll LOG: an epoll set that watches event counters, a timer, a pipe, a socket and another epoll set, each with data
// of its own: level-triggered, edge-triggered, and one-shot (armed and spent).

#include "target.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

enum { LEVEL, EDGE, ONE_SHOT, SPENT, TIMER, PIPE, SOCKET, INNER, QUIET, KINDS };

static const char *const names[KINDS] = {"level-triggered counter", "edge-triggered counter", "one-shot counter",
                                         "spent one-shot counter",  "timer",                  "pipe",
                                         "socket",                  "inner epoll set",        "quiet counter"};

static uint64_t data_of(int kind) { return 0xabcd000000000000 | (uint64_t)kind << 32 | (uint32_t)(kind * 0x01010101); }

static void watch(int epoll, int fd, uint32_t events, int kind) {
    struct epoll_event event = {.events = events, .data.u64 = data_of(kind)};
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

static void poke(int fd) {
    uint64_t one = 1;
    if (write(fd, &one, sizeof one) != sizeof one) wrong("writing to a counter", 0, errno);
}

static void drain(int fd) {
    uint64_t value;
    if (read(fd, &value, sizeof value) != sizeof value) wrong("reading a counter", 0, errno);
}

// Which kinds are ready now; the wait itself is short, for all of them are ready already or never will be.
static unsigned ready_kinds(int epoll) {
    struct epoll_event events[KINDS + 4];
    int count = epoll_wait(epoll, events, COUNT(events), 0);
    unsigned kinds = 0;
    if (count < 0) wrong("epoll_wait", 0, errno);
    for (int i = 0; i < count; i++) {
        int kind = events[i].data.u64 >> 32 & 0xffff;
        if (kind >= KINDS || events[i].data.u64 != data_of(kind)) {
            wrong("data of an event", kind, (long long)events[i].data.u64);
            continue;
        }
        kinds |= 1u << kind;
        if (!(events[i].events & EPOLLIN)) wrong(names[kind], EPOLLIN, events[i].events);
    }
    return kinds;
}

static void check_kinds(unsigned expected, unsigned got) {
    for (int kind = 0; kind < KINDS; kind++) check(names[kind], expected >> kind & 1, got >> kind & 1);
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    int epoll = NEED(epoll_create1(EPOLL_CLOEXEC)), inner = NEED(epoll_create1(0));
    int counters[KINDS];
    for (int kind = 0; kind < KINDS; kind++) counters[kind] = NEED(eventfd(0, EFD_NONBLOCK));
    int pipes[2], sockets[2];
    NEED(pipe(pipes));
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    int timer = NEED(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    struct itimerspec spec = {{0, 0}, {3600, 0}};
    NEED(timerfd_settime(timer, 0, &spec, NULL));

    watch(epoll, counters[LEVEL], EPOLLIN, LEVEL);
    watch(epoll, counters[EDGE], EPOLLIN | EPOLLET, EDGE);
    watch(epoll, counters[ONE_SHOT], EPOLLIN | EPOLLONESHOT, ONE_SHOT);
    watch(epoll, counters[SPENT], EPOLLIN | EPOLLONESHOT, SPENT);
    watch(epoll, timer, EPOLLIN, TIMER);
    watch(epoll, pipes[0], EPOLLIN | EPOLLRDHUP, PIPE);
    watch(epoll, sockets[0], EPOLLIN | EPOLLRDHUP, SOCKET);
    watch(inner, counters[INNER], EPOLLIN, QUIET);
    watch(epoll, inner, EPOLLIN, INNER);
    watch(epoll, counters[QUIET], EPOLLIN, QUIET);

    poke(counters[SPENT]);  // reported once here, and then no more until it is armed again
    ready_kinds(epoll);
    poke(counters[LEVEL]);
    if (write(pipes[1], "x", 1) != 1) give_up("pipe");
    const unsigned resting = 1u << LEVEL | 1u << PIPE;

    target_ready();
    for (;;) {
        check_kinds(resting, ready_kinds(epoll));

        poke(counters[EDGE]);
        poke(counters[ONE_SHOT]);
        poke(counters[INNER]);
        if (write(sockets[1], "y", 1) != 1) wrong("writing to the socket", 1, errno);
        check_kinds(resting | 1u << EDGE | 1u << ONE_SHOT | 1u << INNER | 1u << SOCKET, ready_kinds(epoll));
        check_kinds(resting | 1u << INNER | 1u << SOCKET, ready_kinds(epoll));
        drain(counters[EDGE]);
        drain(counters[ONE_SHOT]);
        drain(counters[INNER]);
        char byte = 0;
        check("reading the socket", 1, read(sockets[0], &byte, 1));
        struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = data_of(ONE_SHOT)};
        check("arming a one-shot counter", 0, epoll_ctl(epoll, EPOLL_CTL_MOD, counters[ONE_SHOT], &again));

        // In every sixteenth pass what is spent is armed, seen and spent again.
        if (target_passes % 16 == 15) {
            again.data.u64 = data_of(SPENT);
            check("arming what was spent", 0, epoll_ctl(epoll, EPOLL_CTL_MOD, counters[SPENT], &again));
            check_kinds(resting | 1u << SPENT, ready_kinds(epoll));
        }
        target_pass();
    }
}
