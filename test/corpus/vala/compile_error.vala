void main() {
    harbour();
}
