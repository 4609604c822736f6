fun main() {
    println("Ahoj, světe ✓")
    generateSequence(::readLine).forEach { println("${it.length} ${it.reversed()}") }
}
