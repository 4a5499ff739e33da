; SPDX-License-Identifier: Apache-2.0
;
; What full-monitor runs, on one or two cpus: in each pass of a cpu all its registers are loaded, memory is checked and
; rewritten, port I/O and memory-mapped I/O is done in sequences of which no number may be missing or come twice, and
; then the registers are compared. Timer ticks of the PIT and of each cpu's own timer must go on; interrupts from the
; monitor and from the other cpu are counted and acknowledged one by one.
;
; Both cpus enter at ORIGIN in real mode; the second one by INIT and SIPI from the first.

%include "start.inc"
%include "cpu.inc"

ORIGIN          equ 0x8000
BLOCK_0         equ 0x6000                      ; one page each, see full-monitor.c
BLOCK_1         equ 0x7000
PAGE_TABLES     equ 0x20000
BUFFERS         equ 0x60000                     ; one page each, for strings
KERNEL_STACK_0  equ 0x70000
KERNEL_STACK_1  equ 0x78000
USER_STACK_0    equ 0x80000
USER_STACK_1    equ 0x88000
ROM             equ 0xc0000                     ; read-only memory; a write is an exit
ROM_WORDS       equ 0x10000 / 8

; The guest's part of a block; the first five are the monitor's.
PORT            equ core.guest
MMIO            equ core.guest + 8
BURST           equ core.guest + 16
NUMBER          equ core.guest + 24
CPUS            equ core.guest + 32
IN_NEXT         equ core.guest + 40
OUT_NEXT        equ core.guest + 48
READ_NEXT       equ core.guest + 56
WRITE_NEXT      equ core.guest + 64
EXCHANGE_NEXT   equ core.guest + 72
WIDE_IN         equ core.guest + 80
WIDE_OUT        equ core.guest + 88
BYTE_IN         equ core.guest + 96
BYTE_OUT        equ core.guest + 104
COALESCED       equ core.guest + 112
COALESCED_PORT  equ core.guest + 120
KICKS           equ core.guest + 128             ; four of them
ROM_NEXT        equ core.guest + 160
IPIS_SENT       equ core.guest + 168
IPIS_GOT        equ core.guest + 176
PIT_SEEN        equ core.guest + 184             ; last value, and passes since it changed
APIC_SEEN       equ core.guest + 200
IPI_SEEN        equ core.guest + 216

APIC            equ 0xfee00000
IOAPIC          equ 0xfec00000

KIND_IN         equ 1
KIND_INS        equ 2
KIND_READ       equ 3
KIND_EXCHANGE   equ 4
KIND_WIDE       equ 5
KIND_LONG       equ 6
KIND_MEMORY     equ 7
KIND_ROM        equ 8
KIND_X87        equ 9
KIND_AVX        equ 10
KIND_PIT        equ 11
KIND_APIC       equ 12
KIND_IPI        equ 13
KIND_EXCEPTION  equ 14

VECTOR_PIT      equ 0x30
VECTOR_APIC_0   equ 0x31
VECTOR_APIC_1   equ 0x32
VECTOR_LINE_0   equ 0x33
VECTOR_LINE_1   equ 0x34
VECTOR_IPI      equ 0x35
STALLED         equ 500                         ; passes without a tick that count as an error
PIT_DIVISOR     equ 11932                       ; 1193182 Hz / 100
APIC_COUNT      equ 312500                      ; of 1 GHz / 16: 200 Hz

                org ORIGIN
                bits 16
start:
                cli
                jmp 0:.here
.here:          xor ax, ax
                mov ds, ax
                mov al, 1
                xchg [started], al
                test al, al
                jnz second
                make_page_tables
                make_task_states KERNEL_STACK_0, KERNEL_STACK_1
                enter_long_mode kernel_0
second:         enter_long_mode kernel_1

; ---- ring 0 ------------------------------------------------------------------------------------------------
                bits 64
kernel_0:       begin_kernel KERNEL_STACK_0, SELECTOR_TSS
                mov al, 0xff                    ; no interrupt by the old controllers
                out 0x21, al
                out 0xa1, al
                enter_ring3 USER_STACK_0, user_0
kernel_1:       begin_kernel KERNEL_STACK_1, SELECTOR_TSS + 16
                enter_ring3 USER_STACK_1, user_1

                vectors_finder
                exceptions

%macro end_of_interrupt 0
                mov rax, APIC
                mov dword [rax + 0xb0], 0
