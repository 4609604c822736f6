def (count, numbers) = System.in.text.split().collect { it as int }.with { [it.head(), it.tail()] }
println "sum: ${numbers.sum()}"
println "largest: ${numbers.max()}"
println String.format("mean: %.2f", numbers.sum() / count)
