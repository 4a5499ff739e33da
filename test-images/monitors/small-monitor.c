// SPDX-License-Identifier: Apache-2.0
//
// small-monitor: the least that is a KVM monitor. One vcpu, run by the main thread; one anonymous mapping for the
// guest's memory; no interrupt controller; port I/O and nothing else. The guest (small-guest.asm) starts in long mode,
// with page tables that were made for it here.
//
//   --memory MIB     of the guest, 4 to 1024
//   --rate N         I/Os a second, 0 for as many as it can: the monitor sleeps between an exit and its answer
//   --burst N        IN and OUT in one pass of the guest
//   --seconds S      ends by itself, 0 for never
// and faults, for a test of the test; N counts from 1, 0 is never:
//   --repeat-in N    answers the Nth IN with the number before   --lose-in N    skips a number there
//   --repeat-out N   sees the Nth OUT twice                      --lose-out N   does not see it
//   --repeat-ins N   the same for the Nth string in              --flip-bit N   changes memory after pass N

#include "monitor.h"

GUEST_PROGRAM(GUEST);

enum { PORT_OUT = 0x510, PORT_IN = 0x514, PORT_OUTS = 0x518, PORT_INS = 0x51c, PORT_PASS = 0x520, PORT_ERROR = 0x524 };
enum { PROGRAM = 0x10000, BLOCK = 0x8000, TABLES = 0x2000, MEMORY = 0x20000 };

// At BLOCK, as small-guest.asm has it.
struct block {
    uint64_t burst, memory_end;
    uint64_t pass, chunks;
    uint64_t kind, expected, got;
};

static unsigned long memory_mib = 32, rate, burst = 512, seconds;
static unsigned long repeat_in, lose_in, repeat_out, lose_out, repeat_ins, flip_bit;
static const struct option options[] = {
    {"memory", &memory_mib},     {"rate", &rate},           {"burst", &burst},           {"seconds", &seconds},
    {"repeat-in", &repeat_in},   {"lose-in", &lose_in},     {"repeat-out", &repeat_out}, {"lose-out", &lose_out},
    {"repeat-ins", &repeat_ins}, {"flip-bit", &flip_bit},
};

static uint8_t *memory;
static struct block *block;
static uint32_t next_in, next_out;
static uint8_t next_byte_in, next_byte_out;
static unsigned long passes, ins, outs, strings_in, strings_out, exits;
static int64_t next_exit;

// Each 2 MiB of memory at its own address; what lies above the memory is not mapped.
static void make_page_tables(void) {
    enum { PRESENT = 1, WRITABLE = 2, USER = 4, LARGE = 0x80 };
    uint64_t *tables = (uint64_t *)(memory + TABLES);
    tables[0] = (TABLES + PAGE) | PRESENT | WRITABLE | USER;
    tables[512] = (TABLES + 2 * PAGE) | PRESENT | WRITABLE | USER;
    for (uint64_t i = 0; i < memory_mib / 2; i++) tables[1024 + i] = i << 21 | PRESENT | WRITABLE | USER | LARGE;
}

static void start_in_long_mode(int vcpu) {
    struct kvm_sregs sregs;
    NEED(ioctl(vcpu, KVM_GET_SREGS, &sregs));
    struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.cr0 = 0x80000033;    // PG, NE, ET, MP, PE
    sregs.cr3 = TABLES;
    sregs.cr4 = 0x620;         // PAE, OSFXSR, OSXMMEXCPT
    sregs.efer = 0x500;        // LME, LMA
    NEED(ioctl(vcpu, KVM_SET_SREGS, &sregs));
    struct kvm_regs regs = {.rip = PROGRAM, .rflags = 2, .rsp = BLOCK};
    NEED(ioctl(vcpu, KVM_SET_REGS, &regs));
}

static void guest_error(void) {
    static const char *const kinds[] = {"?", "IN", "INS", "memory", "register"};
    wrong(kinds[block->kind < COUNT(kinds) ? block->kind : 0], block->expected, block->got);
}

static void guest_pass(void) {
    must_be("pass", ++passes, block->pass);
    say("pass %llu errors %lu in %lu out %lu ins %lu outs %lu chunks %llu\n", (unsigned long long)block->pass,
        atomic_load(&monitor_errors), ins, outs, strings_in, strings_out, (unsigned long long)block->chunks);
    if (block->pass == flip_bit) memory[MEMORY + (block->chunks * 7919 % 100) * 8] ^= 0x10;
}

static uint32_t answer(void) {
    ins++;
    if (ins == repeat_in && next_in > 0) return --next_in, next_in++;
    if (ins == lose_in) next_in++;
    return next_in++;
}

static void take(uint32_t number) {
    outs++;
    if (outs == lose_out) return;
    must_be("OUT", next_out++, number);
    if (outs == repeat_out) must_be("OUT", next_out++, number);
}

static void port(struct kvm_run *run) {
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    unsigned count = run->io.count;
    int out = run->io.direction == KVM_EXIT_IO_OUT;
    uint32_t number;
    if (run->io.port == PORT_IN && !out && run->io.size == 4 && count == 1) {
        number = answer();
        memcpy(data, &number, sizeof number);
    } else if (run->io.port == PORT_OUT && out && run->io.size == 4 && count == 1) {
        memcpy(&number, data, sizeof number);
        take(number);
    } else if (run->io.port == PORT_INS && !out && run->io.size == 1) {
        if (++strings_in == repeat_ins) next_byte_in--;
        for (unsigned i = 0; i < count; i++) data[i] = next_byte_in++;
    } else if (run->io.port == PORT_OUTS && out && run->io.size == 1) {
        strings_out++;
        for (unsigned i = 0; i < count; i++) must_be("OUTS", next_byte_out++, data[i]);
    } else if (run->io.port == PORT_PASS && out) {
        guest_pass();
    } else if (run->io.port == PORT_ERROR && out) {
        guest_error();
    } else {
        must_be("a known port", PORT_IN, run->io.port);
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv, options, COUNT(options));
    if (memory_mib < 4 || memory_mib > 1024 || memory_mib % 2 != 0 || burst == 0) {
        errno = EINVAL;
        give_up("--memory or --burst");
    }
    int kvm = NEED(open("/dev/kvm", O_RDWR | O_CLOEXEC));
    int vm = NEED(ioctl(kvm, KVM_CREATE_VM, 0));
    memory = NEED(mmap(NULL, memory_mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    set_slot(vm, 0, 0, 0, memory_mib * MIB, memory);
    memcpy(memory + PROGRAM, guest_program, guest_program_end - guest_program);
    block = (struct block *)(memory + BLOCK);
    block->burst = burst;
    block->memory_end = MEMORY + (memory_mib * MIB - MEMORY) / (32 * KIB) * (32 * KIB);
    make_page_tables();

    int vcpu = NEED(ioctl(vm, KVM_CREATE_VCPU, 0));
    size_t run_bytes = NEED(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
    struct kvm_run *run = NEED(mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0));
    offer_all_features(kvm, vcpu, 0);
    start_in_long_mode(vcpu);

    say("ready\n");
    int64_t end = now_nanos() + (int64_t)seconds * 1000000000;
    next_exit = now_nanos();
    while (seconds == 0 || now_nanos() < end) {
        if (ioctl(vcpu, KVM_RUN, 0) != 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            give_up("KVM_RUN");
        }
        must_be("exit", KVM_EXIT_IO, run->exit_reason);
        exits++;
        pace(&next_exit, rate);
        port(run);
    }
    say("end errors %lu exits %lu\n", atomic_load(&monitor_errors), exits);
    return atomic_load(&monitor_errors) != 0;
}