%endmacro

; Every fourth tick waits for another interrupt, so that a cpu is found halted now and then.
pit:            push rax
                inc qword [BLOCK_0 + core.ticks]
                end_of_interrupt
                test byte [BLOCK_0 + core.ticks], 3
                jnz .done
                sti
                hlt
                cli
.done:          pop rax
                iretq

%macro counter 2
%1:             push rax
                inc qword [%2]
                end_of_interrupt
                pop rax
                iretq
%endmacro
                counter apic_0, BLOCK_0 + core.apic_ticks
                counter apic_1, BLOCK_1 + core.apic_ticks
                counter ipi, BLOCK_1 + IPIS_GOT

; The monitor sends the next one when this one has been acknowledged.
%macro line_handler 2
%1:             push rax
                push rdx
                mov eax, [lines + %2 * 4]
                inc eax
                mov [lines + %2 * 4], eax
                mov edx, [port_of_line + %2 * 4]
                out dx, eax
                end_of_interrupt
                pop rdx
                pop rax
                iretq
%endmacro
                line_handler line_0, 0
                line_handler line_1, 1

spurious:       iretq

exception:
                mov rax, [rsp + 8]              ; rip, or cs if there is no error code
                mov edx, [BLOCK_0 + PORT]
                mov [BLOCK_0 + core.got], rbx
                mov [BLOCK_0 + core.expected], rax
                mov qword [BLOCK_0 + core.kind], KIND_EXCEPTION
                add edx, P_ERROR
                out dx, eax
.stop:          cli
                hlt
                jmp .stop

; ---- ring 3 ------------------------------------------------------------------------------------------------
user_0:
                mov ax, SELECTOR_DATA3
                mov ds, ax
                mov es, ax
                mov r14d, BLOCK_0
                mov ebx, VECTOR_APIC_0
                call begin_apic

                mov eax, VECTOR_PIT             ; the timer is at pin 2, or 0 without a route of its own
                mov ebx, 0
                xor ecx, ecx
                call begin_pin
                mov ebx, 2
                call begin_pin
                mov eax, VECTOR_LINE_0
                mov ebx, 5
                call begin_pin
                mov eax, VECTOR_LINE_1
                mov ebx, 6
                mov rcx, [r14 + CPUS]
                dec ecx
                shl ecx, 24
                call begin_pin

                mov eax, [r14 + PORT]           ; line 0 comes to the first cpu, line 1 to the last
                add eax, P_ACKNOWLEDGE
                mov [port_of_line], eax
                add eax, 4
                shr ecx, 24 - 5
                add eax, ecx
                mov [port_of_line + 4], eax

                mov al, 0x34                    ; PIT channel 0, rate generator
                out 0x43, al
                mov al, PIT_DIVISOR & 0xff
                out 0x40, al
                mov al, PIT_DIVISOR >> 8
                out 0x40, al

                call fill_memory
                cmp dword [r14 + CPUS], 1
                je pass
                mov rax, APIC
                mov dword [rax + 0x310], 1 << 24
                mov dword [rax + 0x300], 0x4500
                mov dword [rax + 0x310], 1 << 24
                mov dword [rax + 0x300], 0x4600 | ORIGIN >> 12
                jmp pass

user_1:
                mov ax, SELECTOR_DATA3
                mov ds, ax
                mov es, ax
                mov r14d, BLOCK_1
                mov ebx, VECTOR_APIC_1
                call begin_apic
                call fill_memory

pass:
                inc qword [r14 + core.pass]
                call wide_io
                call load_registers
                call sweep_memory
                call port_io
                call memory_io
                call check_registers
                call judge_registers
                call coalesced_io
                lea rsi, [r14 + core.apic_ticks]
                lea rdi, [r14 + APIC_SEEN]
                mov ebx, KIND_APIC
                call check_ticks
                cmp dword [r14 + NUMBER], 0
                jne .report
                lea rsi, [r14 + core.ticks]
                lea rdi, [r14 + PIT_SEEN]
                mov ebx, KIND_PIT
                call check_ticks
                call kick
                call check_rom
                call send_ipi
.report:        mov edx, [r14 + PORT]
                add edx, P_PASS
                mov eax, [r14 + core.pass]
                out dx, eax
                jmp pass

