const { readFileSync } = require('node:fs');

const VARIANTS = [
  'agggtaaa|tttaccct', '[cgt]gggtaaa|tttaccc[acg]', 'a[act]ggtaaa|tttacc[agt]t',
  'agg[act]taaa|ttta[agt]cct', 'ag[act]gtaaa|tttac[agt]ct', 'ata[cg]t', 'gg+t?a',
];
const CODES = [[/tHa[Nt]/g, '<4>'], [/aND|caN|Ha[DS]|WaS/g, '<3>'], [/a[NSt]|BY/g, '<2>'], [/[BDHKMNRSVWY]/g, '*']];

const text = readFileSync(0, 'latin1');
const bare = text.replace(/>.*\n|\n/g, '');
for (const variant of VARIANTS) console.log(variant, bare.match(new RegExp(variant, 'g'))?.length ?? 0);
const replaced = CODES.reduce((sequence, [pattern, code]) => sequence.replace(pattern, code), bare);
console.log(`\n${text.length}\n${bare.length}\n${replaced.length}`);
