import type { Limit, Program } from './program.ts';

const NO_COMPILER = { because: 'the cluster of the tests has the image of Python alone' };
const NO_STEP = { because: 'a live sandbox has no step that compiles' };
const elsewhere = {
  pod: NO_COMPILER,
  'live pod': NO_COMPILER,
  gVisor: NO_COMPILER,
  'live gVisor': NO_COMPILER,
  live: NO_STEP,
};
const wallTime = { seconds: 3, nanos: 0 };

/** C++ that harms what compiles it. */
function compiled(name: string, stoppedBy: Limit, source: string, more: Partial<Program> = {}): Program {
  return { name, stoppedBy, source, compiler: [], limits: { wallTime }, ends: ['COMPILE_ERROR'], elsewhere, ...more };
}

export const COMPILERS: Program[] = [
  compiled('#include of a device without end', 'memory', '#include "/dev/zero"\nint main() {}'),
  compiled('#include of the random device', 'memory', '#include "/dev/urandom"\nint main() {}'),
  compiled('#include of itself', 'compiler’s limits', '#include __FILE__\n#include __FILE__\nint main() {}'),
  compiled(
    '#include of what it may not read',
    'file rights',
    '#include "/etc/shadow"\n#include "/proc/1/environ"\nint main() {}',
  ),
  compiled(
    '#include of a pipe without a writer',
    'wall time',
    '#include "/dev/stdin"\n#include "/proc/self/fd/0"\n#include "/dev/stdout"\nint main() {}',
    { ends: ['COMPILE_ERROR', 'ACCEPTED', 'RUNTIME_ERROR'], says: /^/ },
  ),
  compiled('.incbin of a device without end', 'memory', 'asm(".incbin \\"/dev/zero\\"");\nint main() {}'),
  compiled(
    'templates without end',
    'wall time',
    'template<int N, int M> struct A { using L = typename A<N - 1, M * 2>::T; using R = typename A<N - 1, M * 2 + 1>::T; using T = A; };\ntemplate<int M> struct A<0, M> { using T = A; };\ntemplate struct A<40, 0>;\nint main() {}',
  ),
  compiled(
    'templates that are deep',
    'compiler’s limits',
    'template<int N> struct A { static const int v = A<N + 1>::v; };\nint main() { return A<0>::v; }',
  ),
  compiled(
    'macros that double',
    'memory',
    `#define A0 1,\n${Array.from({ length: 40 }, (_, n) => `#define A${n + 1} A${n} A${n}`).join('\n')}\nint a[] = {A40};\nint main() {}`,
  ),
  compiled(
    'a constant that is computed without end',
    'wall time',
    'constexpr int f(long n) { int s = 0; for (long i = 0; i < n; ++i) s ^= i; return s; }\nstatic_assert(f(1L << 50) == 1);\nint main() {}',
    { compiler: ['-fconstexpr-loop-limit=2147483647', '-fconstexpr-ops-limit=9223372036854775807'] },
  ),
  compiled('a program of two gigabytes', 'disk', 'int a[1 << 29] = {1};\nint main() { return a[0]; }'),
  compiled('lines of the assembler without end', 'memory', 'asm(".rept 1000000000\\n nop\\n .endr");\nint main() {}'),
  compiled(
    'errors without end',
    'output',
    `${Array.from({ length: 40 }, (_, n) => `#define A${n + 1} ${n === 0 ? 'x.y;' : `A${n} A${n}`}`)
      .slice(0, 18)
      .join('\n')}\nint main() { A18 }`,
    { compiler: ['-fmax-errors=0'] },
  ),
  compiled(
    'memory that it has and never touches',
    'memory',
    'static char a[1L << 36];\nint main() { return a[1 << 20]; }',
    { ends: ['ACCEPTED', 'RUNTIME_ERROR', 'MEMORY_EXCEEDED', 'COMPILE_ERROR'], says: /^$/ },
  ),
  compiled('the compiler replaced by a link', 'file rights', 'int main() { return 0; }', {
    compiler: ['-o', '/usr/bin/python3'],
  }),
];
