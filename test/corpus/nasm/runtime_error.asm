global main
extern puts, fflush, perror, exit
section .rodata
text: db "before", 0
words: db "the harbour", 0
section .text
main:
    sub rsp, 8
    mov edi, text
    call puts
    xor edi, edi
    call fflush
    mov edi, words
    call perror
    mov edi, 3
    call exit
section .note.GNU-stack noalloc noexec nowrite progbits
