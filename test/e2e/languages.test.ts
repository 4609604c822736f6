import { afterAll, describe, expect, inject, test } from 'vitest';
import { corpus, isUsual, type Program } from '../corpus/corpus.ts';
import { connectGrpc, connectHttp } from '../support/api.ts';

const platform = inject('platform');
const grpc = connectGrpc(platform, platform.apiKey);
const http = connectHttp(platform, platform.apiKey);
afterAll(() => grpc[Symbol.dispose]());

const hello = corpus.filter(({ name }) => name === 'hello');
const failing = corpus.filter(({ verdict, signal }) => verdict !== 'ACCEPTED' && !signal).filter(isUsual);

/** A word of the line that is wrong, or the name of its file. */
const NAMES_THE_FAULT = /harbour|compile[_-]error/i;

const run = ({ language, files, entrypoint, stdin }: Program, expectedOutput?: string) =>
  grpc.runCode({
    language,
    files: files.map(({ name, text }) => ({ name, content: { $case: 'text' as const, value: text } })),
    entrypoint,
    stdin,
    expectedOutput,
    comparison: 'EXACT',
  });

describe.concurrent('hello world over HTTP', () => {
  test.each(hello)('$language', async ({ language, files, expected }) => {
    const { body } = await http('POST', '/v1/executions:run', {
      language,
      source: files[0]?.text,
    });
    expect(body).toMatchObject({ verdict: 'ACCEPTED', stdout: expected });
  });
});

describe.concurrent('the corpus over gRPC', () => {
  test.each(corpus.filter(({ verdict }) => verdict === 'ACCEPTED').filter(isUsual))(
    '$language: $name',
    async (program) => {
      const execution = await run(program, program.expected);
      const { verdict, stdout } = execution;
      const words = execution.compile?.stderr || execution.stderr;
      expect({ verdict, stdout }, words).toEqual({ verdict: 'ACCEPTED', stdout: program.expected });
    },
  );
});

describe.concurrent('a program that fails says so, with the words of its compiler or runtime', () => {
  test.each(failing)('$language: $name', async (program) => {
    const { verdict, stdout, stderr, compile } = await run(program);
    expect({ verdict, stdout }).toEqual({ verdict: program.verdict, stdout: program.expected });
    if (verdict === 'COMPILE_ERROR') expect(`${compile?.stdout}${compile?.stderr}`).toMatch(NAMES_THE_FAULT);
    else expect(stderr).not.toBe('');
  });
});

test('every language of the API has a hello world', async () => {
  const { body } = await http('GET', '/v1/languages?pageSize=1000');
  expect(body.languages.map(({ name }: { name: string }) => name).sort()).toEqual(
    hello.map(({ language }) => language).sort(),
  );
});
