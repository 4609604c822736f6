global main
extern puts
section .rodata
text: db "Hello, world!", 0
section .text
main:
    sub rsp, 8
    mov edi, text
    call puts
    xor eax, eax
    add rsp, 8
    ret
section .note.GNU-stack noalloc noexec nowrite progbits
