void main() {
    print("Hello, world!\n");
}
