// SPDX-License-Identifier: Apache-2.0
//
// What both monitors share: options, a log of whole lines, errors that are counted, and a way to call KVM.
//
// The log says "ready", then "pass N errors E ..." for each pass of the guest, and one line
// "error: WHAT expected X got Y" for each thing found wrong, by the guest or by the monitor. "failed: ..." is a fault of
// the machine. A monitor that finds the guest's own sequence wrong says so and exits with 1: then an I/O was lost or
// came twice, and nothing after it can be trusted.

#ifndef MONITOR_H
#define MONITOR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define KIB 1024UL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PAGE 4096UL

static int monitor_log = STDOUT_FILENO;
static atomic_ulong monitor_errors;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length >= (int)sizeof line) length = sizeof line - 1;
    while (write(monitor_log, line, length) < 0 && errno == EINTR) {
    }
}

// A fault of the machine, of an option, or of KVM.
__attribute__((noreturn)) static UNUSED void give_up(const char *what) {
    int error = errno;
    say("failed: %s: %s\n", what, strerror(error));
    _exit(2);
}

#define NEED(call)                                           \
    ({                                                       \
        __typeof__(call) result_ = (call);                   \
        if (result_ == (__typeof__(call))-1) give_up(#call); \
        result_;                                             \
    })

static UNUSED void wrong(const char *what, uint64_t expected, uint64_t got) {
    atomic_fetch_add(&monitor_errors, 1);
    say("error: %s expected %#llx got %#llx\n", what, (unsigned long long)expected, (unsigned long long)got);
}

// What the guest sends must be what it should send next; otherwise all is over.
static UNUSED void must_be(const char *what, uint64_t expected, uint64_t got) {
    if (expected == got) return;
    wrong(what, expected, got);
    _exit(1);
}

// Options are "--name number"; "--log file" is one more.
struct option {
    const char *name;
    unsigned long *value;
};

static UNUSED void read_options(int argc, char **argv, const struct option *options, size_t count) {
    for (int i = 1; i < argc; i += 2) {
        size_t at = 0;
        while (at < count && (strncmp(argv[i], "--", 2) != 0 || strcmp(argv[i] + 2, options[at].name) != 0)) at++;
        char *end = NULL;
        if (i + 1 < argc && strcmp(argv[i], "--log") == 0) {
            monitor_log = NEED(open(argv[i + 1], O_WRONLY | O_CREAT | O_APPEND, 0600));
            continue;
        }
        if (i + 1 < argc && at < count) *options[at].value = strtoul(argv[i + 1], &end, 0);
        if (end == NULL || *end != 0 || end == argv[i + 1]) {
            fprintf(stderr, "%s: --log FILE", argv[0]);
            for (at = 0; at < count; at++) fprintf(stderr, " | --%s N (%lu)", options[at].name, *options[at].value);
            fprintf(stderr, "\n");
            exit(2);
        }
    }
}

static UNUSED int64_t now_nanos(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static UNUSED void nap(int64_t nanos) {
    struct timespec t = {nanos / 1000000000, nanos % 1000000000};
    while (nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

// Sleeps until the next of `rate` events a second is due; 0 is no sleep. A time in which nothing ran is not made up for.
static UNUSED void pace(int64_t *next, unsigned long rate) {
    if (rate == 0) return;
    *next += 1000000000 / rate;
    int64_t wait = *next - now_nanos();
    if (wait < -1000000000) *next = now_nanos();
    if (wait > 0) nap(wait);
}

static UNUSED void set_slot(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t bytes, void *host) {
    struct kvm_userspace_memory_region region = {
        .slot = slot,
        .flags = flags,
        .guest_phys_addr = gpa,
        .memory_size = bytes,
        .userspace_addr = (uintptr_t)host,
    };
    NEED(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
}

static UNUSED void offer_all_features(int kvm, int vcpu, uint32_t apic_id) {
    enum { MOST = 256 };
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + MOST * sizeof cpuid->entries[0]);
    cpuid->nent = MOST;
    NEED(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid));
    for (uint32_t i = 0; i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
        if (entry->function == 1) entry->ebx = (entry->ebx & 0xffffff) | apic_id << 24;
        if (entry->function == 0xb || entry->function == 0x1f) entry->edx = apic_id;
    }
    NEED(ioctl(vcpu, KVM_SET_CPUID2, cpuid));
    free(cpuid);
}

// The guest's program, as nasm made it, becomes a part of the monitor.
#define GUEST_PROGRAM(file)                      \
    __asm__(".section .rodata\n"                 \
            ".balign 16\n"                       \
            "guest_program: .incbin \"" file "\"\n" \
            "guest_program_end: .byte 0\n"       \
            ".previous\n");                      \
    extern const uint8_t guest_program[], guest_program_end[]

#endif
