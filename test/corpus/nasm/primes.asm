%define LIMIT 5000
global main
extern printf
section .rodata
result: db "%d primes up to %d, the last is %d", 10, 0
section .bss
composite: resb LIMIT + 1
section .text
main:
    sub rsp, 8
    xor esi, esi ; count
    mov eax, 2
next:
    cmp byte [composite + rax], 0
    jne skip
    inc esi
    mov ecx, eax ; the last
    mov edx, eax
    imul edx, eax
cross:
    cmp edx, LIMIT
    jg skip
    mov byte [composite + rdx], 1
    add edx, eax
    jmp cross
skip:
    inc eax
    cmp eax, LIMIT
    jle next
    mov edi, result
    mov edx, LIMIT
    xor eax, eax
    call printf
    xor eax, eax
    add rsp, 8
    ret
section .note.GNU-stack noalloc noexec nowrite progbits
