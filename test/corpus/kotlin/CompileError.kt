fun main() {
    println(harbour)
}
