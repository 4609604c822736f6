import { afterAll, describe, expect, inject, test } from 'vitest';
import { connectGrpc, connectHttp } from '../api.ts';
import { corpus } from '../corpus/corpus.ts';

const platform = inject('platform');
const grpc = connectGrpc(platform, platform.apiKey);
const http = connectHttp(platform, platform.apiKey);
afterAll(() => grpc[Symbol.dispose]());

const hello = corpus.filter(({ name }) => name === 'hello');

describe('hello world over HTTP', () => {
  test.each(hello)('$language', async ({ language, files, expected }) => {
    const { body } = await http('POST', '/v1/executions:run', {
      language,
      source: files[0]?.text,
    });
    expect(body).toMatchObject({ verdict: 'ACCEPTED', stdout: expected });
  });
});

describe('the corpus over gRPC', () => {
  test.each(corpus)('$language: $name', async ({ language, files, entrypoint, stdin, expected }) => {
    const execution = await grpc.runCode({
      language,
      files: files.map(({ name, text }) => ({
        name,
        content: { $case: 'text' as const, value: text },
      })),
      entrypoint,
      stdin,
      expectedOutput: expected,
      comparison: 'EXACT',
    });
    expect(execution, execution.compile?.stderr || execution.stderr).toMatchObject({ verdict: 'ACCEPTED' });
  });
});

test('every language of the API has a hello world', async () => {
  const { body } = await http('GET', '/v1/languages?pageSize=1000');
  expect(body.languages.map(({ name }: { name: string }) => name).sort()).toEqual(
    hello.map(({ language }) => language).sort(),
  );
});

test('a program that does not compile is told so, with the compiler’s words', async () => {
  const execution = await grpc.runCode({
    language: 'c',
    source: 'int main() { return nothing; }',
  });
  expect(execution.verdict).toBe('COMPILE_ERROR');
  expect(execution.compile?.stderr).toMatch(/nothing/);
});
