fun main() {
    val words = generateSequence(::readLine).flatMap { it.split(' ').asSequence() }.map(String::toLong).toList()
    val numbers = words.drop(1).take(words.first().toInt())
    println("sum: ${numbers.sum()}")
    println("largest: ${numbers.max()}")
    println("mean: %.2f".format(numbers.average()))
}
