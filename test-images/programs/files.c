// SPDX-License-Identifier: Apache-2.0
//
// files LOG: open files beside the log, named LOG.NAME: offsets, duplicated descriptors that share one and separate
// ones that do not, appending, flags, locks of both kinds, a deleted file with contents, a directory, the null device,
// the master of a pseudo-terminal.

#include "target.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { SIZE = 64 * 1024 };

static const char *prefix;

static const char *path(const char *name) {
    static char text[4096];
    snprintf(text, sizeof text, "%s.%s", prefix, name);
    return text;
}

static int create(const char *name, int flags) {
    int fd = NEED(open(path(name), flags | O_CREAT | O_TRUNC, 0600));
    for (int i = 0; i < SIZE; i += 4096) {
        uint64_t page[512];
        pattern_write(page, sizeof page, i);
        if (write(fd, page, sizeof page) != sizeof page) give_up(name);
    }
    return fd;
}

static int has(int fd, int flag) { return (fcntl(fd, F_GETFL) & flag) == flag; }

static struct flock range(int type, off_t start, off_t length) {
    return (struct flock){.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

// A child sees this process's POSIX locks as another's; here in the process they cannot be seen.
static void check_posix_lock(const char *name) {
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path(name), O_RDWR);
        struct flock lock = range(F_WRLCK, 100, 50);
        if (fd < 0 || fcntl(fd, F_GETLK, &lock) != 0) _exit(100);
        _exit(lock.l_type == F_WRLCK && lock.l_start == 100 && lock.l_len == 50 && lock.l_pid == getppid() ? 0 : 1);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    check("POSIX lock", 0, status);
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    prefix = argv[1];
    int one = create("plain", O_RDWR);
    int same = NEED(dup(one));
    int high = NEED(fcntl(one, F_DUPFD_CLOEXEC, 200));
    int other = NEED(open(path("plain"), O_RDONLY | O_CLOEXEC));
    int appending = NEED(open(path("appended"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600));
    int deleted = create("deleted", O_RDWR);
    NEED(unlink(path("deleted")));
    int unnamed_again = NEED(dup(deleted));
    int posix = create("posix-lock", O_RDWR);
    int open_lock = create("ofd-lock", O_RDWR), open_rival = NEED(open(path("ofd-lock"), O_RDWR));
    int whole_lock = create("flock", O_RDWR), whole_rival = NEED(open(path("flock"), O_RDWR));
    int directory = NEED(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int root = NEED(open("/", O_PATH | O_DIRECTORY));
    int null = NEED(open("/dev/null", O_WRONLY | O_NONBLOCK));
    int zero = NEED(open("/dev/zero", O_RDONLY));
    int terminal = NEED(posix_openpt(O_RDWR | O_NOCTTY));
    NEED(fcntl(terminal, F_SETFL, O_NONBLOCK | O_ASYNC));

    struct flock lock = range(F_WRLCK, 100, 50);
    NEED(fcntl(posix, F_SETLK, &lock));
    lock = range(F_WRLCK, 1000, 24);
    NEED(fcntl(open_lock, F_OFD_SETLK, &lock));
    NEED(flock(whole_lock, LOCK_EX));
    NEED(lseek(other, 12345, SEEK_SET));
    NEED(lseek(deleted, 777, SEEK_SET));
    off_t offset = 4096, appended = 0;
    NEED(lseek(one, offset, SEEK_SET));

    target_ready();
    for (;;) {
        static uint64_t page[512];
        off_t next = (offset + 4096) % SIZE;
        int reader = target_passes % 3 == 0 ? one : target_passes % 3 == 1 ? same : high;
        check("shared offset", offset, lseek(one, 0, SEEK_CUR));
        check("shared offset", offset, lseek(same, 0, SEEK_CUR));
        check("shared offset", offset, lseek(high, 0, SEEK_CUR));
        check("length read", 4096, read(reader, page, sizeof page));
        pattern_check("contents", page, sizeof page, offset);
        if (next == 0) NEED(lseek(same, 0, SEEK_SET));
        offset = next;
        check("offset of its own", 12345, lseek(other, 0, SEEK_CUR));
        check("CLOEXEC of a duplicate", FD_CLOEXEC, fcntl(high, F_GETFD));
        check("no CLOEXEC of the first", 0, fcntl(one, F_GETFD));
        check("read-only", O_RDONLY, fcntl(other, F_GETFL) & O_ACCMODE);

        if (appended < SIZE) {
            NEED(lseek(appending, 0, SEEK_SET));
            check("length appended", 16, write(appending, "sixteen letters\n", 16));
            appended += 16;
        }
        struct stat status;
        NEED(fstat(appending, &status));
        check("O_APPEND", 1, has(appending, O_APPEND));
        check("size of what is appended to", appended, status.st_size);

        NEED(fstat(deleted, &status));
        check("links of the deleted file", 0, status.st_nlink);
        check("size of the deleted file", SIZE, status.st_size);
        check("offset in the deleted file", 777, lseek(unnamed_again, 0, SEEK_CUR));
        for (int i = 0; i < SIZE; i += 4096) {
            check("length read of the deleted file", 4096, pread(deleted, page, sizeof page, i));
            pattern_check("the deleted file", page, sizeof page, i);
        }

        lock = range(F_WRLCK, 0, 0);
        NEED(fcntl(open_rival, F_OFD_GETLK, &lock));
        check("OFD lock", F_WRLCK, lock.l_type);
        check("start of the OFD lock", 1000, lock.l_start);
        check("length of the OFD lock", 24, lock.l_len);
        check("rival of flock", -1, flock(whole_rival, LOCK_EX | LOCK_NB));
        check("rival of flock", EWOULDBLOCK, errno);
        if (target_passes % 16 == 0) check_posix_lock("posix-lock");

        NEED(fstat(directory, &status));
        check("a directory", 1, S_ISDIR(status.st_mode));
        check("a name in a directory", 0, faccessat(directory, "proc", F_OK, 0));
        check("O_PATH", 1, has(root, O_PATH));
        check("a name in an O_PATH directory", 0, faccessat(root, "proc", F_OK, 0));
        check("/dev/null", 1, write(null, "x", 1));
        check("O_NONBLOCK of /dev/null", 1, has(null, O_NONBLOCK));
        check("flags of a terminal's master", 1, has(terminal, O_NONBLOCK | O_ASYNC));
        check("/dev/zero", sizeof page, read(zero, page, sizeof page));
        target_pass();
    }
}
