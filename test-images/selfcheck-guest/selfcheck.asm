; SPDX-License-Identifier: Apache-2.0
;
; A disk image that boots under SeaBIOS and checks the machine it runs on, for ever: one serial line per pass,
;
;     pass N errors E ticks T x87 ok avx ok second M disk D
;
; In each pass memory must hold the pattern it was given last (64 MiB of it in one pass, then the next), and gets another;
; all x87 and vector registers are loaded before the sweep, added to during it, and compared after it with what integer
; arithmetic says; timer interrupts are counted. A page, a register or an interrupt lost by a checkpoint shows in the
; very next line (E goes up, "BAD" instead of "ok").
;
; A second cpu does the same with the second half of memory, with a timer of its own, and takes an interrupt from the
; first in each pass. Sectors of the disk are written and read back; see disk.inc.

%include "start.inc"
%include "cpu.inc"

%ifndef MEMORY_MIB
%define MEMORY_MIB 64
%endif
%ifndef DISK_A_PASS
%define DISK_A_PASS 1
%endif

ORIGIN          equ 0x7c00
SECTORS         equ 32                          ; read by the boot sector, after itself
IMAGE_BYTES     equ (DISK_FIRST + DISK_SECTORS) * 512
CONFIG          equ 0x1a0                       ; in the boot sector
SECOND_ENTRY    equ 0x8000                      ; where the second cpu begins

PAGE_TABLES     equ 0x20000
RING            equ 0x30000                     ; of a virtio disk: up to 64 KiB
BLOCK_0         equ 0x50000
BLOCK_1         equ 0x52000
KERNEL_STACK_0  equ 0x70000
KERNEL_STACK_1  equ 0x78000
USER_STACK_0    equ 0x80000
USER_STACK_1    equ 0x88000
MEMORY          equ 16 << 20
MEMORY_KEPT     equ 2 << 20                     ; below the end of low memory: the firmware's
CHUNKS_A_PASS   equ (64 << 20) / CHUNK_BYTES    ; of all cpus together
GRAIN           equ 2 * CHUNK_BYTES             ; halves of it are chunks

STALLED         equ 256                         ; passes without a tick that count as an error
SECOND_STALLED  equ 4096                        ; and without a pass of the second cpu, which may get little time
SHOWN           equ 8                           ; errors told in full

PIT_DIVISOR     equ 11932                       ; 1193182 Hz / 100
APIC            equ 0xfee00000
APIC_COUNT      equ 625000                      ; of 1 GHz / 16: 100 Hz
VECTOR_APIC     equ 0x30
VECTOR_IPI      equ 0x31
VECTOR_SPURIOUS equ 0x3f

; The guest's part of a cpu's block: what was seen last, and for how many passes.
TICKS_SEEN      equ core.guest
IPIS_SENT       equ core.guest + 16
IPIS_WAITED     equ core.guest + 24
IPIS_GOT        equ core.guest + 32
SECOND_SEEN     equ core.guest + 40

                org ORIGIN
                bits 16

; ---- boot sector -------------------------------------------------------------------------------------------
start:
                cli
                xor ax, ax
                mov ds, ax
                mov ss, ax
                mov sp, ORIGIN
                jmp 0:.here
.here:          sti
                mov si, packet
                mov ah, 0x42
                int 0x13
                cli
                jnc loaded
.stop:          hlt
                jmp .stop

                align 4
packet:         db 16, 0
                dw SECTORS
                dw ORIGIN + 512, 0
                dq 1

; May be changed in an image.
                times CONFIG - ($ - $$) db 0
config_label:   db "vmckpt selfcheck"
config_memory:  dd MEMORY_MIB                   ; under test; 0 for all there is
config_disk:    dd DISK_A_PASS                  ; sectors written in a pass; 0 for none
config_rest:    dd 0                            ; ticks that the first cpu rests after each one that it works

                times 510 - ($ - $$) db 0
                dw 0xaa55

; ---- from real mode to long mode ---------------------------------------------------------------------------
loaded:
                in al, 0x92                     ; A20
                or al, 2
                and al, 0xfe
                out 0x92, al
                mov al, 0xff                    ; no interrupt before there is a table for it
                out 0x21, al
                out 0xa1, al
                make_page_tables
                make_task_states KERNEL_STACK_0, KERNEL_STACK_1
                enter_long_mode kernel_0

                times SECOND_ENTRY - ORIGIN - ($ - $$) db 0
                bits 16
