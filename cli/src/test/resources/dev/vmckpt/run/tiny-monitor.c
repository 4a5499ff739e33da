// SPDX-License-Identifier: Apache-2.0
//
// A monitor of two vcpus that checks itself without rest: its guest counts through a port and each number must follow
// the one before; signals it sends to itself must all come, in order; children it makes must end as they were told to.
// Every 50 ms it writes "pass N errors E" to the file that is its argument.
//
//   tiny-monitor LOG [daemonize]
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VCPUS 2

static atomic_long errors, exits[VCPUS], handled;
static FILE *out;
static struct kvm_run *runs[VCPUS];
static int vcpus[VCPUS];

// mov dx, 0x10; again: inc ax; out dx, ax; jmp again
static const unsigned char code[] = {0xba, 0x10, 0x00, 0x40, 0xef, 0xeb, 0xfc};

static void check(const char *what, long result) {
    if (result < 0) {
        fprintf(out, "failed %s %s\n", what, strerror(errno));
        fflush(out);
        exit(1);
    }
}

static void wrong(const char *what) {
    errors++;
    fprintf(out, "error %s\n", what);
}

// Until a point in time: a rest that is measured in what is left never ends where signals come thick and fast.
static void rest(long micros) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += micros * 1000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

static void *vcpu_loop(void *argument) {
    long number = (long) argument;
    struct kvm_run *run = runs[number];
    unsigned short expected = 0;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        if (ioctl(vcpus[number], KVM_RUN, 0) < 0) {
            if (errno != EINTR) {
                wrong("KVM_RUN");
                return NULL;
            }
            continue;
        }
        if (run->exit_reason != KVM_EXIT_IO || run->io.port != 0x10) {
            wrong("exit");
            return NULL;
        }
        unsigned short value;
        memcpy(&value, (char *) run + run->io.data_offset, sizeof value);
        expected++;
        if (value != expected) {
            wrong("value");
            expected = value;
        }
        exits[number]++;
    }
}

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void) signal;
    (void) context;
    if (info->si_value.sival_int != (int) (handled + 1)) {
        errors++;
    }
    handled++;
}

static void *signal_loop(void *argument) {
    (void) argument;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (int number = 1;; number++) {
        union sigval value = {.sival_int = number};
        if (sigqueue(getpid(), SIGRTMIN, value) != 0) {
            wrong("sigqueue");
        }
        rest(300);
        for (int i = 0; handled < number; i++) {
            if (i == 20000) {
                wrong("signal lost");
            }
            rest(500);
        }
    }
    return NULL;
}

static void make_child(int code) {
    pid_t child = fork();
    if (child == 0) {
        _exit(code);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code) {
        wrong("child");
    }
}

static void set_up(void) {
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    check("/dev/kvm", kvm);
    int vm;
    do {
        // A signal that comes meanwhile ends it: every monitor tries again.
        vm = ioctl(kvm, KVM_CREATE_VM, 0);
    } while (vm < 0 && errno == EINTR);
    check("KVM_CREATE_VM", vm);
    check("KVM_SET_TSS_ADDR", ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000));
    rest(20000);
    char *memory = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memcpy(memory + 0x1000, code, sizeof code);
    for (int i = 0; i < 3; i++) {
        // The first two are taken away again.
        struct kvm_userspace_memory_region region = {
            .slot = i, .guest_phys_addr = 0x10000 * i, .memory_size = 0x10000, .userspace_addr = (unsigned long) memory};
        check("slot", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
        if (i < 2) {
            region.memory_size = 0;
            check("no slot", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
        }
        rest(20000);
    }
    struct kvm_userspace_memory_region low = {
        .slot = 7, .guest_phys_addr = 0, .memory_size = 0x10000, .userspace_addr = (unsigned long) memory};
    check("slot", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &low));
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    for (int i = 0; i < VCPUS; i++) {
        vcpus[i] = ioctl(vm, KVM_CREATE_VCPU, i);
        check("KVM_CREATE_VCPU", vcpus[i]);
        runs[i] = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpus[i], 0);
        struct kvm_sregs sregs;
        check("KVM_GET_SREGS", ioctl(vcpus[i], KVM_GET_SREGS, &sregs));
        sregs.cs.base = 0;
        sregs.cs.selector = 0;
        check("KVM_SET_SREGS", ioctl(vcpus[i], KVM_SET_SREGS, &sregs));
        struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
        check("KVM_SET_REGS", ioctl(vcpus[i], KVM_SET_REGS, &regs));
        rest(20000);
    }
}

int main(int argc, char **argv) {
    out = fopen(argv[1], "a");
    setvbuf(out, NULL, _IOLBF, 0);
    if (argc > 2 && daemon(1, 1) != 0) {
        return 1;
    }
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGRTMIN, &action, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, signal_loop, NULL);
    fprintf(out, "pid %d\n", getpid());
    set_up();
    for (long i = 0; i < VCPUS; i++) {
        pthread_create(&thread, NULL, vcpu_loop, (void *) i);
    }
    for (int pass = 1;; pass++) {
        make_child(pass % 100);
        long before[VCPUS];
        for (int i = 0; i < VCPUS; i++) {
            before[i] = exits[i];
        }
        long signals = handled;
        for (int i = 0; i < 200; i++) {
            rest(50000);
            if (exits[0] > before[0] && exits[1] > before[1] && handled > signals) {
                break;
            }
            if (i == 199) {
                wrong("nothing moves");
            }
        }
        fprintf(out, "pass %d errors %ld exits %ld signals %ld\n", pass, (long) errors, exits[0] + exits[1], (long) handled);
    }
}
