// SPDX-License-Identifier: Apache-2.0
//
// pipes LOG: pipes with unread contents: plain, non-blocking, in packet mode, enlarged, full, without a writer, and one
// with its writing end held twice.

#include "target.h"

#include <sys/ioctl.h>

enum { HELD = 5000, LARGE = 1 << 20, LARGE_HELD = 700000, PACKETS = 3 };

// A pipe always holds the bytes that the running counter says; each pass reads some and writes as many.
struct flow {
    uint8_t written, read;
};

static void put(const char *what, int fd, struct flow *flow, int bytes) {
    static uint8_t buffer[LARGE];
    for (int i = 0; i < bytes; i++) buffer[i] = flow->written++;
    for (int done = 0; done < bytes;) {
        ssize_t n = write(fd, buffer + done, bytes - done);
        if (n <= 0) {
            wrong(what, bytes - done, n < 0 ? -errno : n);
            return;
        }
        done += n;
    }
}

static void take(const char *what, int fd, struct flow *flow, int bytes) {
    static uint8_t buffer[LARGE];
    for (int done = 0; done < bytes;) {
        ssize_t n = read(fd, buffer + done, bytes - done);
        if (n <= 0) {
            wrong(what, bytes - done, n < 0 ? -errno : n);
            return;
        }
        done += n;
    }
    for (int i = 0; i < bytes; i++) {
        uint8_t expected = flow->read++;
        if (buffer[i] != expected) {
            check_at(what, i, expected, buffer[i]);
            flow->read = buffer[i] + 1;
        }
    }
}

static int waiting(int fd) {
    int bytes = -1;
    NEED(ioctl(fd, FIONREAD, &bytes));
    return bytes;
}

static void packet(int fd, int number) {
    uint8_t bytes[64];
    memset(bytes, number, sizeof bytes);
    int length = 1 + number % 64;
    check("writing a packet", length, write(fd, bytes, length));
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    int plain[2], quick[2], packets[2], large[2], full[2], orphan[2], empty[2];
    struct flow plain_flow = {0}, large_flow = {0}, full_flow = {0};
    NEED(pipe(plain));
    NEED(pipe2(quick, O_NONBLOCK | O_CLOEXEC));
    NEED(pipe2(packets, O_DIRECT | O_NONBLOCK));
    NEED(pipe(large));
    NEED(pipe2(full, O_NONBLOCK));
    NEED(pipe(orphan));
    NEED(pipe2(empty, O_NONBLOCK));
    int second = NEED(fcntl(plain[1], F_DUPFD, 100));
    int large_size = fcntl(large[1], F_SETPIPE_SZ, LARGE);
    if (large_size < LARGE) give_up("F_SETPIPE_SZ");
    put("filling", plain[1], &plain_flow, HELD);
    put("filling", large[1], &large_flow, LARGE_HELD);
    int full_size = fcntl(full[1], F_GETPIPE_SZ);
    put("filling", full[1], &full_flow, full_size);
    for (int i = 0; i < PACKETS; i++) packet(packets[1], i);
    if (write(orphan[1], "last words", 10) != 10) give_up("orphan");
    close(orphan[1]);

    target_ready();
    for (int number = 0;; number++) {
        int some = 1 + number % 777;
        check("bytes that wait", HELD, waiting(plain[0]));
        take("contents", plain[0], &plain_flow, some);
        put("contents", number % 2 ? second : plain[1], &plain_flow, some);

        check("size of an enlarged pipe", large_size, fcntl(large[0], F_GETPIPE_SZ));
        check("bytes in an enlarged pipe", LARGE_HELD, waiting(large[0]));
        take("contents of an enlarged pipe", large[0], &large_flow, 20000 + some);
        put("contents of an enlarged pipe", large[1], &large_flow, 20000 + some);

        uint8_t bytes[64];
        check("length of a packet", 1 + number % 64, read(packets[0], bytes, sizeof bytes));
        check("contents of a packet", number & 0xff, bytes[0]);
        packet(packets[1], number + PACKETS);
        check("packet mode", O_DIRECT, fcntl(packets[1], F_GETFL) & O_DIRECT);

        check("writing to a full pipe", -1, write(full[1], bytes, 1));
        check("writing to a full pipe", EAGAIN, errno);
        take("contents of a full pipe", full[0], &full_flow, 4096);
        put("contents of a full pipe", full[1], &full_flow, 4096);

        check("reading an empty pipe", -1, read(quick[0], bytes, 1));
        check("reading an empty pipe", EAGAIN, errno);
        check("O_NONBLOCK", O_NONBLOCK, fcntl(quick[1], F_GETFL) & O_NONBLOCK);
        check("CLOEXEC", FD_CLOEXEC, fcntl(quick[1], F_GETFD));
        check("reading another empty pipe", -1, read(empty[0], bytes, 1));

        // The pipe without a writer says its words once, and then for ever that it has ended.
        if (number == 200) {
            check("words of a pipe without a writer", 10, read(orphan[0], bytes, sizeof bytes));
            check("words of a pipe without a writer", 0, memcmp(bytes, "last words", 10));
        } else if (number > 200) {
            check("end of a pipe without a writer", 0, read(orphan[0], bytes, sizeof bytes));
        } else {
            check("bytes in a pipe without a writer", 10, waiting(orphan[0]));
        }
        target_pass();
    }
}
