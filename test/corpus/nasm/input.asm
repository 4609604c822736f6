global main
extern printf, scanf
section .rodata
number_format: db "%d", 0
result: db "sum: %d", 10, "largest: %d", 10, "mean: %.2f", 10, 0
section .bss
number: resd 1
section .text
main:
    push rbx
    push rbp
    push r12
    call read_number
    mov r12d, eax ; how many
    mov ebp, eax ; how many are left
    xor ebx, ebx ; sum
    mov dword [largest], 0x80000000
next:
    call read_number
    add ebx, eax
    cmp eax, [largest]
    jle smaller
    mov [largest], eax
smaller:
    dec ebp
    jnz next
    cvtsi2sd xmm0, ebx
    cvtsi2sd xmm1, r12d
    divsd xmm0, xmm1
    mov edi, result
    mov esi, ebx
    mov edx, [largest]
    mov eax, 1
    call printf
    xor eax, eax
    pop r12
    pop rbp
    pop rbx
    ret
read_number:
    sub rsp, 8
    mov edi, number_format
    mov esi, number
    xor eax, eax
    call scanf
    mov eax, [number]
    add rsp, 8
    ret
section .data
largest: dd 0
section .note.GNU-stack noalloc noexec nowrite progbits
