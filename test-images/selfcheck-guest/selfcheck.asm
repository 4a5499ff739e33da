; SPDX-License-Identifier: Apache-2.0
;
; A disk image that boots under SeaBIOS and checks the machine it runs on, for ever: one serial line per pass,
;
;     pass N errors E ticks T x87 ok avx ok
;
; In each pass every word of the memory must hold the pattern of the pass before, and gets the pattern of this one;
; all x87 and vector registers are loaded before the sweep, added to during it, and compared after it with what integer
; arithmetic says; timer interrupts are counted. A page, a register or an interrupt lost by a checkpoint shows in the
; very next line (E goes up, "BAD" instead of "ok").
;
; Ring 0 is as short as it can be, because there are hosts that interpret it: it goes from real mode straight to long
; mode (paging is never on without it), touches no x87 or vector register, and then stays in an interrupt handler of a
; few moves. All else runs in ring 3 with IOPL 3, without a system call.

%ifndef MEMORY_MIB
%define MEMORY_MIB 64
%endif

ORIGIN          equ 0x7c00
SECTORS         equ 32                          ; read by the boot sector, after itself
IMAGE_BYTES     equ 1 << 20

PAGE_TABLES     equ 0x20000                     ; PML4, PDPT, PD: one page each, 1 GiB mapped one to one
KERNEL_STACK    equ 0x70000
USER_STACK      equ 0x80000
MEMORY          equ 16 << 20
MEMORY_END      equ MEMORY + (MEMORY_MIB << 20)
CHUNK_WORDS     equ 4096                        ; the accumulators are added to once per chunk
CHUNKS          equ (MEMORY_MIB << 20) / 8 / CHUNK_WORDS

STEP            equ 0x9e3779b97f4a7c15          ; from one word of the pattern to the next
PASS_STEP       equ 0xd1342543de82ef95          ; from one pass to the next
STALLED         equ 256                         ; passes without a tick that count as an error
SHOWN           equ 8                           ; memory errors told in full

COM1            equ 0x3f8
PIT_DIVISOR     equ 11932                       ; 1193182 Hz / 100

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

                times 510 - ($ - $$) db 0
                dw 0xaa55

; ---- from real mode to long mode in one step ---------------------------------------------------------------
loaded:
                in al, 0x92                     ; A20
                or al, 2
                and al, 0xfe
                out 0x92, al
                mov al, 0xff                    ; no interrupt before there is a table for it
                out 0x21, al
                out 0xa1, al

                mov ax, PAGE_TABLES >> 4
                mov es, ax
                xor di, di
                xor eax, eax
                mov cx, 3 * 4096 / 4
                cld
                rep stosd
                mov dword [es:0], PAGE_TABLES + 0x1007
                mov dword [es:0x1000], PAGE_TABLES + 0x2007
                mov di, 0x2000
                mov eax, 0x87                   ; 2 MiB pages, present, writable, user
                mov cx, 512
.entry:         mov [es:di], eax
                add eax, 2 << 20
                add di, 8
                loop .entry

                lgdt [gdt_pointer]
                mov eax, cr4
                or eax, 1 << 5                  ; PAE
                mov cr4, eax
                mov eax, PAGE_TABLES
                mov cr3, eax
                mov ecx, 0xc0000080             ; EFER
                rdmsr
                or eax, 1 << 8                  ; LME
                wrmsr
                mov eax, cr0
                and eax, ~(3 << 2)              ; not EM, not TS
                or eax, 0x80000023              ; PG, NE, MP, PE
                mov cr0, eax
                jmp 0x08:kernel

; ---- ring 0 ------------------------------------------------------------------------------------------------
                bits 64
kernel:
                mov ax, 0x10
                mov ds, ax
                mov es, ax
                mov ss, ax
                mov rsp, KERNEL_STACK
                lidt [idt_pointer]
                mov ax, 0x28
                ltr ax

                mov rax, cr4
                or rax, 3 << 9                  ; OSFXSR, OSXMMEXCPT
                mov cr4, rax
                call find_vectors

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

                push qword 0x18 | 3
                push qword USER_STACK
                push qword 0x3202               ; interrupts on, IOPL 3
                push qword 0x20 | 3
                push qword user
                iretq

