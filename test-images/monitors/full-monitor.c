// SPDX-License-Identifier: Apache-2.0
//
// full-monitor: a KVM monitor that uses all that KVM has for one. Five memory slots, four of them in one mapping and one
// over a memory file, one read-only, one with a log of what was written; one or two vcpus, each a thread; KVM's own
// interrupt controllers and timer; an eventfd that raises a line and one that sends a message, by a routing of its own;
// eventfds that are written by the guest's I/O; zones of coalesced I/O. The guest is full-guest.asm.
//
//   --memory MIB     under test, 12 to 1536       --cpus 1|2
//   --rate N         I/Os a second and vcpu that the monitor answers; 0 for as many as it can
//   --burst N        IN and OUT in one pass       --seconds S    ends by itself, 0 for never
//   --routing 0|1    whether it has a routing table of its own; without one both eventfds raise lines
//   --coalesced 0|1  whether there are coalesced zones; without, the same writes are exits
//   --dirty-log 0|1  whether one slot has a log, and whether a page is missed in it
// and faults, for a test of the test; N counts from 1, 0 is never:
//   --repeat-in N    answers the Nth IN with the number before     --repeat-read N, --repeat-out N, --repeat-write N
//   --lose-irq N     does not send the Nth interrupt               --repeat-irq N  sends it twice
//   --lose-kick N    forgets the Nth kick                          --lose-coalesced N
//   --flip-bit N     changes memory after pass N                   --flip-register N  an x87 and a vector register

#include "monitor.h"

#include <linux/kvm_para.h>
#include <sys/eventfd.h>

#include "full-devices.h"

GUEST_PROGRAM(GUEST);

enum { PROGRAM = 0x8000, LOW_BYTES = 640 * 1024, ROM = 0xc0000, ROM_BYTES = 64 * 1024 };
#define LOGGED_GPA (16 * MIB)
#define MIDDLE_GPA GIB
#define FILE_GPA (4 * GIB)

static unsigned long memory_mib = 24, cpus = 2, seconds, routing = 1, coalesced = 1;
static const struct option options[] = {
    {"memory", &memory_mib},
    {"cpus", &cpus},
    {"rate", &rate},
    {"burst", &burst},
    {"seconds", &seconds},
    {"routing", &routing},
    {"coalesced", &coalesced},
    {"dirty-log", &dirty_log},
    {"repeat-in", &faults.repeat_in},
    {"repeat-read", &faults.repeat_read},
    {"repeat-out", &faults.repeat_out},
    {"repeat-write", &faults.repeat_write},
    {"lose-irq", &faults.lose_irq},
    {"repeat-irq", &faults.repeat_irq},
    {"lose-kick", &faults.lose_kick},
    {"lose-coalesced", &faults.lose_coalesced},
    {"flip-bit", &faults.flip_bit},
    {"flip-register", &faults.flip_register},
};

static int kvm;
static pthread_t vcpu_threads[CPUS_MAX];
static atomic_int stop;

