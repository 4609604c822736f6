global main
main:
    jmp harbour
