// SPDX-License-Identifier: Apache-2.0
//
// memfd LOG: memory files: one mapped shared at two places, one sealed, one never mapped, one mapped privately, one
// sparse, one mapped whose descriptor is closed.

#include "target.h"

#include <sys/mman.h>
#include <sys/stat.h>

enum { SIZE = 256 * 1024, PAGE = 4096, PAGES = SIZE / PAGE, HOLE = 1 << 28 };

static int create(const char *name, unsigned flags) {
    int fd = NEED(memfd_create(name, flags));
    NEED(ftruncate(fd, SIZE));
    return fd;
}

static uint8_t *map(int protection, int flags, int fd, off_t offset, size_t length) {
    return NEED(mmap(NULL, length, protection, flags, fd, offset));
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    const int both = PROT_READ | PROT_WRITE;
    int shared = create("shared", MFD_CLOEXEC);
    uint8_t *first = map(both, MAP_SHARED, shared, 0, SIZE);
    uint8_t *second = map(PROT_READ, MAP_SHARED, shared, 8 * PAGE, SIZE - 8 * PAGE);  // from the ninth page on
    int again = NEED(dup(shared));
    uint64_t seeds[PAGES];
    for (int i = 0; i < PAGES; i++) pattern_write(first + i * PAGE, PAGE, seeds[i] = i);

    int sealed = create("sealed", MFD_ALLOW_SEALING);
    uint8_t *filling = map(both, MAP_SHARED, sealed, 0, SIZE);
    pattern_write(filling, SIZE, 1111);
    NEED(munmap(filling, SIZE));
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    NEED(fcntl(sealed, F_ADD_SEALS, seals));
    uint8_t *readable = map(PROT_READ, MAP_SHARED, sealed, 0, SIZE);

    static uint64_t page[PAGE / 8];
    int unmapped = create("never mapped", 0);
    pattern_write(page, PAGE, 2222);
    NEED(pwrite(unmapped, page, PAGE, 5 * PAGE));
    NEED(lseek(unmapped, 4242, SEEK_SET));

    int original = create("privately mapped", 0);
    uint8_t *private = map(both, MAP_PRIVATE, original, 0, SIZE);
    pattern_write(page, PAGE, 3333);
    NEED(pwrite(original, page, PAGE, 0));
    NEED(pwrite(original, page, PAGE, PAGE));
    pattern_write(private + PAGE, PAGE, 4444);

    int sparse = NEED(memfd_create("sparse", 0));
    NEED(ftruncate(sparse, HOLE));
    NEED(pwrite(sparse, page, PAGE, HOLE - PAGE));
    struct stat status;
    NEED(fstat(sparse, &status));
    blkcnt_t blocks = status.st_blocks;

    int closed = create("closed", 0);
    uint8_t *orphan = map(both, MAP_SHARED, closed, 0, SIZE), *twin = map(both, MAP_SHARED, closed, 0, SIZE);
    close(closed);
    pattern_write(orphan, SIZE, 5555);

    target_ready();
    for (;;) {
        for (int i = 0; i < PAGES; i++) {
            pattern_check("first mapping", first + i * PAGE, PAGE, seeds[i]);
            if (i >= 8) pattern_check("second mapping", second + (i - 8) * PAGE, PAGE, seeds[i]);
        }
        int which = target_passes % PAGES;
        pattern_write(first + which * PAGE, PAGE, ++seeds[which]);
        check("length read", PAGE, pread(again, page, PAGE, which * PAGE));
        pattern_check("what was mapped, read", page, PAGE, seeds[which]);

        check("seals", seals, fcntl(sealed, F_GET_SEALS));
        pattern_check("sealed contents", readable, SIZE, 1111);
        check("writing to sealed contents", -1, pwrite(sealed, page, PAGE, 0));
        check("writing to sealed contents", EPERM, errno);
        check("seals of one that has none", F_SEAL_SEAL, fcntl(unmapped, F_GET_SEALS) & ~0x20);

        check("offset", 4242, lseek(unmapped, 0, SEEK_CUR));
        check("length read", PAGE, pread(unmapped, page, PAGE, 5 * PAGE));
        pattern_check("contents never mapped", page, PAGE, 2222);

        pattern_check("private mapping, as in the file", private, PAGE, 3333);
        pattern_check("private mapping, written", private + PAGE, PAGE, 4444);
        check("length read", PAGE, pread(original, page, PAGE, PAGE));
        pattern_check("the file under a private mapping", page, PAGE, 3333);

        NEED(fstat(sparse, &status));
        check("size of the sparse file", HOLE, status.st_size);
        if (status.st_blocks > blocks + 4096) wrong("blocks of the sparse file", blocks, status.st_blocks);
        check("length read", PAGE, pread(sparse, page, PAGE, HOLE - PAGE));
        pattern_check("end of the sparse file", page, PAGE, 3333);

        pattern_check("mapping without a descriptor", orphan, SIZE, 5555 + target_passes);
        pattern_write(twin, SIZE, 5555 + target_passes + 1);
        check("CLOEXEC", FD_CLOEXEC, fcntl(shared, F_GETFD));
        check("no CLOEXEC", 0, fcntl(again, F_GETFD));
        target_pass();
    }
}
