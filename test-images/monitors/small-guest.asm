; SPDX-License-Identifier: Apache-2.0
;
; What small-monitor runs: starts in ring 0 of long mode, goes to ring 3 with IOPL 3 and does port I/O for ever. The
; monitor's numbers must come each once and in order, and so must the bytes that string instructions read; memory must
; hold what was written. Beside the monitor's words at BLOCK there is nothing in memory but this and the pattern.
;
; The task state is where a reset puts it, at 0, where memory is zero: a map that allows all ports, for a KVM that looks
; into it although IOPL is 3.
;
; A pass: `burst` times IN and OUT, a string out, a string in, and 32 chunks of memory verified and written anew.

                bits 64
                org 0x10000

BLOCK           equ 0x8000                      ; shared with the monitor, see small-monitor.c
BURST           equ BLOCK                       ; from the monitor: IN and OUT in a pass
MEMORY_END      equ BLOCK + 8                   ; from the monitor: the end of memory
PASS            equ BLOCK + 16                  ; to the monitor, valid at PORT_PASS
CHUNKS          equ BLOCK + 24                  ; memory chunks verified
KIND            equ BLOCK + 32                  ; to the monitor, valid at PORT_ERROR
EXPECTED        equ BLOCK + 40
GOT             equ BLOCK + 48

STRING          equ 0x9000
STACK           equ 0x8000
MEMORY          equ 0x20000
CHUNK_WORDS     equ 4096
CHUNKS_A_PASS   equ 32
STEP            equ 0x9e3779b97f4a7c15

PORT_OUT        equ 0x510
PORT_IN         equ 0x514
PORT_OUTS       equ 0x518
PORT_INS        equ 0x51c
PORT_PASS       equ 0x520
PORT_ERROR      equ 0x524

ERROR_IN        equ 1
ERROR_INS       equ 2
ERROR_MEMORY    equ 3
ERROR_REGISTER  equ 4

start:
                lgdt [gdt_pointer]
                mov rsp, STACK
                push qword 0x10 | 3
                push qword STACK
                push qword 0x3002               ; IOPL 3; there are no interrupts here
                push qword 0x18 | 3
                push qword user
                iretq

; ebx   the next number out            ebp   the next number in
; r8b   the next byte out              r9b   the next byte in
; r10   the chunk's address            r11   the round of memory
; r12 … r15 and all vector registers hold what no one may change
user:
                cld
                xor ebx, ebx
                xor ebp, ebp
                xor r8d, r8d
                xor r9d, r9d
                mov r10d, MEMORY
                xor r11d, r11d
                mov r12, STEP
                lea r13, [r12 + r12]
                lea r14, [r13 + r12]
                lea r15, [r14 + r12]

                mov rdi, r10                    ; round 0 of the pattern
.fill:          mov rax, rdi
                imul rax, r12
                mov [rdi], rax
                add rdi, 8
                cmp rdi, [MEMORY_END]
                jne .fill

pass:
                mov ecx, [BURST]
                movq xmm0, r13
                movq xmm15, r14
.io:            mov edx, PORT_IN
                in eax, dx
                cmp eax, ebp
                jne .bad_in
.in_done:       inc ebp
                mov edx, PORT_OUT
                mov eax, ebx
                out dx, eax
                inc ebx
                dec ecx
                jnz .io

                mov eax, ebx                    ; a string of 1 to 1100 bytes: INS comes in pieces of 1024
                imul eax, eax, 2654435
                shr eax, 8
                xor edx, edx
                mov ecx, 1100
                div ecx
                lea ecx, [rdx + 1]
                push rcx
                mov edi, STRING
.string:        mov [rdi], r8b
                inc r8b
                inc rdi
                dec ecx
                jnz .string
                pop rcx
                push rcx
                mov esi, STRING
                mov edx, PORT_OUTS
                rep outsb
                pop rcx
                push rcx
                mov edi, STRING
                mov edx, PORT_INS
                rep insb
                pop rcx
                mov edi, STRING
.compare:       cmp [rdi], r9b
                jne .bad_ins
.ins_done:      inc r9b
                inc rdi
                dec ecx
                jnz .compare

                push qword CHUNKS_A_PASS
.chunk:         mov ecx, CHUNK_WORDS            ; the last round's pattern must be there, this one's is written
.word:          lea rax, [r10 + r11]
                imul rax, r12
                cmp [r10], rax
                jne .bad_memory
.memory_done:   lea rax, [r10 + r11 + 1]
                imul rax, r12
                mov [r10], rax
                add r10, 8
                dec ecx
                jnz .word
                inc qword [CHUNKS]
                cmp r10, [MEMORY_END]
                jne .next_chunk
                mov r10d, MEMORY
                inc r11
.next_chunk:    dec dword [rsp]
                jnz .chunk
                pop rax

                lea rsi, [r12 + r12]
                cmp rsi, r13
                jne .bad_register
                add rsi, r12
                cmp rsi, r14
                jne .bad_register
                add rsi, r12
                cmp rsi, r15
                jne .bad_register
                movq rsi, xmm0
                cmp rsi, r13
                jne .bad_register
                movq rsi, xmm15
                cmp rsi, r14
                jne .bad_register
.told:          inc qword [PASS]
                mov edx, PORT_PASS
                out dx, eax
                jmp pass

.bad_in:        mov esi, eax
                mov edi, ebp
                mov ebp, eax                    ; go on from what came
                mov eax, ERROR_IN
                call tell
                jmp .in_done

.bad_ins:       movzx esi, byte [rdi]
                push rdi
                movzx edi, r9b
                mov r9b, sil
                mov eax, ERROR_INS
                call tell
                pop rdi
                jmp .ins_done

.bad_memory:    mov rsi, [r10]
                mov rdi, rax
                mov eax, ERROR_MEMORY
                call tell
                jmp .memory_done

.bad_register:  mov rdi, r12
                mov eax, ERROR_REGISTER
                call tell
                jmp .told

; Tells the monitor of an error: eax its kind, rdi what was expected, rsi what came.
tell:
                mov [KIND], rax
                mov [EXPECTED], rdi
                mov [GOT], rsi
                mov edx, PORT_ERROR
                out dx, eax
                ret

                align 8
gdt:            dq 0
                dq 0x00af9b000000ffff           ; 0x08 code, ring 0
                dq 0x00cff3000000ffff           ; 0x10 data, ring 3
                dq 0x00affb000000ffff           ; 0x18 code, ring 3
gdt_end:
gdt_pointer:    dw gdt_end - gdt - 1
                dq gdt
