fun main() {
    while (true) println("harbour")
}
