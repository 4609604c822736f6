fun main() {
    val kept = mutableListOf<String>()
    while (true) kept += "x".repeat(1 shl 20)
}
