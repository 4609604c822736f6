fun main() {
    println("before")
    error("the harbour is closed")
}