second_entry:
                cli
                jmp 0:.here
.here:          xor ax, ax
                mov ds, ax
                mov al, 1
                xchg [second_started], al
                test al, al
                jnz .stop                       ; a third one
                enter_long_mode kernel_1
.stop:          hlt
                jmp .stop

; ---- ring 0 ------------------------------------------------------------------------------------------------
                bits 64
kernel_0:
                begin_kernel KERNEL_STACK_0, SELECTOR_TSS

                mov al, 0x11                    ; both PICs: vectors 0x20 and 0x28, only the timer let through
                out 0x20, al
                out 0xa0, al
                mov al, 0x20
                out 0x21, al
                mov al, 0x28
                out 0xa1, al
                mov al, 4
                out 0x21, al
                mov al, 2
                out 0xa1, al
                mov al, 1
                out 0x21, al
                out 0xa1, al
                mov al, 0xfe
                out 0x21, al
                mov al, 0xff
                out 0xa1, al

                mov al, 0x34                    ; PIT channel 0, rate generator
                out 0x43, al
                mov al, PIT_DIVISOR & 0xff
                out 0x40, al
                mov al, PIT_DIVISOR >> 8
                out 0x40, al
                enter_ring3 USER_STACK_0, user_0

kernel_1:
                begin_kernel KERNEL_STACK_1, SELECTOR_TSS + 16
                enter_ring3 USER_STACK_1, user_1

                vectors_finder
                exceptions

timer:
                push rax
                inc qword [BLOCK_0 + core.ticks]
                mov al, 0x20
                out 0x20, al
                cmp byte [resting], 0
                jne .done
                mov eax, [config_rest]
                test eax, eax
                jz .done
                mov byte [resting], 1
                add rax, [BLOCK_0 + core.ticks]
.rest:          sti                             ; takes effect behind the next: no tick is missed between them
                hlt
                cli
                cmp [BLOCK_0 + core.ticks], rax
                jb .rest
                mov byte [resting], 0
.done:          pop rax
                iretq

%macro counter 2
%1:             push rax
                inc qword [%2]
                mov rax, APIC
                mov dword [rax + 0xb0], 0       ; end of interrupt
                pop rax
                iretq
%endmacro
                counter second_timer, BLOCK_1 + core.ticks
                counter second_ipi, BLOCK_1 + IPIS_GOT

ignore:
                iretq

exception:
                mov byte [line_lock], 0
                mov rsi, text_exception
                call append_first
                mov eax, ebx
                call append_decimal
                mov rsi, text_stack             ; error code where there is one, rip, cs
                call append
                mov rax, [rsp]
                call append_hexadecimal
                mov byte [rdi], ' '
                inc rdi
                mov rax, [rsp + 8]
                call append_hexadecimal
                mov byte [rdi], ' '
                inc rdi
                mov rax, [rsp + 16]
                call append_hexadecimal
                call end_line
.stop:          cli
                hlt
                jmp .stop

; ---- ring 3 ------------------------------------------------------------------------------------------------
user_0:
                mov ax, SELECTOR_DATA3
                mov ds, ax
                mov es, ax
                mov r14d, BLOCK_0
                mov edi, BLOCK_0
                mov ecx, (BLOCK_1 - BLOCK_0 + core_size) / 8
                xor eax, eax
                cld
                rep stosq

                call begin_serial
                call find_disk
                call count_cpus
                call divide_memory
                mov rsi, text_hello
                call append_first
                mov rax, [memory_bytes]
                shr rax, 20
                call append_decimal
                mov rsi, text_hello_vectors
                call append
                movzx eax, byte [vectors]
                mov rsi, [names + rax * 8]
                call append
                mov rsi, text_hello_cpus
                call append
                mov eax, [cpus]
                call append_decimal
                call end_line

                cmp dword [cpus], 1
                je .alone
                call start_second
.alone:         call fill_memory
.pass:          call pass
                call disk_pass
                call check_second
                call report
                jmp .pass

