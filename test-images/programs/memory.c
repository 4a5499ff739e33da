// SPDX-License-Identifier: Apache-2.0
//
// memory LOG: areas of every kind, each with a pattern that is verified and partly written anew in every pass. The file
// behind the file mapping is LOG.mapped; the program makes it, and its contents must stay as they are.

#include "target.h"

#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 16, SPARSE_PAGES = 1 << 18, SPARSE_STEP = 1777, HUGE = 2 << 20, GROWN = 12 };

struct area {
    const char *name;
    uint8_t *base;
    uint64_t seeds[PAGES];
    int protection;  // at rest; verified with PROT_READ, written with PROT_WRITE added
};

static struct area areas[16];
static int area_count;

static struct area *add(const char *name, void *base, int protection) {
    struct area *area = &areas[area_count++];
    area->name = name;
    area->base = base;
    area->protection = protection;
    for (int page = 0; page < PAGES; page++) {
        area->seeds[page] = (uint64_t)area_count << 40 | (uint64_t)page << 32;
        pattern_write(area->base + page * PAGE, PAGE, area->seeds[page]);
    }
    if (protection != (PROT_READ | PROT_WRITE)) NEED(mprotect(base, PAGES * PAGE, protection));
    return area;
}

static void *map(int flags, int fd) {
    return NEED(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0));
}

static void visit(struct area *area) {
    if (!(area->protection & PROT_READ)) NEED(mprotect(area->base, PAGES * PAGE, PROT_READ));
    for (int page = 0; page < PAGES; page++)
        pattern_check(area->name, area->base + page * PAGE, PAGE, area->seeds[page]);
    int page = target_passes % PAGES;
    if (!(area->protection & PROT_WRITE)) NEED(mprotect(area->base, PAGES * PAGE, PROT_READ | PROT_WRITE));
    area->seeds[page]++;
    pattern_write(area->base + page * PAGE, PAGE, area->seeds[page]);
    if (area->protection != (PROT_READ | PROT_WRITE)) NEED(mprotect(area->base, PAGES * PAGE, area->protection));
}

// One page in every SPARSE_STEP of a gigabyte is written; all others must read as zero and never be touched.
static uint8_t *sparse;

static void visit_sparse(void) {
    static const uint8_t zeros[PAGE];
    for (int page = 0; page < SPARSE_PAGES; page += SPARSE_STEP)
        pattern_check("sparse area", sparse + (size_t)page * PAGE, PAGE, page);
    size_t empty = 1 + target_passes * SPARSE_STEP % (SPARSE_PAGES - 1);
    if (empty % SPARSE_STEP == 0) return;
    unsigned char resident = 0;
    NEED(mincore(sparse + empty * PAGE, PAGE, &resident));
    if (resident) check("hole of the sparse area", 0, memcmp(sparse + empty * PAGE, zeros, PAGE));
}

// The area flags that no read of its contents shows.
static int has_flag(void *address, const char *flag) {
    FILE *file = fopen("/proc/self/smaps", "re");
    if (!file) give_up("smaps");
    char line[512];
    int inside = 0, found = -1;
    while (fgets(line, sizeof line, file)) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2 && strchr(line, '-') < strchr(line, ' '))
            inside = (uintptr_t)address >= from && (uintptr_t)address < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line + 8, flag) != NULL;
    }
    fclose(file);
    return found;
}

static struct area *locked, *undumped, *unforked, *wiped;
static uint8_t *grown, *huge;
static int file;
static uint64_t huge_seed = 77;

static void visit_flags(void) {
    check("mlocked area", 1, has_flag(locked->base, " lo"));
    check("MADV_DONTFORK area", 1, has_flag(unforked->base, " dc"));
    check("MADV_WIPEONFORK area", 1, has_flag(wiped->base, " wf"));
    check("MADV_DONTDUMP area", 1, has_flag(undumped->base, " dd"));
    check("MAP_GROWSDOWN area", 1, has_flag(grown, " gd"));
    int hugepages = has_flag(huge, " hg");
    static int had = -1;
    if (had < 0) had = hugepages;  // a kernel without huge pages never says it
    check("huge-page advice", had, hugepages);
}

static void visit_file(void) {
    static uint8_t page[PAGE];
    for (int i = 0; i < PAGES; i++) {
        check("length read of the mapped file", PAGE, pread(file, page, PAGE, (off_t)i * PAGE));
        pattern_check("mapped file", page, PAGE, 5000 + i);
    }
}

static void visit_heap(void) {
    static struct {
        uint64_t *words;
        uint64_t seed;
    } blocks[64];
    int which = target_passes % COUNT(blocks);
    for (size_t i = 0; i < COUNT(blocks); i++)
        if (blocks[i].words) pattern_check("heap block", blocks[i].words, 8192, blocks[i].seed);
    free(blocks[which].words);
    blocks[which].words = malloc(8192);
    blocks[which].seed = target_passes;
    pattern_write(blocks[which].words, 8192, blocks[which].seed);
}

// The break itself must be where the last pass left it, and move on from there. (In between malloc moves it, too.)
static uint8_t *program_break;

