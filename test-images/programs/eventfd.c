// SPDX-License-Identifier: Apache-2.0
//
// eventfd LOG: event counters that hold a value: plain, as semaphore, non-blocking, nearly full, and one descriptor
// duplicated.

#include "target.h"

#include <sys/eventfd.h>

static uint64_t take(const char *what, int fd) {
    uint64_t value = 0;
    if (read(fd, &value, sizeof value) != sizeof value) wrong(what, 0, -errno);
    return value;
}

static void put(const char *what, int fd, uint64_t value) {
    if (write(fd, &value, sizeof value) != sizeof value) wrong(what, 0, -errno);
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    int plain = NEED(eventfd(17, 0));
    int semaphore = NEED(eventfd(5, EFD_SEMAPHORE | EFD_CLOEXEC));
    int empty = NEED(eventfd(0, EFD_NONBLOCK));
    int full = NEED(eventfd(0, EFD_NONBLOCK));
    int copy = NEED(dup(plain));
    put("filling", full, UINT64_MAX - 1);
    uint64_t held = 17;

    target_ready();
    for (;;) {
        check("counter", held, take("counter", plain));
        held = 17 + target_passes;
        put("counter", copy, held);

        for (int i = 0; i < 5; i++) check("semaphore", 1, take("semaphore", semaphore));
        put("semaphore", semaphore, 5);
        check("semaphore's CLOEXEC", FD_CLOEXEC, fcntl(semaphore, F_GETFD));

        uint64_t value = 1;
        check("empty counter", -1, read(empty, &value, sizeof value));
        check("empty counter", EAGAIN, errno);
        check("full counter", -1, write(full, &value, sizeof value));
        check("full counter", EAGAIN, errno);
        check("full counter", UINT64_MAX - 1, take("full counter", full));
        put("full counter", full, UINT64_MAX - 1);
        target_pass();
    }
}
