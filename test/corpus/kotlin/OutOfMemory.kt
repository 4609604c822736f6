fun main() = println(LongArray(Int.MAX_VALUE - 8).size)
