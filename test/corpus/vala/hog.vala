void main() {
    while (true) Memory.set(malloc(1 << 20), 7, 1 << 20);
}
