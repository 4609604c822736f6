const lines = require('node:fs').readFileSync(0, 'utf8').trimEnd().split('\n');

console.log('Ahoj, světe ✓');
for (const line of lines) {
  const characters = [...line];
  console.log(characters.length, characters.reverse().join(''));
}
