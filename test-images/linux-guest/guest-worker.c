// SPDX-License-Identifier: Apache-2.0
//
// The one process of the Linux guest. It keeps memory, a disk and the clock under its own eyes and says once per
// tick, on the serial console, what it found. A page, a block or a second lost by a checkpoint shows in these lines.
//
// Parameters, read from the kernel command line:
//   vmckpt.mem=512     MiB to fill with incompressible data and to keep verifying (at most 3/4 of what there is)
//   vmckpt.tick=100    milliseconds from one line to the next
//   vmckpt.dirty=32    MiB rewritten per second (both threads together)
//   vmckpt.verify=0    MiB verified per second (both threads together); 0 is as fast as the cpus go
//   vmckpt.disk=100    disk blocks written per second; 0 leaves the disk alone
//
// Lines of input: "ping" answers "pong", "poweroff" ends the guest.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, THREADS = 2, DISK_BATCH = 8, MAX_SLOTS = 4096, SHOWN_ERRORS = 20 };

static const char DISK_MAGIC[16] = "vmckpt-disk-v1\n";
static const int64_t SECOND = 1000000000;
static const int64_t JUMP = 5 * 1000000000LL;

static atomic_ulong mem_errors, disk_errors, disk_blocks, shown_errors;
static atomic_int filled;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void nap(int64_t nanoseconds) {
    struct timespec t = {nanoseconds / SECOND, nanoseconds % SECOND};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

// One write per line: lines of different threads never mix.
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[256];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length >= (int)sizeof line) length = sizeof line - 1;
    for (int done = 0; done < length;) {
        ssize_t n = write(STDOUT_FILENO, line + done, length - done);
        if (n < 0 && errno != EINTR && errno != EAGAIN) return;
        if (n > 0) done += n;
    }
}

static unsigned long parameter(const char *name, unsigned long otherwise) {
    static char line[4096];
    if (!line[0]) {
        int fd = open("/proc/cmdline", O_RDONLY);
        ssize_t n = fd < 0 ? 0 : read(fd, line + 1, sizeof line - 2);
        line[0] = ' ';
        line[n > 0 ? n + 1 : 1] = 0;
        if (fd >= 0) close(fd);
    }
    char key[64];
    snprintf(key, sizeof key, " vmckpt.%s=", name);
    const char *at = strstr(line, key);
    return at ? strtoul(at + strlen(key), NULL, 10) : otherwise;
}

