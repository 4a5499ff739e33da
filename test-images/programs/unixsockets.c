// SPDX-License-Identifier: Apache-2.0
//
// unixsockets LOG PATH: socket pairs of all three types with unread data both ways, and a listening socket at PATH that
// answers each connection with one line, "unix N errors E".

#include "target.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { STREAM_HELD = 3000, MESSAGES = 5 };

struct pair {
    const char *name;
    int type, fds[2];
    uint32_t written[2], read[2];  // counted per direction: bytes of a stream, messages otherwise
};

static struct pair pairs[] = {
    {.name = "stream", .type = SOCK_STREAM},
    {.name = "datagram", .type = SOCK_DGRAM | SOCK_NONBLOCK},
    {.name = "seqpacket", .type = SOCK_SEQPACKET | SOCK_CLOEXEC},
};

static int is_stream(const struct pair *pair) { return (pair->type & 0xf) == SOCK_STREAM; }

static int length_of(uint32_t number) { return 1 + number * 37 % 500; }

static void send_some(struct pair *pair, int way, uint32_t count) {
    uint8_t bytes[4096];
    if (is_stream(pair)) {
        for (uint32_t i = 0; i < count; i++) bytes[i] = (uint8_t)(pair->written[way]++ * 7 + way);
        check(pair->name, count, send(pair->fds[way], bytes, count, MSG_DONTWAIT));
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = pair->written[way]++;
        memset(bytes, (int)(number + way), sizeof bytes);
        check(pair->name, length_of(number), send(pair->fds[way], bytes, length_of(number), MSG_DONTWAIT));
    }
}

static void receive_some(struct pair *pair, int way, uint32_t count) {
    uint8_t bytes[4096];
    int fd = pair->fds[!way];
    if (is_stream(pair)) {
        for (uint32_t done = 0; done < count;) {
            ssize_t n = recv(fd, bytes, count - done, MSG_DONTWAIT);
            if (n <= 0) {
                wrong(pair->name, count - done, n < 0 ? -errno : n);
                return;
            }
            for (ssize_t i = 0; i < n; i++)
                check_at(pair->name, i, (uint8_t)(pair->read[way]++ * 7 + way), bytes[i]);
            done += n;
        }
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = pair->read[way]++;
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (!check(pair->name, length_of(number), n)) continue;
        check(pair->name, (uint8_t)(number + way), bytes[0]);
        check(pair->name, (uint8_t)(number + way), bytes[n - 1]);
    }
}

static int option(int fd, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    NEED(getsockopt(fd, SOL_SOCKET, name, &value, &length));
    return value;
}

static int listen_at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        give_up(path);
    }
    strcpy(address.sun_path, path);
    unlink(path);
    int fd = NEED(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    NEED(bind(fd, (struct sockaddr *)&address, sizeof address));
    NEED(listen(fd, 7));
    return fd;
}

static void answer(int listener) {
    static unsigned long answered;
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) {
            check("accept", EAGAIN, errno);
            return;
        }
        dprintf(client, "unix %lu errors %lu\n", ++answered, atomic_load(&target_errors));
        close(client);
    }
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 1);
    int listener = listen_at(argv[2]);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        NEED(socketpair(AF_UNIX, pairs[i].type, 0, pairs[i].fds));
        for (int way = 0; way < 2; way++) send_some(&pairs[i], way, is_stream(&pairs[i]) ? STREAM_HELD : MESSAGES);
    }
    int wanted = 131072, on = 1;
    NEED(setsockopt(pairs[0].fds[0], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted));
    NEED(setsockopt(pairs[0].fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    int buffer = option(pairs[0].fds[0], SO_SNDBUF);

    int closed[2];  // one whose other end said something and closed
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, closed));
    NEED(send(closed[1], "gone", 4, 0));
    close(closed[1]);
    int half[2];  // one that was shut down for writing
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, half));
    NEED(shutdown(half[0], SHUT_WR));

    target_ready();
    for (;;) {
        for (size_t i = 0; i < COUNT(pairs); i++) {
            struct pair *pair = &pairs[i];
            uint32_t some = is_stream(pair) ? 1 + target_passes % 999 : 1 + target_passes % 3;
            for (int way = 0; way < 2; way++) {
                receive_some(pair, way, some);
                send_some(pair, way, some);
            }
            check(pair->name, pair->type & 0xf, option(pair->fds[0], SO_TYPE));
            check(pair->name, pair->type & O_NONBLOCK, fcntl(pair->fds[1], F_GETFL) & O_NONBLOCK);
            check(pair->name, pair->type & SOCK_CLOEXEC ? FD_CLOEXEC : 0, fcntl(pair->fds[1], F_GETFD));
        }
        check("size of the send buffer", buffer, option(pairs[0].fds[0], SO_SNDBUF));
        check("SO_PASSCRED", 1, option(pairs[0].fds[1], SO_PASSCRED));
        check("SO_ACCEPTCONN", 1, option(listener, SO_ACCEPTCONN));

        char bytes[8];
        check("words of a closed end", 4, recv(closed[0], bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT));
        check("end of a socket shut down", 0, recv(half[1], bytes, sizeof bytes, MSG_DONTWAIT));
        check("nothing the other way", -1, recv(half[0], bytes, sizeof bytes, MSG_DONTWAIT));
        check("nothing the other way", EAGAIN, errno);
        check("sending after a shutdown", -1, send(half[0], "x", 1, MSG_DONTWAIT));
        check("sending after a shutdown", EPIPE, errno);
        answer(listener);
        target_pass();
    }
}