// One mapping: a part that no slot has, then the slots in an order that is not the guest's.
static void make_memory(void) {
    size_t part = memory_mib / 3 * MIB;
    size_t gap = 3 * PAGE;
    size_t bytes = gap + part + LOW_BYTES + ROM_BYTES + part;
    uint8_t *all = NEED(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    uint8_t *middle = all + gap;
    low = middle + part;
    uint64_t *rom = (uint64_t *)(low + LOW_BYTES);
    logged = low + LOW_BYTES + ROM_BYTES;
    logged_bytes = part;
    int file = NEED(memfd_create("guest", MFD_CLOEXEC));
    NEED(ftruncate(file, part));
    uint8_t *shared = NEED(mmap(NULL, part, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));

    for (size_t i = 0; i < ROM_BYTES / 8; i++) rom[i] = (i + 1) * 0x9e3779b97f4a7c15;
    memcpy(low + PROGRAM, guest_program, guest_program_end - guest_program);
    set_slot(vm, 0, 0, 0, LOW_BYTES, low);
    set_slot(vm, 1, KVM_MEM_READONLY, ROM, ROM_BYTES, rom);
    set_slot(vm, LOGGED_SLOT, dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0, LOGGED_GPA, part, logged);
    set_slot(vm, 4, 0, MIDDLE_GPA, part, middle);
    set_slot(vm, 7, 0, FILE_GPA, part, shared);

    for (unsigned i = 0; i < cpus; i++) {
        struct block *block = blocks[i] = (struct block *)(low + BLOCKS + i * PAGE);
        uint64_t half = part / 2;
        uint64_t ranges[] = {i == 0 ? LOGGED_GPA : MIDDLE_GPA, (i == 0 ? LOGGED_GPA : MIDDLE_GPA) + part,
                             FILE_GPA + i * half, FILE_GPA + (i + 1) * half};
        memcpy(block->ranges, ranges, sizeof ranges);
        uint64_t chunks = (part + half) / (32 * KIB);
        block->chunks = chunks < 512 ? chunks : 512;
        block->port = PORTS + i * 0x20;
        block->mmio = MMIO + i * PAGE;
        block->burst = burst;
        block->number = i;
        block->cpus = cpus;
    }
}

static int lines_fd(unsigned gsi) {
    int fd = NEED(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    struct kvm_irqfd irqfd = {.fd = fd, .gsi = gsi};
    NEED(ioctl(vm, KVM_IRQFD, &irqfd));
    return fd;
}

// Both lines go to the guest's vectors 0x33 and 0x34; the second one is a message where there is a routing table.
static void make_interrupts(void) {
    enum { MESSAGE_GSI = 24 };
    if (routing) {
        struct {
            struct kvm_irq_routing table;
            struct kvm_irq_routing_entry entries[3];
        } routes = {.table.nr = 3};
        struct kvm_irq_routing_entry timer = {.gsi = 0, .type = KVM_IRQ_ROUTING_IRQCHIP};
        timer.u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
        timer.u.irqchip.pin = 2;
        struct kvm_irq_routing_entry line = timer;
        line.gsi = line.u.irqchip.pin = 5;
        struct kvm_irq_routing_entry message = {.gsi = MESSAGE_GSI, .type = KVM_IRQ_ROUTING_MSI};
        message.u.msi.address_lo = 0xfee00000 | (uint32_t)(cpus - 1) << 12;
        message.u.msi.data = 0x34;
        memcpy(&routes.table.entries[0], &timer, sizeof timer);
        memcpy(&routes.table.entries[1], &line, sizeof line);
        memcpy(&routes.table.entries[2], &message, sizeof message);
        NEED(ioctl(vm, KVM_SET_GSI_ROUTING, &routes.table));
    }
    lines[0].fd = lines_fd(5);
    lines[1].vcpu = cpus - 1;
    lines[1].fd = lines_fd(routing ? MESSAGE_GSI : 6);
}

static void make_kick(unsigned which, uint64_t address, uint32_t length, uint32_t flags, uint64_t match) {
    kicks[which].fd = NEED(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    struct kvm_ioeventfd ioeventfd = {
        .addr = address, .len = length, .fd = kicks[which].fd, .flags = flags, .datamatch = match};
    NEED(ioctl(vm, KVM_IOEVENTFD, &ioeventfd));
}

static void make_zones(void) {
    struct kvm_coalesced_mmio_zone memory = {.addr = ZONE, .size = PAGE};
    NEED(ioctl(vm, KVM_REGISTER_COALESCED_MMIO, &memory));
    if (ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_PIO) <= 0) return;
    struct kvm_coalesced_mmio_zone port = {.addr = PORT_COALESCED, .size = 4, .pio = 1};
    NEED(ioctl(vm, KVM_REGISTER_COALESCED_MMIO, &port));
}

static void make_vcpu(unsigned i, size_t run_bytes) {
    struct vcpu *vcpu = &vcpus[i];
    vcpu->fd = NEED(ioctl(vm, KVM_CREATE_VCPU, i));
    vcpu->run = NEED(mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0));
    vcpu->number = i;
    offer_all_features(kvm, vcpu->fd, i);
    if (i > 0) return;  // waits for INIT and SIPI
    struct kvm_sregs sregs;
    NEED(ioctl(vcpu->fd, KVM_GET_SREGS, &sregs));
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    NEED(ioctl(vcpu->fd, KVM_SET_SREGS, &sregs));
    struct kvm_regs regs = {.rip = PROGRAM, .rflags = 2};
    NEED(ioctl(vcpu->fd, KVM_SET_REGS, &regs));
}

static void kicked_out(int signal) { (void)signal; }

static void *run_vcpu(void *argument) {
    struct vcpu *vcpu = argument;
    while (!stop) {
        int result = ioctl(vcpu->fd, KVM_RUN, 0);
        if (result != 0 && errno != EINTR && errno != EAGAIN) give_up("KVM_RUN");
        if (result == 0) vcpu->exits++, pace(&vcpu->next_exit, rate);
        pthread_mutex_lock(&lock);
        drain_coalesced();
        if (result == 0) handle_exit(vcpu);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static pthread_t thread(void *(*body)(void *), void *argument, const char *name) {
    pthread_t made;
    errno = pthread_create(&made, NULL, body, argument);
    if (errno != 0) give_up("pthread_create");
    pthread_setname_np(made, name);
    return made;
}

int main(int argc, char **argv) {
    read_options(argc, argv, options, COUNT(options));
    if (memory_mib < 12 || memory_mib > 1536 || cpus < 1 || cpus > CPUS_MAX || burst == 0) {
        errno = EINVAL;
        give_up("--memory, --cpus or --burst");
    }
    memory_mib = memory_mib / 12 * 12;
    struct sigaction action = {.sa_handler = kicked_out};
    NEED(sigaction(SIGUSR1, &action, NULL));

    kvm = NEED(open("/dev/kvm", O_RDWR | O_CLOEXEC));
    vm = NEED(ioctl(kvm, KVM_CREATE_VM, 0));
    uint64_t identity_map = 0xfeffc000;
    NEED(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map));
    NEED(ioctl(vm, KVM_SET_TSS_ADDR, 0xfeffd000));
    NEED(ioctl(vm, KVM_CREATE_IRQCHIP, 0));
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
    NEED(ioctl(vm, KVM_CREATE_PIT2, &pit));
    make_memory();
    make_interrupts();
    make_kick(0, PORT_KICK, 2, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH, 0x11);
    make_kick(1, PORT_KICK, 2, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH, 0x22);
    make_kick(2, KICK, 0, 0, 0);
    if (coalesced) make_zones();
    size_t run_bytes = NEED(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
    for (unsigned i = 0; i < cpus; i++) make_vcpu(i, run_bytes);
    int page = NEED(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO));
    ring = (struct kvm_coalesced_mmio_ring *)((uint8_t *)vcpus[0].run + page * PAGE);

    say("ready\n");
    for (unsigned i = 0; i < cpus; i++) vcpu_threads[i] = thread(run_vcpu, &vcpus[i], i == 0 ? "vcpu 0" : "vcpu 1");
    for (unsigned i = 0; i < COUNT(lines); i++) thread(send_interrupts, &lines[i], i == 0 ? "line 0" : "line 1");
    thread(count_kicks, NULL, "kicks");

    // Now and then both vcpus are called out of the guest, as monitors do.
    int64_t end = now_nanos() + (int64_t)seconds * 1000000000;
    while (seconds == 0 || now_nanos() < end) {
        nap(20000000);
        for (unsigned i = 0; i < cpus; i++) pthread_kill(vcpu_threads[i], SIGUSR1);
    }
    pthread_mutex_lock(&lock);
    stop = 1;
    say("end errors %lu exits %lu\n", atomic_load(&monitor_errors), vcpus[0].exits + vcpus[1].exits);
    _exit(atomic_load(&monitor_errors) != 0);
}
