void main() {
    print("before\n");
    error("the harbour is closed");
}
