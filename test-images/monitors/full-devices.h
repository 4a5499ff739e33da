// SPDX-License-Identifier: Apache-2.0
//
// What full-monitor's guest finds at the other end of its I/O, and what is checked there. All of it under one lock.

#ifndef FULL_DEVICES_H
#define FULL_DEVICES_H

#include <poll.h>

#include "monitor.h"

enum { CPUS_MAX = 2, LOST = 200, LOGGED_SLOT = 2, BLOCKS = 0x6000 };
enum { PORTS = 0x600, PORT_COALESCED = 0x680, PORT_KICK = 0x690 };
enum { P_IN = 0, P_OUT = 4, P_INS = 8, P_OUTS = 12, P_PASS = 16, P_ERROR = 20, P_ACKNOWLEDGE = 24 };
enum { M_READ = 0, M_WRITE = 8, M_ADD = 0x10, M_INCREMENT = 0x14, M_EXCHANGE = 0x18, M_WIDE_OUT = 0x20,
       M_WIDE_IN = 0x30, M_LONG = 0x40 };
#define MMIO 0xd0000000UL
#define ZONE 0xd0010000UL
#define KICK 0xd0020000UL
#define ROM_WRITTEN 0xc1008UL

// In the guest's memory, as cpu.inc and full-guest.asm have it.
struct block {
    uint64_t pass, errors, ticks, apic_ticks, x87_bad, avx_bad, round;
    uint64_t kind, expected, got;
    uint64_t ranges[8];
    uint64_t chunks;
    uint64_t port, mmio, burst, number, cpus;
    uint64_t in, out, read, write, exchange, wide_in, wide_out, byte_in, byte_out;
    uint64_t coalesced, coalesced_port;
    uint64_t kicks[4];
    uint64_t rom, ipis_sent, ipis_got;
    uint64_t pit_seen[2], apic_seen[2], ipi_seen[2];
};

// A register that instructions read and write at once.
struct modified {
    uint32_t value;
    int read;
};

struct vcpu {
    int fd;
    struct kvm_run *run;
    unsigned number;
    uint64_t passes, in, out, read, write, wide_in, wide_out, long_in, long_out;
    uint8_t byte_in, byte_out;
    struct modified add, inc, exchange;
    uint32_t coalesced;
    unsigned long exits;
    int64_t next_exit;
};

struct line {
    int fd;
    unsigned vcpu;
    uint64_t sent, acknowledged;
};

struct kicks {
    int fd;
    uint64_t got;
};

static struct {
    unsigned long repeat_in, repeat_read, repeat_out, repeat_write, lose_irq, repeat_irq, lose_kick, lose_coalesced;
    unsigned long flip_bit, flip_register;
} faults;
static unsigned long rate, burst = 64, dirty_log = 1;
static int vm;
static uint8_t *low, *logged;
static size_t logged_bytes;
static struct block *blocks[CPUS_MAX];
static struct vcpu vcpus[CPUS_MAX];
static struct line lines[2];
static struct kicks kicks[4];  // the last has no descriptor: it is an exit
static struct kvm_coalesced_mmio_ring *ring;
static uint32_t coalesced_port, rom_written;
static unsigned long slow, dirty_pages, coalesced_seen, kicks_seen;
static uint64_t logged_round;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

// Waits for `changed`, a tenth of a second at most: time may pass while this process stands still.
static void wait_a_little(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    pthread_cond_timedwait(&changed, &lock, &until);
}

// Sends an interrupt when the guest has acknowledged the one before; one that is not for so many passes of
// its vcpu is lost. Ten milliseconds between two: some KVM on a busy host gives the highest vector all chances there are,
// and with one millisecond the lower line was kept waiting for seconds.
static void *send_interrupts(void *argument) {
    struct line *line = argument;
    const uint64_t one = 1;
    pthread_mutex_lock(&lock);
    while (vcpus[line->vcpu].passes == 0) wait_a_little();  // its vcpu does not listen yet
    for (;;) {
        line->sent++;
        if (line->sent != faults.lose_irq) NEED(write(line->fd, &one, sizeof one));
        uint64_t last = vcpus[line->vcpu].passes + LOST;
        while (line->acknowledged < line->sent && vcpus[line->vcpu].passes < last) wait_a_little();
        if (line->acknowledged < line->sent) {
            wrong(line == lines ? "interrupts by line" : "interrupts by message", line->sent, line->acknowledged);
            line->sent = line->acknowledged;
        }
        if (line->sent == faults.repeat_irq) NEED(write(line->fd, &one, sizeof one));
        pthread_mutex_unlock(&lock);
        nap(10000000);
        pthread_mutex_lock(&lock);
    }
    return NULL;
}