static uint64_t scramble(uint64_t x) {
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

// Fills words with a pseudo-random sequence and returns its checksum; the inner step is six cheap operations, for
// an interpreted cpu has to do it a hundred million times at the start.
static uint64_t fill(uint64_t *words, size_t count, uint64_t seed) {
    uint64_t x = scramble(seed) | 1, sum = seed;
    for (size_t i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        words[i] = x;
        sum = ((sum << 5) | (sum >> 59)) + x;
    }
    return sum;
}

static uint64_t checksum(const uint64_t *words, size_t count, uint64_t seed) {
    uint64_t sum = seed;
    for (size_t i = 0; i < count; i++) sum = ((sum << 5) | (sum >> 59)) + words[i];
    return sum;
}

// ---- memory -------------------------------------------------------------------------------------------------

struct page_note {
    uint64_t seed;
    uint64_t sum;
};

static struct {
    uint8_t *base;
    size_t pages;
    struct page_note *notes;
    uint64_t dirty_rate, verify_rate;  // pages per second and thread; verify_rate 0 is unlimited
} memory;

static void page_write(size_t page, uint64_t seed) {
    memory.notes[page].seed = seed;
    memory.notes[page].sum = fill((uint64_t *)(memory.base + page * PAGE), WORDS, seed);
}

static void page_verify(size_t page) {
    struct page_note *note = &memory.notes[page];
    uint64_t sum = checksum((uint64_t *)(memory.base + page * PAGE), WORDS, note->seed);
    if (sum == note->sum) return;
    atomic_fetch_add(&mem_errors, 1);
    if (atomic_fetch_add(&shown_errors, 1) < SHOWN_ERRORS)
        say("error: memory page %zu expected %016llx got %016llx\n", page, (unsigned long long)note->sum,
            (unsigned long long)sum);
    page_write(page, note->seed + 1);
}

// Each thread owns every other 2 MiB of the memory, so that no page is written by one while read by another.
static void *memory_thread(void *which) {
    const size_t chunk = 512;
    const size_t mine = (uintptr_t)which;
    setpriority(PRIO_PROCESS, 0, 5);  // on Linux this is the thread's own: ticks come first
    for (size_t base = mine * chunk; base < memory.pages; base += THREADS * chunk)
        for (size_t page = base; page < base + chunk && page < memory.pages; page++) page_write(page, page << 20);
    if (atomic_fetch_add(&filled, 1) + 1 == THREADS) say("ready mem %zu MiB\n", memory.pages / 256);
    while (atomic_load(&filled) < THREADS) nap(SECOND / 100);

    int64_t since = now();
    uint64_t verified = 0, rewritten = 0, random = scramble(mine);
    for (;;) {
        for (size_t base = mine * chunk; base < memory.pages; base += THREADS * chunk) {
            for (size_t page = base; page < base + chunk && page < memory.pages; page++) {
                page_verify(page);
                verified++;
                if (verified % 32 != 0) continue;
                int64_t passed = now() - since;
                if (passed > SECOND) passed = SECOND;
                uint64_t due = memory.dirty_rate * passed / SECOND;
                while (rewritten < due) {
                    random = scramble(random);
                    size_t victim = (random % ((memory.pages + THREADS * chunk - 1) / (THREADS * chunk))) *
                                        THREADS * chunk + mine * chunk + (random >> 40) % chunk;
                    rewritten++;
                    if (victim >= memory.pages) continue;
                    page_verify(victim);
                    page_write(victim, memory.notes[victim].seed + 1);
                }
                if (memory.verify_rate != 0) {
                    int64_t early = (int64_t)(verified * SECOND / memory.verify_rate) - (now() - since);
                    if (early > SECOND / 100) nap(early < SECOND / 10 ? early : SECOND / 10);
                }
                if (passed == SECOND) {
                    since = now();
                    verified = 0;
                    rewritten = 0;
                }
            }
        }
    }
    return NULL;
}

static void start_memory(void) {
    size_t bytes = parameter("mem", 512) << 20;
    struct sysinfo machine;
    if (sysinfo(&machine) == 0 && bytes > machine.totalram / 4 * 3 * machine.mem_unit)
        bytes = (machine.totalram / 4 * 3 * machine.mem_unit) >> 20 << 20;
    memory.pages = bytes / PAGE;
    memory.dirty_rate = parameter("dirty", 32) * 256 / THREADS;
    memory.verify_rate = parameter("verify", 0) * 256 / THREADS;
    if (bytes == 0) {
        say("ready mem 0 MiB\n");
        return;
    }
    memory.base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory.notes = mmap(NULL, memory.pages * sizeof *memory.notes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory.base == MAP_FAILED || memory.notes == MAP_FAILED) {
        say("error: no memory of %zu MiB\n", bytes >> 20);
        return;
    }
    madvise(memory.base, bytes, MADV_HUGEPAGE);
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, memory_thread, (void *)i) != 0) say("error: no thread for memory\n");
    }
}

// ---- disk ---------------------------------------------------------------------------------------------------

// Block 0 of the disk is its label; each block after it is one slot.
struct block {
    char magic[16];
    uint64_t slot;
    uint64_t sequence;
    uint64_t sum;
    uint64_t data[WORDS - 5];
};
_Static_assert(sizeof(struct block) == PAGE, "a block is one page");

enum { DATA_WORDS = WORDS - 5 };

static uint64_t expected[MAX_SLOTS];  // the sequence number each slot must have; 0: not yet known

static void block_error(uint64_t slot, const char *what, uint64_t want, uint64_t got) {
    atomic_fetch_add(&disk_errors, 1);
    if (atomic_fetch_add(&shown_errors, 1) < SHOWN_ERRORS)
        say("error: disk slot %llu %s expected %llx got %llx\n", (unsigned long long)slot, what,
            (unsigned long long)want, (unsigned long long)got);
}

static int block_is_whole(const struct block *block, uint64_t slot) {
    return memcmp(block->magic, DISK_MAGIC, sizeof block->magic) == 0 && block->slot == slot &&
           block->sum == checksum(block->data, DATA_WORDS, block->sequence);
}