; Lets ring 3 use the widest vector registers there are; [vectors] says which: 0 none, 1 ymm, 2 zmm.
find_vectors:
                mov eax, 1
                cpuid
                and ecx, (1 << 26) | (1 << 28)  ; XSAVE, AVX
                cmp ecx, (1 << 26) | (1 << 28)
                jne .done
                xor eax, eax
                cpuid
                cmp eax, 13
                jb .done
                mov eax, 7
                xor ecx, ecx
                cpuid
                mov esi, ebx
                test esi, 1 << 5                ; AVX2
                jz .done
                mov eax, 13
                xor ecx, ecx
                cpuid
                mov edi, eax
                mov rax, cr4
                or rax, 1 << 18                 ; OSXSAVE
                mov cr4, rax
                mov byte [vectors], 1
                mov eax, 7                      ; x87, SSE, AVX
                test esi, 1 << 16               ; AVX512F
                jz .enable
                and edi, 0xe0
                cmp edi, 0xe0
                jne .enable
                mov byte [vectors], 2
                mov eax, 0xe7
.enable:        xor edx, edx
                xor ecx, ecx
                xsetbv
.done:          ret

timer:
                push rax
                inc qword [ticks]
                mov al, 0x20
                out 0x20, al
                pop rax
                iretq

ignore:
                iretq

%assign vector 0
%rep 32
exception_%+vector:
                mov ebx, vector
                jmp exception
%assign vector vector + 1
%endrep

exception:
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
; rbp  the pass                   r15  errors so far
user:
                mov ax, 0x18 | 3
                mov ds, ax
                mov es, ax

                mov dx, COM1 + 1                ; no interrupts, 115200 8N1, FIFOs on
                xor eax, eax
                out dx, al
                mov dx, COM1 + 3
                mov al, 0x80
                out dx, al
                mov dx, COM1
                mov al, 1
                out dx, al
                mov dx, COM1 + 1
                xor eax, eax
                out dx, al
                mov dx, COM1 + 3
                mov al, 3
                out dx, al
                mov dx, COM1 + 2
                mov al, 7
                out dx, al

                mov rsi, text_hello
                call append_first
                mov eax, MEMORY_MIB
                call append_decimal
                mov rsi, text_hello_vectors
                call append
                movzx eax, byte [vectors]
                mov rsi, [names + rax * 8]
                call append
                call end_line

                mov rsi, MEMORY                 ; the pattern of pass 0
                mov r10, STEP
                xor r9, r9
.fill:          mov rax, r9
                rol rax, 29
                xor rax, r9
                mov [rsi], rax
                add r9, r10
                add rsi, 8
                cmp rsi, MEMORY_END
                jne .fill

                mov ebp, 1
                xor r15, r15

pass:
                mov r10, STEP
                mov rax, PASS_STEP              ; the constants of this pass
                imul rax, rbp
                xor ecx, ecx
.constant:      add rax, r10
                mov [table + rcx * 8], rax
                inc ecx
                cmp ecx, 40
                jne .constant
                mov eax, ebp
                and eax, 0xffff
                add eax, 3
                mov [summand], eax

                finit                           ; all eight x87 registers: st(k) = pass + k
%assign n 7
%rep 8
                lea rax, [rbp + n]
                mov [scratch], rax
                fild qword [scratch]
%assign n n - 1
%endrep

                cmp byte [vectors], 1           ; all vector registers: number k is table[k ...]
                jb .loaded
                ja .load_zmm
%assign n 0
%rep 16
                vmovdqu ymm %+ n, [table + n * 8]
%assign n n + 1
%endrep
                jmp .loaded
.load_zmm:
%assign n 0
%rep 32
                vmovdqu64 zmm %+ n, [table + n * 8]
%assign n n + 1
%endrep
%assign n 1
%rep 7
                kmovw k %+ n, [table + n * 8]
%assign n n + 1
%endrep
.loaded:

                mov r9, PASS_STEP
                imul r9, rbp                    ; the new pattern
                mov rax, PASS_STEP
                mov r8, r9
                sub r8, rax                     ; the old one
                mov rsi, MEMORY