static void acknowledge(struct line *line, uint32_t count) {
    must_be(line == lines ? "interrupts by line" : "interrupts by message", line->acknowledged + 1, count);
    if (count > line->sent) must_be("interrupts that were sent", line->sent, count);
    line->acknowledged = count;
    pthread_cond_broadcast(&changed);
}

// Takes what is in a descriptor, which may be nothing.
static void take_kicks(struct kicks *from) {
    uint64_t count = 0;
    if (read(from->fd, &count, sizeof count) != sizeof count) return;
    kicks_seen += count;
    from->got += count;
    if (kicks_seen >= faults.lose_kick && faults.lose_kick > 0) {
        from->got--;
        faults.lose_kick = 0;
    }
}

static void *count_kicks(void *argument) {
    (void)argument;
    struct pollfd waiting[3];
    for (int i = 0; i < 3; i++) waiting[i] = (struct pollfd){.fd = kicks[i].fd, .events = POLLIN};
    for (;;) {
        poll(waiting, 3, -1);
        pthread_mutex_lock(&lock);
        for (int i = 0; i < 3; i++) take_kicks(&kicks[i]);
        pthread_mutex_unlock(&lock);
        nap(200000);
    }
    return NULL;
}

static void zone_write(uint64_t address, uint32_t number, int port) {
    uint64_t which = (address - ZONE) / 8;
    if (port) {
        must_be("coalesced OUT", coalesced_port++, number);
    } else if (which < CPUS_MAX) {
        must_be("coalesced write", vcpus[which].coalesced++, number);
    } else {
        must_be("coalesced address", ZONE, address);
    }
}

static void drain_coalesced(void) {
    while (ring->first != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE)) {
        struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->first];
        uint32_t number;
        memcpy(&number, entry->data, sizeof number);
        if (++coalesced_seen != faults.lose_coalesced) zone_write(entry->phys_addr, number, entry->pio);
        __atomic_store_n(&ring->first, (ring->first + 1) % ((PAGE - sizeof *ring) / sizeof *entry), __ATOMIC_RELEASE);
    }
}

// All that the guest wrote since the last look must be in the log.
static void check_dirty_log(struct block *block) {
    if (!dirty_log || block->pass % 8 != 0 || block->round < logged_round + 2) return;
    logged_round = block->round;
    unsigned long pages = logged_bytes / PAGE;
    uint64_t *bits = calloc(pages / 64 + 1, 8);
    struct kvm_dirty_log log = {.slot = LOGGED_SLOT, .dirty_bitmap = bits};
    NEED(ioctl(vm, KVM_GET_DIRTY_LOG, &log));
    dirty_pages = 0;
    for (unsigned long i = 0; i < pages / 64; i++) dirty_pages += __builtin_popcountll(bits[i]);
    free(bits);
    if (dirty_pages != pages) wrong("pages in the dirty log", pages, dirty_pages);
}

static void check_kicks(struct block *block) {
    static const char *const names[] = {"kicks by port, first value", "kicks by port, second value", "kicks by memory",
                                        "kicks that are exits"};
    for (int i = 0; i < 3; i++) take_kicks(&kicks[i]);
    for (int i = 0; i < 4; i++) {
        if (block->kicks[i] == kicks[i].got) continue;
        wrong(names[i], block->kicks[i], kicks[i].got);
        kicks[i].got = block->kicks[i];
    }
}

