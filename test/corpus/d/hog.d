void main() {
    ubyte[][] kept;
    while (true) {
        auto piece = new ubyte[1 << 20];
        piece[] = 7;
        kept ~= piece;
    }
}