.chunk:         mov ecx, CHUNK_WORDS
.word:          mov rax, r8
                rol rax, 29
                xor rax, r8
                cmp rax, [rsi]
                jne .bad
.write:         mov rax, r9
                rol rax, 29
                xor rax, r9
                mov [rsi], rax
                add r8, r10
                add r9, r10
                add rsi, 8
                dec ecx
                jnz .word

                fiadd dword [summand]
                cmp byte [vectors], 1
                jb .added
                ja .add_zmm
                vpaddq ymm0, ymm0, ymm1
                jmp .added
.add_zmm:       vpaddq zmm0, zmm0, zmm1
.added:         cmp rsi, MEMORY_END
                jne .chunk

                call check_x87
                call check_vectors
                call check_ticks
                call report
                inc rbp
                jmp pass

.bad:           inc r15
                call report_memory
                jmp .write

; Compares all x87 registers with what they must be; [x87_text] says the result.
check_x87:
                mov qword [x87_text], text_ok
                mov eax, [summand]
                imul rax, rax, CHUNKS
                add rax, rbp
                xor ecx, ecx
.register:      fistp qword [scratch]
                cmp rax, [scratch]
                je .next
                mov qword [x87_text], text_bad
.next:          inc ecx
                lea rax, [rbp + rcx]
                cmp ecx, 8
                jne .register
                ret

; Compares all vector registers with what they must be; [avx_text] says the result.
check_vectors:
                mov qword [avx_text], text_absent
                cmp byte [vectors], 1
                jb .done
                mov qword [avx_text], text_ok
                ja .zmm

%assign n 0
%rep 16
                vmovdqu [scratch + n * 32], ymm %+ n
%assign n n + 1
%endrep
                mov r11d, 16
                mov r12d, 4
                jmp .compare
.zmm:
%assign n 0
%rep 32
                vmovdqu64 [scratch + n * 64], zmm %+ n
%assign n n + 1
%endrep
                mov r11d, 32
                mov r12d, 8
%assign n 1
%rep 7
                kmovw eax, k %+ n
                cmp ax, [table + n * 8]
                jne .bad_mask
%assign n n + 1
%endrep
                jmp .compare
.bad_mask:      mov qword [avx_text], text_bad

.compare:       xor ecx, ecx                    ; the register
                mov rsi, scratch
.register:      xor edx, edx                    ; the lane
.lane:          lea rdi, [rcx + rdx]
                mov rax, [table + rdi * 8]
                test ecx, ecx
                jnz .expected
                mov rbx, [table + rdi * 8 + 8]  ; register 0 had register 1 added to it, once per chunk
                imul rbx, rbx, CHUNKS
                add rax, rbx
.expected:      cmp rax, [rsi]
                je .same
                mov qword [avx_text], text_bad
.same:          add rsi, 8
                inc edx
                cmp edx, r12d
                jne .lane
                inc ecx
                cmp ecx, r11d
                jne .register
.done:          ret

; Ticks must grow, and never shrink.
check_ticks:
                mov rax, [ticks]
                cmp rax, [last_ticks]
                mov [last_ticks], rax
                ja .grown
                jb .error
                inc dword [stalled]
                cmp dword [stalled], STALLED
                jb .done
.error:         inc r15
.grown:         mov dword [stalled], 0
.done:          ret

report:
                mov rsi, text_pass
                call append_first
                mov rax, rbp
                call append_decimal
                mov rsi, text_errors
                call append
                mov rax, r15
                call append_decimal
                mov rsi, text_ticks
                call append
                mov rax, [last_ticks]
                call append_decimal
                mov rsi, text_x87
                call append
                mov rsi, [x87_text]
                call append
                mov rsi, text_avx
                call append
                mov rsi, [avx_text]
                call append
                jmp end_line

; Tells the first memory errors in full: rsi is the address, rax what it should hold. Keeps all registers.
report_memory:
                cmp dword [shown], SHOWN
                jae .done
                inc dword [shown]
                push rax
                push rbx
                push rcx
                push rdx
                push rsi
                push rdi
                push qword [rsi]
                push rax
                push rsi
                mov rsi, text_memory
                call append_first
                pop rax
                call append_hexadecimal
                mov rsi, text_expected
                call append
                pop rax
                call append_hexadecimal
                mov rsi, text_got
                call append
                pop rax
                call append_hexadecimal
                call end_line
                pop rdi
                pop rsi
                pop rdx
                pop rcx
                pop rbx
                pop rax