; The cpu's own controller on, its timer periodic with the vector in ebx.
begin_apic:
                mov rax, APIC
                mov dword [rax + 0x80], 0
                mov dword [rax + 0xf0], 0x1ff
                mov dword [rax + 0x350], 0x10000 ; LINT0 off
                or ebx, 0x20000
                mov [rax + 0x320], ebx
                mov dword [rax + 0x3e0], 3
                mov dword [rax + 0x380], APIC_COUNT
                ret

; Pin ebx: vector eax, edge-triggered, to the cpu in the high byte of ecx.
begin_pin:
                mov rdx, IOAPIC
                lea ebx, [rbx + rbx + 0x11]
                mov [rdx], ebx
                mov [rdx + 0x10], ecx
                dec ebx
                mov [rdx], ebx
                mov [rdx + 0x10], eax
                ret

; What came, in eax, must be the counter at rdi; ebx is the kind of error.
expect:
                cmp eax, [rdi]
                jne .bad
                inc dword [rdi]
                ret
.bad:           mov edx, [rdi]
                lea ecx, [rax + 1]              ; go on from what came
                mov [rdi], ecx
                mov rsi, rax
                mov rdi, rdx
; Tells the monitor: ebx the kind, rdi what was expected, rsi what came.
tell:
                inc qword [r14 + core.errors]
                mov [r14 + core.kind], rbx
                mov [r14 + core.expected], rdi
                mov [r14 + core.got], rsi
                mov edx, [r14 + PORT]
                add edx, P_ERROR
                out dx, eax
                ret

memory_error:
                push rbx
                push rdx
                push rdi
                push rsi
                mov rdi, rax
                mov rsi, [rsi]
                mov ebx, KIND_MEMORY
                call tell
                pop rsi
                pop rdi
                pop rdx
                pop rbx
                ret

                memory_filler
                memory_sweeper
                registers_loader
                registers_checker

judge_registers:
                mov rsi, [r14 + core.x87_bad]
                xor edi, edi
                mov [r14 + core.x87_bad], rdi
                mov ebx, KIND_X87
                test rsi, rsi
                jz .x87_right
                call tell
.x87_right:     mov rsi, [r14 + core.avx_bad]
                xor edi, edi
                mov [r14 + core.avx_bad], rdi
                mov ebx, KIND_AVX
                test rsi, rsi
                jz .done
                call tell
.done:          ret

; Ticks at rsi must grow; rdi: what was seen last, and for how many passes; ebx the kind.
check_ticks:
                mov rsi, [rsi]
                mov rax, [rdi]
                mov [rdi], rsi
                cmp rsi, rax
                ja .grown
                jb .error
                inc qword [rdi + 8]
                cmp qword [rdi + 8], STALLED
                jb .done
.error:         mov qword [rdi + 8], 0
                lea rdi, [rax + 1]
                jmp tell
.grown:         mov qword [rdi + 8], 0
.done:          ret

%include "full-io.inc"

; Interrupts to the other cpu: the next when the last has come.
send_ipi:
                cmp dword [r14 + CPUS], 1
                je .done
                mov rsi, [BLOCK_1 + IPIS_GOT]
                mov rdi, [r14 + IPIS_SENT]
                cmp rsi, rdi
                je .send
                ja .error
                inc qword [r14 + IPI_SEEN]
                cmp qword [r14 + IPI_SEEN], 8 * STALLED ; the other cpu may get little time
                jb .done
.error:         mov [r14 + IPIS_SENT], rsi
                mov ebx, KIND_IPI
                call tell
.send:          mov qword [r14 + IPI_SEEN], 0
                cmp qword [BLOCK_1 + core.pass], 0
                je .done                        ; it is not there yet
                inc qword [r14 + IPIS_SENT]
                mov rax, APIC
                mov dword [rax + 0x310], 1 << 24
                mov dword [rax + 0x300], VECTOR_IPI
.done:          ret

; ---- data --------------------------------------------------------------------------------------------------
vectors:        db 0
started:        db 0
                align 4
lines:          dd 0, 0                         ; interrupts that came
port_of_line:   dd 0, 0
                descriptors
                exception_gates
%rep VECTOR_PIT - 32
                gate spurious
%endrep
                gate pit
                gate apic_0
                gate apic_1
                gate line_0
                gate line_1
                gate ipi
%rep 256 - VECTOR_IPI - 1
                gate spurious
%endrep
                end_of_gates
