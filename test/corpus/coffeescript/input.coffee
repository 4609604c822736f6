[count, numbers...] = require('fs').readFileSync(0, 'utf8').trim().split(/\s+/).map Number
sum = numbers.reduce (a, b) -> a + b
console.log "sum: #{sum}"
console.log "largest: #{Math.max numbers...}"
console.log "mean: #{(sum / count).toFixed 2}"