.done:          ret

; ---- text --------------------------------------------------------------------------------------------------
; rdi is the end of the line so far; append_first begins a line.
append_first:
                mov rdi, line
append:
                mov al, [rsi]
                test al, al
                jz .done
                mov [rdi], al
                inc rdi
                inc rsi
                jmp append
.done:          ret

append_decimal:
                mov ecx, 10
                xor r13d, r13d
.digit:         xor edx, edx
                div rcx
                add edx, '0'
                push rdx
                inc r13d
                test rax, rax
                jnz .digit
.out:           pop rax
                mov [rdi], al
                inc rdi
                dec r13d
                jnz .out
                ret

append_hexadecimal:
                mov ecx, 16
.digit:         rol rax, 4
                mov edx, eax
                and edx, 15
                mov dl, [digits + rdx]
                mov [rdi], dl
                inc rdi
                dec ecx
                jnz .digit
                ret

end_line:
                mov byte [rdi], 13
                mov byte [rdi + 1], 10
                add rdi, 2
                mov rsi, line
.byte:          mov dx, COM1 + 5
.wait:          in al, dx
                test al, 0x20
                jz .wait
                mov dx, COM1
                mov al, [rsi]
                out dx, al
                inc rsi
                cmp rsi, rdi
                jne .byte
                ret

; ---- data --------------------------------------------------------------------------------------------------
text_hello:     db "selfcheck memory ", 0
text_hello_vectors: db " MiB vectors ", 0
text_none:      db "none", 0
text_ymm:       db "ymm", 0
text_zmm:       db "zmm", 0
text_pass:      db "pass ", 0
text_errors:    db " errors ", 0
text_ticks:     db " ticks ", 0
text_x87:       db " x87 ", 0
text_avx:       db " avx ", 0
text_ok:        db "ok", 0
text_bad:       db "BAD", 0
text_absent:    db "absent", 0
text_memory:    db "error: memory ", 0
text_expected:  db " expected ", 0
text_got:       db " got ", 0
text_exception: db "error: exception ", 0
text_stack:     db " stack ", 0
digits:         db "0123456789abcdef"

                align 8
names:          dq text_none, text_ymm, text_zmm
x87_text:       dq 0
avx_text:       dq 0
ticks:          dq 0
last_ticks:     dq 0
stalled:        dd 0
shown:          dd 0
summand:        dd 0
vectors:        db 0

                align 8
gdt:            dq 0
                dq 0x00af9a000000ffff           ; 0x08 code, ring 0
                dq 0x00cf92000000ffff           ; 0x10 data, ring 0
                dq 0x00cff2000000ffff           ; 0x18 data, ring 3
                dq 0x00affa000000ffff           ; 0x20 code, ring 3
                dw tss_end - tss - 1            ; 0x28 task state
                dw tss - $$ + ORIGIN
                db 0, 0x89, 0, 0
                dq 0
gdt_end:
gdt_pointer:    dw gdt_end - gdt - 1
                dd gdt

                align 8
tss:            dd 0
                dq KERNEL_STACK
                times 22 dd 0
                dw 0, port_map - tss
port_map:       times COM1 / 8 db 0xff          ; ring 3 may use the eight ports of COM1
                db 0
                times (0x400 - COM1) / 8 - 1 db 0xff
                db 0xff
tss_end:

%macro gate 1
                dw %1 - $$ + ORIGIN, 0x08
                db 0, 0x8e
                dw 0
                dq 0
%endmacro

                align 8
idt:
%assign vector 0
%rep 32
                gate exception_%+vector
%assign vector vector + 1
%endrep
                gate timer
%rep 15
                gate ignore
%endrep
idt_end:
idt_pointer:    dw idt_end - idt - 1
                dq idt

                align 64
table:          times 40 dq 0
scratch:        times 32 * 8 dq 0
line:           times 160 db 0

image_end:
%if image_end - $$ > (SECTORS + 1) * 512
%error "the image has outgrown SECTORS"
%endif
                times IMAGE_BYTES - ($ - $$) db 0
