// SPDX-License-Identifier: Apache-2.0
//
// registers LOG: six threads keep known values in all their registers for ten milliseconds at a time: general ones,
// flags and the red zone below the stack; x87 with its control word; SSE, AVX or AVX-512 with MXCSR and masks; and the
// bases of fs (thread-local variables) and gs.

#include "target.h"

#include <asm/prctl.h>
#include <stddef.h>

enum { THREADS = 6, GENERAL = 14, RED_ZONE = 2 };

// In the order in which spin_general loads and stores them.
static const char *const general_names[] = {"rax", "rbx", "rdx", "rsi", "rdi", "rbp", "r8",
                                            "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

struct general {
    uint64_t registers[GENERAL];
    uint64_t red_zone[RED_ZONE];
    uint64_t flags;
};

// Loads *in, counts down, stores into *out. Only rcx (the counter) and rsp carry anything of the program's own.
void spin_general(const struct general *in, struct general *out, uint64_t count);
asm(".pushsection .text\n"
    ".globl spin_general\n"
    "spin_general:\n"
    "  push %rbx\n  push %rbp\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  push %rsi\n"
    "  mov %rdx, %rcx\n"
    "  mov 112(%rdi), %rax\n  mov %rax, -8(%rsp)\n"
    "  mov 120(%rdi), %rax\n  mov %rax, -128(%rsp)\n"
    "  mov 0(%rdi), %rax\n  mov 8(%rdi), %rbx\n  mov 16(%rdi), %rdx\n  mov 24(%rdi), %rsi\n"
    "  mov 40(%rdi), %rbp\n  mov 48(%rdi), %r8\n  mov 56(%rdi), %r9\n  mov 64(%rdi), %r10\n"
    "  mov 72(%rdi), %r11\n  mov 80(%rdi), %r12\n  mov 88(%rdi), %r13\n  mov 96(%rdi), %r14\n"
    "  mov 104(%rdi), %r15\n  mov 32(%rdi), %rdi\n"
    "  std\n"
    "  stc\n"
    "1:\n"
    "  dec %rcx\n"  // leaves the carry flag alone
    "  jnz 1b\n"
    "  mov (%rsp), %rcx\n"
    "  mov %rax, 0(%rcx)\n  mov %rbx, 8(%rcx)\n  mov %rdx, 16(%rcx)\n  mov %rsi, 24(%rcx)\n"
    "  mov %rdi, 32(%rcx)\n  mov %rbp, 40(%rcx)\n  mov %r8, 48(%rcx)\n  mov %r9, 56(%rcx)\n"
    "  mov %r10, 64(%rcx)\n  mov %r11, 72(%rcx)\n  mov %r12, 80(%rcx)\n  mov %r13, 88(%rcx)\n"
    "  mov %r14, 96(%rcx)\n  mov %r15, 104(%rcx)\n"
    "  mov -8(%rsp), %rax\n  mov %rax, 112(%rcx)\n"
    "  mov -128(%rsp), %rax\n  mov %rax, 120(%rcx)\n"
    "  pushf\n  pop %rax\n  mov %rax, 128(%rcx)\n"
    "  cld\n"
    "  pop %rsi\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbp\n  pop %rbx\n"
    "  ret\n"
    ".popsection\n");

struct floating {
    uint8_t vectors[32][64];
    int64_t x87[8];
    uint64_t masks[8];
    uint32_t mxcsr;
    uint16_t control;
};

#define ALL16 "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
#define ALL32 ALL16 ",16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"

#define SPIN_FLOATING(name, load, store)                                                    \
    void name(const struct floating *in, struct floating *out, uint64_t count);             \
    asm(".pushsection .text\n"                                                              \
        ".globl " #name "\n" #name ":\n"                                                    \
        "  sub $16, %rsp\n"                                                                 \
        "  stmxcsr (%rsp)\n"                                                                \
        "  fnstcw 4(%rsp)\n"                                                                \
        "  fninit\n"                                                                        \
        "  fldcw 2180(%rdi)\n"                                                              \
        "  ldmxcsr 2176(%rdi)\n"                                                            \
        "  .irp n,7,6,5,4,3,2,1,0\n"                                                        \
        "  fildll 2048+8*\\n(%rdi)\n"                                                       \
        "  .endr\n" load                                                                    \
        "1:\n"                                                                              \
        "  dec %rdx\n"                                                                      \
        "  jnz 1b\n" store                                                                  \
        "  fnstcw 2180(%rsi)\n"                                                             \
        "  stmxcsr 2176(%rsi)\n"                                                            \
        "  .irp n,0,1,2,3,4,5,6,7\n"                                                        \
        "  fistpll 2048+8*\\n(%rsi)\n"                                                      \
        "  .endr\n"                                                                         \
        "  fldcw 4(%rsp)\n"                                                                 \
        "  ldmxcsr (%rsp)\n"                                                                \
        "  add $16, %rsp\n"                                                                 \
        "  ret\n"                                                                           \
        ".popsection\n")

SPIN_FLOATING(spin_sse, "  .irp n," ALL16 "\n  movdqu 64*\\n(%rdi), %xmm\\n\n  .endr\n",
              "  .irp n," ALL16 "\n  movdqu %xmm\\n, 64*\\n(%rsi)\n  .endr\n");
SPIN_FLOATING(spin_avx, "  .irp n," ALL16 "\n  vmovdqu 64*\\n(%rdi), %ymm\\n\n  .endr\n",
              "  .irp n," ALL16 "\n  vmovdqu %ymm\\n, 64*\\n(%rsi)\n  .endr\n  vzeroupper\n");
SPIN_FLOATING(spin_avx512,
              "  .irp n," ALL32 "\n  vmovdqu64 64*\\n(%rdi), %zmm\\n\n  .endr\n"
              "  .irp n,0,1,2,3,4,5,6,7\n  kmovw 2112+8*\\n(%rdi), %k\\n\n  .endr\n",
              "  .irp n," ALL32 "\n  vmovdqu64 %zmm\\n, 64*\\n(%rsi)\n  .endr\n"
              "  .irp n,0,1,2,3,4,5,6,7\n  kmovw %k\\n, 2112+8*\\n(%rsi)\n  .endr\n  vzeroupper\n");

_Static_assert(offsetof(struct floating, x87) == 2048, "the assembler text says 2048");
_Static_assert(offsetof(struct floating, masks) == 2112, "the assembler text says 2112");
_Static_assert(offsetof(struct floating, mxcsr) == 2176, "the assembler text says 2176");
_Static_assert(offsetof(struct floating, control) == 2180, "the assembler text says 2180");

static uint64_t spins;
static int registers, width, masks;
static void (*spin_floating)(const struct floating *, struct floating *, uint64_t);
static struct heart hearts[THREADS];

static __thread uint64_t mine;

static void check_general(uint64_t seed) {
    struct general in, out;
    pattern_write(&in, sizeof in, seed);
    spin_general(&in, &out, spins);
    for (int i = 0; i < GENERAL; i++) check(general_names[i], in.registers[i], out.registers[i]);
    for (int i = 0; i < RED_ZONE; i++) check_at("red zone", i, in.red_zone[i], out.red_zone[i]);
    check("direction and carry flags", 0x401, out.flags & 0x401);
}

static void check_floating(uint64_t seed) {
    struct floating in, out;
    pattern_write(in.vectors, sizeof in.vectors, seed);
    pattern_write(in.masks, sizeof in.masks, seed + 1);
    for (int i = 0; i < 8; i++) in.x87[i] = (int64_t)scramble(seed + i);  // 64 bits: an x87 register holds all of them
    in.mxcsr = 0x1f80 | (uint32_t)(seed % 4) << 13;                       // rounding modes
    in.control = 0x037f | (uint16_t)(seed % 4) << 10;
    spin_floating(&in, &out, spins);
    for (int i = 0; i < registers; i++)
        for (int lane = 0; lane < width; lane += 8)
            check_at("vector register", i * 100 + lane, *(int64_t *)&in.vectors[i][lane], *(int64_t *)&out.vectors[i][lane]);
    for (int i = 0; i < 8; i++) check_at("x87", i, in.x87[i], out.x87[i]);
    for (int i = 0; i < masks; i++) check_at("mask register", i, in.masks[i] & 0xffff, out.masks[i] & 0xffff);
    check("mxcsr", in.mxcsr, out.mxcsr);
    check("x87 control word", in.control, out.control);
}

static void *body(void *argument) {
    uint64_t which = (uintptr_t)argument;
    uint64_t gs_area[2] = {0, scramble(which)};
    mine = scramble(which + 100);
    if (syscall(SYS_arch_prctl, ARCH_SET_GS, gs_area) != 0) give_up("ARCH_SET_GS");
    for (uint64_t seed = which << 32;; seed++) {
        check_general(seed);
        check_floating(seed);
        uint64_t self, gs;
        asm volatile("mov %%fs:0, %0" : "=r"(self));
        asm volatile("mov %%gs:8, %0" : "=r"(gs));
        check("fs base", pthread_self(), self);
        check("gs base", scramble(which), gs);
        check("thread-local variable", scramble(which + 100), mine);
        atomic_fetch_add(&hearts[which].beats, 1);
    }
    return NULL;
}

static void choose_width(void) {
    __builtin_cpu_init();
    spin_floating = spin_sse;
    registers = 16;
    width = 16;
    if (__builtin_cpu_supports("avx")) {
        spin_floating = spin_avx;
        width = 32;
    }
    if (__builtin_cpu_supports("avx512f")) {
        spin_floating = spin_avx512;
        registers = 32;
        width = 64;
        masks = 8;
    }
}

int main(int argc, char **argv) {
    target_begin(argc, argv, 0);
    choose_width();
    struct general in = {0}, out;
    int64_t start = now();
    spin_general(&in, &out, 10000000);
    spins = 10000000ULL * (10 * MILLISECOND) / (now() - start + 1);
    for (uintptr_t i = 0; i < THREADS; i++) target_thread(body, (void *)i);
    target_ready();
    for (;;) {
        for (int i = 0; i < THREADS; i++) heart_check("a silent thread", i, &hearts[i]);
        target_pass();
    }
}