user_1:
                mov ax, SELECTOR_DATA3
                mov ds, ax
                mov es, ax
                mov r14d, BLOCK_1
                mov rax, APIC
                mov ecx, [rax + 0x20]
                and ecx, 0xff000000
                mov [second_id], ecx
                mov dword [rax + 0x80], 0
                mov dword [rax + 0xf0], 0x100 | VECTOR_SPURIOUS
                mov dword [rax + 0x320], 0x20000 | VECTOR_APIC
                mov dword [rax + 0x3e0], 3
                mov dword [rax + 0x380], APIC_COUNT
                call fill_memory
.pass:          call pass
                jmp .pass

pass:
                inc qword [r14 + core.pass]
                call load_registers
                call sweep_memory
                call check_registers
                mov rsi, [r14 + core.ticks]
                lea rdi, [r14 + TICKS_SEEN]
                mov rbx, text_ticks_error
                mov ecx, STALLED
                jmp check_progress

; A number in rsi must grow within rcx passes, and never shrink. rdi: what was seen last, and for how many passes; rbx:
; what to say.
check_progress:
                mov rax, [rdi]
                mov [rdi], rsi
                cmp rsi, rax
                ja .grown
                jb .error
                inc qword [rdi + 8]
                cmp [rdi + 8], rcx
                jb .done
.error:         inc qword [r14 + core.errors]
                push rdi
                push rsi
                mov rsi, rbx
                call append_first
                pop rax
                call append_decimal
                call end_line
                pop rdi
.grown:         mov qword [rdi + 8], 0
.done:          ret

; The second cpu goes on, and has taken each interrupt that was sent to it: the next when the last has come.
check_second:
                cmp dword [cpus], 1
                je .done
                mov rsi, [BLOCK_1 + core.pass]
                lea rdi, [r14 + SECOND_SEEN]
                mov rbx, text_second_error
                mov ecx, SECOND_STALLED
                call check_progress
                cmp qword [BLOCK_1 + core.pass], 0
                je .done                        ; it is not there yet
                mov rsi, [BLOCK_1 + IPIS_GOT]
                cmp rsi, [r14 + IPIS_SENT]
                je .send
                ja .error
                inc qword [r14 + IPIS_WAITED]
                cmp qword [r14 + IPIS_WAITED], SECOND_STALLED
                jb .done
.error:         inc qword [r14 + core.errors]
                mov [r14 + IPIS_SENT], rsi
                push rsi
                mov rsi, text_ipi_error
                call append_first
                pop rax
                call append_decimal
                call end_line
.send:          mov qword [r14 + IPIS_WAITED], 0
                inc qword [r14 + IPIS_SENT]
                mov rax, APIC
                mov ecx, [second_id]
                mov [rax + 0x310], ecx
                mov dword [rax + 0x300], VECTOR_IPI
.done:          ret

                memory_filler
                memory_sweeper
                registers_loader
                registers_checker
%include "report.inc"
%include "machine.inc"
%include "disk.inc"
%include "ide.inc"
%include "virtio.inc"
%include "serial.inc"

; ---- data --------------------------------------------------------------------------------------------------
digits:         db "0123456789abcdef"

                align 8
names:          dq text_none, text_ymm, text_zmm
memory_bytes:   dq 0
disk_written:   dq 0
disk_read:      dq 0                            ; what moves a sector: see disk.inc
disk_write:     dq 0
disk_round:     dq 0
disk_at:        dd 0
cpus:           dd 1
second_id:      dd 0                            ; in the highest byte
shown:          dd 0
vectors:        db 0
second_started: db 0
resting:        db 0
line_lock:      db 0

                descriptors
                exception_gates
                gate timer
%rep VECTOR_APIC - 0x21
                gate ignore
%endrep
                gate second_timer
                gate second_ipi
%rep VECTOR_SPURIOUS - VECTOR_IPI
                gate ignore
%endrep
                end_of_gates

                align 8
line:           times 200 db 0
disk_sector:    times 512 db 0
disk_buffer:    times 512 db 0

image_end:
%if image_end - $$ > (SECTORS + 1) * 512
%error "the image has outgrown SECTORS"
%endif
                times IMAGE_BYTES - ($ - $$) db 0