static void guest_pass(struct vcpu *vcpu) {
    struct block *block = blocks[vcpu->number];
    must_be("pass", ++vcpu->passes, block->pass);
    must_be("coalesced writes that came", block->coalesced, vcpu->coalesced);
    if (vcpu->number != 0) return;
    must_be("coalesced OUTs that came", block->coalesced_port, coalesced_port);
    check_kicks(block);
    check_dirty_log(block);
    if (vcpu->passes == faults.flip_bit) logged[4096] ^= 0x10;
    say("pass %llu errors %lu second %llu exits %lu ticks %llu apic %llu %llu interrupts %llu %llu ipis %llu kicks %llu "
        "coalesced %lu slow %lu dirty %lu rounds %llu %llu\n",
        (unsigned long long)vcpu->passes, atomic_load(&monitor_errors), (unsigned long long)vcpus[1].passes,
        vcpus[0].exits + vcpus[1].exits, (unsigned long long)block->ticks, (unsigned long long)block->apic_ticks,
        (unsigned long long)(blocks[1] != NULL ? blocks[1]->apic_ticks : 0), (unsigned long long)lines[0].acknowledged,
        (unsigned long long)lines[1].acknowledged, (unsigned long long)block->ipis_sent,
        (unsigned long long)(kicks[0].got + kicks[1].got + kicks[2].got), coalesced_seen, slow, dirty_pages,
        (unsigned long long)block->round, (unsigned long long)(blocks[1] != NULL ? blocks[1]->round : 0));
    pthread_cond_broadcast(&changed);
}

static void guest_error(struct vcpu *vcpu) {
    static const char *const kinds[] = {"?",      "IN",  "INS", "read", "exchange", "wide read", "long read", "memory",
                                        "ROM",    "x87", "avx", "PIT",  "APIC",     "IPI",       "exception"};
    struct block *block = blocks[vcpu->number];
    char what[64];
    snprintf(what, sizeof what, "%s of cpu %u", kinds[block->kind < COUNT(kinds) ? block->kind : 0], vcpu->number);
    wrong(what, block->expected, block->got);
}

// Once, at the Nth of all vcpus' answers together, the number before is given again.
static uint32_t sequence(uint64_t *next, unsigned long *fault) {
    if (*fault > 0 && *next > 0 && --*fault == 0) return (uint32_t)(*next - 1);
    return (uint32_t)(*next)++;
}

static void arrived(const char *what, uint64_t *next, uint32_t number, unsigned long *fault) {
    must_be(what, (uint32_t)(*next)++, number);
    if (*fault > 0 && --*fault == 0) must_be(what, (uint32_t)*next, number);
}

static void flip_registers(struct vcpu *vcpu) {
    faults.flip_register = 0;
    struct kvm_xsave xsave;
    NEED(ioctl(vcpu->fd, KVM_GET_XSAVE, &xsave));
    xsave.region[36 / 4] ^= 1 << 28;  // st0, near the top of its significand
    xsave.region[160 / 4] ^= 0x100;   // xmm0
    NEED(ioctl(vcpu->fd, KVM_SET_XSAVE, &xsave));
}

static void port_exit(struct vcpu *vcpu) {
    struct kvm_run *run = vcpu->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    int out = run->io.direction == KVM_EXIT_IO_OUT;
    uint32_t number = 0;
    if (out) memcpy(&number, data, run->io.size);
    if (run->io.port == PORT_KICK && out) {
        // A value that no descriptor waits for; others come here only if KVM has lost their descriptor.
        unsigned which = number == 0x11 ? 0 : number == 0x22 ? 1 : 3;
        kicks[which].got++;
        slow += which != 3;
        return;
    }
    if (run->io.port == PORT_COALESCED && out) {
        slow++;
        zone_write(0, number, 1);
        return;
    }
    unsigned which = (run->io.port - PORTS) / 0x20;
    if (which >= CPUS_MAX) must_be("a known port", PORTS, run->io.port);
    if (which != vcpu->number) must_be("the vcpu of a port", vcpu->number, which);
    switch ((run->io.port - PORTS) % 0x20 | out << 8) {
        case P_IN:
            number = sequence(&vcpu->in, &faults.repeat_in);
            memcpy(data, &number, sizeof number);
            break;
        case P_OUT | 1 << 8:
            arrived("OUT", &vcpu->out, number, &faults.repeat_out);
            if (faults.flip_register > 0 && vcpu->passes >= faults.flip_register) flip_registers(vcpu);
            break;
        case P_INS:
            for (unsigned i = 0; i < run->io.count; i++) data[i] = vcpu->byte_in++;
            break;
        case P_OUTS | 1 << 8:
            for (unsigned i = 0; i < run->io.count; i++) must_be("OUTS", vcpu->byte_out++, data[i]);
            break;
        case P_PASS | 1 << 8:
            guest_pass(vcpu);
            break;
        case P_ERROR | 1 << 8:
            guest_error(vcpu);
            break;
        case P_ACKNOWLEDGE | 1 << 8:
            acknowledge(&lines[0], number);
            break;
        case (P_ACKNOWLEDGE + 4) | 1 << 8:
            acknowledge(&lines[1], number);
            break;
        default:
            must_be("a known port", PORTS, run->io.port);
    }
}