static void visit_break(void) {
    if (program_break) check("program break", (intptr_t)program_break, (intptr_t)sbrk(0));
    static uint8_t *pages[200];
    for (size_t i = 0; i < COUNT(pages) && pages[i]; i++) pattern_check("page of the break", pages[i], PAGE, i);
    if (target_passes >= COUNT(pages)) return;
    pages[target_passes] = NEED(sbrk(PAGE));
    pattern_write(pages[target_passes], PAGE, target_passes);
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    char path[4096];
    snprintf(path, sizeof path, "%s.mapped", argv[1]);
    file = NEED(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    static uint8_t page[PAGE];
    for (int i = 0; i < PAGES; i++) {
        pattern_write(page, PAGE, 5000 + i);
        check("length written", PAGE, pwrite(file, page, PAGE, (off_t)i * PAGE));
    }

    const int both = PROT_READ | PROT_WRITE;
    add("private area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), both);
    add("PROT_NONE area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), PROT_NONE);
    add("read-only area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), PROT_READ);
    add("executable area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), PROT_READ | PROT_EXEC);
    add("shared anonymous area", map(MAP_SHARED | MAP_ANONYMOUS, -1), both);
    locked = add("mlocked area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), both);
    NEED(mlock(locked->base, PAGES * PAGE));
    unforked = add("MADV_DONTFORK area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), both);
    NEED(madvise(unforked->base, PAGES * PAGE, MADV_DONTFORK));
    wiped = add("MADV_WIPEONFORK area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), both);
    NEED(madvise(wiped->base, PAGES * PAGE, MADV_WIPEONFORK));
    undumped = add("MADV_DONTDUMP area", map(MAP_PRIVATE | MAP_ANONYMOUS, -1), both);
    NEED(madvise(undumped->base, PAGES * PAGE, MADV_DONTDUMP));

    // Of a private file mapping the even pages are the file's own, the odd ones have been written to.
    static struct area mapped;
    mapped.base = map(MAP_PRIVATE, file);
    for (int i = 0; i < PAGES; i++) {
        mapped.seeds[i] = i % 2 ? 6000 + i : 5000 + i;
        if (i % 2) pattern_write(mapped.base + i * PAGE, PAGE, mapped.seeds[i]);
    }

    // Of another one the upper half was overwritten with zeros, which the file does not hold.
    static const uint8_t half_of_zeros[PAGES / 2 * PAGE];
    uint8_t *cleared = map(MAP_PRIVATE, file);
    memset(cleared + PAGES / 2 * PAGE, 0, PAGES / 2 * PAGE);

    sparse = NEED(mmap(NULL, (size_t)SPARSE_PAGES * PAGE, both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    NEED(madvise(sparse, (size_t)SPARSE_PAGES * PAGE, MADV_NOHUGEPAGE));
    for (int i = 0; i < SPARSE_PAGES; i += SPARSE_STEP) pattern_write(sparse + (size_t)i * PAGE, PAGE, i);

    uint8_t *room = NEED(mmap(NULL, 2 * HUGE, both, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    huge = (uint8_t *)(((uintptr_t)room + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
    madvise(huge, HUGE, MADV_HUGEPAGE);
    pattern_write(huge, HUGE, huge_seed);

    // An area that grows when the page below it is touched, with room below to grow into (the guard gap is 256 pages).
    uint8_t *below = NEED(mmap(NULL, 400 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    NEED(munmap(below, 400 * PAGE));
    grown = NEED(mmap(below + 398 * PAGE, 2 * PAGE, both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0));
    pattern_write(grown, 2 * PAGE, 88);
    int grown_pages = 0;

    target_ready();
    for (;;) {
        visit_break();
        for (int i = 0; i < area_count; i++) visit(&areas[i]);
        for (int i = 0; i < PAGES; i++)
            pattern_check("private file mapping", mapped.base + i * PAGE, PAGE, mapped.seeds[i]);
        int odd = (target_passes % (PAGES / 2)) * 2 + 1;
        pattern_write(mapped.base + odd * PAGE, PAGE, ++mapped.seeds[odd]);

        for (int i = 0; i < PAGES / 2; i++) pattern_check("cleared file mapping", cleared + i * PAGE, PAGE, 5000 + i);
        check("zeros over a file", 0, memcmp(cleared + PAGES / 2 * PAGE, half_of_zeros, sizeof half_of_zeros));

        pattern_check("huge-page area", huge, HUGE, huge_seed);
        if (target_passes % 16 == 0) pattern_write(huge, HUGE, ++huge_seed);

        pattern_check("growing area", grown, 2 * PAGE, 88);
        for (int i = 1; i <= grown_pages; i++) pattern_check("grown page", grown - i * PAGE, PAGE, 88 + i);
        if (grown_pages < GROWN && target_passes % 16 == 15) {
            grown_pages++;
            pattern_write(grown - grown_pages * PAGE, PAGE, 88 + grown_pages);
        }

        visit_sparse();
        visit_file();
        visit_heap();
        if (target_passes % 8 == 0) visit_flags();
        program_break = sbrk(0);
        target_pass();
    }
}