static void *disk_thread(void *rate) {
    static _Alignas(PAGE) struct block block;
    int cached = open("/dev/vda", O_RDWR | O_CLOEXEC);
    int direct = open("/dev/vda", O_RDONLY | O_DIRECT | O_CLOEXEC);
    uint64_t size = 0;
    if (cached < 0 || direct < 0 || ioctl(cached, BLKGETSIZE64, &size) != 0 || size < 64 * PAGE) return NULL;

    // A disk that is neither empty nor ours belongs to somebody.
    static const struct block empty;
    if (pread(direct, &block, PAGE, 0) != PAGE) return NULL;
    if (memcmp(&block, &empty, PAGE) != 0 && !block_is_whole(&block, 0)) {
        say("disk /dev/vda holds something else and is left alone\n");
        return NULL;
    }
    uint64_t slots = size / PAGE - 1 < MAX_SLOTS ? size / PAGE - 1 : MAX_SLOTS;
    uint64_t sequence = block.sequence, random = scramble(size);
    int64_t pace = SECOND / (int64_t)(uintptr_t)rate;

    for (;;) {
        for (int i = 0; i < DISK_BATCH; i++) {
            sequence++;
            uint64_t slot = 1 + sequence % slots;
            memcpy(block.magic, DISK_MAGIC, sizeof block.magic);
            block.slot = slot;
            block.sequence = sequence;
            block.sum = fill(block.data, DATA_WORDS, sequence);
            if (pwrite(cached, &block, PAGE, slot * PAGE) != PAGE) block_error(slot, "write errno", 0, errno);
            expected[slot - 1] = sequence;
            atomic_fetch_add(&disk_blocks, 1);
            nap(pace);
        }
        block.slot = 0;
        block.sequence = sequence;
        block.sum = fill(block.data, DATA_WORDS, sequence);
        if (pwrite(cached, &block, PAGE, 0) != PAGE) block_error(0, "write errno", 0, errno);
        if (fdatasync(cached) != 0) block_error(0, "fdatasync errno", 0, errno);

        // Read back, past the page cache, as many as were written: the newest one and some of any age.
        for (int i = 0; i < DISK_BATCH; i++) {
            random = scramble(random);
            uint64_t slot = i == 0 ? 1 + sequence % slots : 1 + random % slots;
            if (expected[slot - 1] == 0) continue;
            if (pread(direct, &block, PAGE, slot * PAGE) != PAGE) {
                block_error(slot, "read errno", 0, errno);
            } else if (!block_is_whole(&block, slot)) {
                block_error(slot, "checksum", checksum(block.data, DATA_WORDS, block.sequence), block.sum);
            } else if (block.sequence != expected[slot - 1]) {
                block_error(slot, "sequence", expected[slot - 1], block.sequence);
                expected[slot - 1] = block.sequence;
            }
        }
    }
}

static void start_disk(void) {
    uintptr_t rate = parameter("disk", 100);
    pthread_t thread;
    if (rate == 0 || access("/dev/vda", F_OK) != 0) return;
    if (pthread_create(&thread, NULL, disk_thread, (void *)rate) != 0) say("error: no thread for the disk\n");
}

// ---- console ------------------------------------------------------------------------------------------------

static void obey(const char *line) {
    if (strcmp(line, "ping") == 0) say("pong\n");
    if (strcmp(line, "poweroff") == 0) {
        say("powering off\n");
        tcdrain(STDOUT_FILENO);
        sync();
        reboot(RB_POWER_OFF);
    }
}

static void read_console(void) {
    static char line[64];
    static size_t length;
    char bytes[64];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r') {
            line[length] = 0;
            length = 0;
            obey(line);
        } else if (length < sizeof line - 1) {
            line[length++] = bytes[i];
        }
    }
}

int main(void) {
    struct termios tty;
    if (tcgetattr(STDIN_FILENO, &tty) == 0) {
        tty.c_lflag &= ~(ECHO | ICANON | ISIG);
        tty.c_cc[VMIN] = 0;
        tty.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &tty);
    }
    start_memory();
    start_disk();

    int64_t tick = parameter("tick", 100) * (SECOND / 1000), next = now(), last = next;
    unsigned long jumps = 0;
    if (tick <= 0) tick = SECOND / 10;
    for (unsigned long number = 1;; number++) {
        int64_t time = now();
        if (time - last > JUMP || time < last) jumps++;
        last = time;
        say("tick %lu uptime %lld.%02lld mem-errors %lu disk-errors %lu disk-blocks %lu clock-jumps %lu\n", number,
            (long long)(time / SECOND), (long long)(time % SECOND / (SECOND / 100)), atomic_load(&mem_errors),
            atomic_load(&disk_errors), atomic_load(&disk_blocks), jumps);
        next += tick;
        if (next < time) next = time + tick;
        while ((time = now()) < next) {
            struct pollfd console = {STDIN_FILENO, POLLIN, 0};
            int64_t left = (next - time + SECOND / 1000 - 1) / (SECOND / 1000);
            int ready = poll(&console, 1, left > 1000 ? 1000 : (int)left);
            if (ready > 0 && (console.revents & POLLIN)) {
                read_console();
            } else if (ready > 0) {
                nap(next - time);  // no console any more: only the clock is left
            }
        }
    }
}
