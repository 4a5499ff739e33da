// SPDX-License-Identifier: Apache-2.0
//
// tcplisten LOG PORT: listeners on PORT of the loopback addresses of IPv4 and (where there is one) IPv6, each answering
// a connection with one line, "tcp4 N errors E" or "tcp6 N errors E"; their options and addresses must stay as they are.

#include "target.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    NEED(getsockopt(fd, level, name, &value, &length));
    return value;
}

static void set(int fd, int level, int name, int value) { NEED(setsockopt(fd, level, name, &value, sizeof value)); }

static int listen_four(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = NEED(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    NEED(bind(fd, (struct sockaddr *)&address, sizeof address));
    NEED(listen(fd, 11));
    return fd;
}

static int listen_six(int port) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (errno != EADDRNOTAVAIL) give_up("bind to ::1");
        close(fd);
        return -1;
    }
    NEED(listen(fd, 5));
    return fd;
}

static void answer(int listener, const char *name, unsigned long *answered) {
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0) {
            check("accept", EAGAIN, errno);
            return;
        }
        dprintf(client, "%s %lu errors %lu\n", name, ++*answered, atomic_load(&target_errors));
        close(client);
    }
}

static int port_of(int fd) {
    struct sockaddr_in6 address = {0};
    socklen_t length = sizeof address;
    NEED(getsockname(fd, (struct sockaddr *)&address, &length));
    return ntohs(address.sin6_port);  // at the same place for both families
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 1);
    int port = atoi(argv[2]);
    int four = listen_four(port), six = listen_six(port);
    unsigned long answered_four = 0, answered_six = 0;
    target_ready();
    for (;;) {
        check("IPv4 port", port, port_of(four));
        check("IPv4 is listening", 1, option(four, SOL_SOCKET, SO_ACCEPTCONN));
        check("IPv4 SO_REUSEADDR", 1, option(four, SOL_SOCKET, SO_REUSEADDR));
        check("IPv4 SO_KEEPALIVE", 1, option(four, SOL_SOCKET, SO_KEEPALIVE));
        check("IPv4 TCP_NODELAY", 1, option(four, IPPROTO_TCP, TCP_NODELAY) != 0);
        check("IPv4 CLOEXEC", FD_CLOEXEC, fcntl(four, F_GETFD));
        check("IPv4 O_NONBLOCK", O_NONBLOCK, fcntl(four, F_GETFL) & O_NONBLOCK);
        answer(four, "tcp4", &answered_four);
        if (six >= 0) {
            check("IPv6 port", port, port_of(six));
            check("IPv6 is listening", 1, option(six, SOL_SOCKET, SO_ACCEPTCONN));
            check("IPv6 V6ONLY", 1, option(six, IPPROTO_IPV6, IPV6_V6ONLY));
            check("IPv6 SO_REUSEADDR", 1, option(six, SOL_SOCKET, SO_REUSEADDR));
            answer(six, "tcp6", &answered_six);
        }
        target_pass();
    }
}