// A read, and then a write of what the instruction makes of it: each once, nothing of this register between them.
static void modify(const char *what, struct modified *at, int write, uint8_t *data, uint32_t more) {
    must_be(what, at->read, write);
    at->read = !write;
    if (write) {
        uint32_t number;
        memcpy(&number, data, sizeof number);
        must_be(what, at->value + more, number);
        at->value = number;
    } else {
        memcpy(data, &at->value, sizeof at->value);
    }
}

static void memory_exit(struct vcpu *vcpu) {
    uint64_t address = vcpu->run->mmio.phys_addr;
    uint8_t *data = vcpu->run->mmio.data;
    int write = vcpu->run->mmio.is_write;
    uint64_t number = 0;
    if (write) memcpy(&number, data, vcpu->run->mmio.len);
    if (write && (address & ~0xfffUL) == ZONE) {
        slow++;
        zone_write(address, (uint32_t)number, 0);
        return;
    }
    if (write && address == KICK) {
        slow++;
        kicks[2].got++;
        return;
    }
    if (write && address == ROM_WRITTEN) {
        must_be("write to ROM", rom_written++, number);
        return;
    }
    if (address - MMIO >= CPUS_MAX * PAGE) must_be("a known address", MMIO, address);
    must_be("the vcpu of an address", vcpu->number, (address - MMIO) / PAGE);
    switch ((address & 0xfff) | (unsigned)write << 16) {
        case M_READ:
            number = sequence(&vcpu->read, &faults.repeat_read);
            memcpy(data, &number, 4);
            break;
        case M_WRITE | 1 << 16:
            arrived("write", &vcpu->write, (uint32_t)number, &faults.repeat_write);
            break;
        case M_ADD:
        case M_ADD | 1 << 16:
            modify("add", &vcpu->add, write, data, 7);
            break;
        case M_INCREMENT:
        case M_INCREMENT | 1 << 16:
            modify("increment", &vcpu->inc, write, data, 1);
            break;
        case M_EXCHANGE:
        case M_EXCHANGE | 1 << 16:
            modify("exchange", &vcpu->exchange, write, data, 1);
            break;
        case M_WIDE_OUT | 1 << 16:
        case (M_WIDE_OUT + 8) | 1 << 16:
            must_be("halves of a wide write", vcpu->wide_out % 2 * 8, (address & 0xfff) - M_WIDE_OUT);
            must_be("wide write", vcpu->wide_out++, number);
            break;
        case M_WIDE_IN:
        case M_WIDE_IN + 8:
            must_be("halves of a wide read", vcpu->wide_in % 2 * 8, (address & 0xfff) - M_WIDE_IN);
            memcpy(data, &vcpu->wide_in, 8);
            vcpu->wide_in++;
            break;
        case M_LONG:
            number = (uint32_t)vcpu->long_in | (uint64_t)~(uint32_t)vcpu->long_in << 32;
            vcpu->long_in++;
            memcpy(data, &number, 8);
            break;
        case M_LONG | 1 << 16:
            must_be("long write", (uint32_t)vcpu->long_out | (uint64_t)~(uint32_t)vcpu->long_out << 32, number);
            vcpu->long_out++;
            break;
        default:
            must_be("a known address", MMIO, address);
    }
}

static void handle_exit(struct vcpu *vcpu) {
    switch (vcpu->run->exit_reason) {
        case KVM_EXIT_IO:
            port_exit(vcpu);
            break;
        case KVM_EXIT_MMIO:
            memory_exit(vcpu);
            break;
        case KVM_EXIT_INTERNAL_ERROR:
            must_be("no internal error", 0, vcpu->run->internal.suberror);
            __attribute__((fallthrough));
        default:
            must_be("exit", KVM_EXIT_IO, vcpu->run->exit_reason);
    }
}

#endif
