import { join } from 'node:path';
import { execa } from 'execa';
import { BUILD, ROOT } from '../../deploy/host/root.ts';
import { corpus } from '../corpus/corpus.ts';
import type { Endpoints } from './api.ts';

const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3';
const BEGIN = '<!-- transcript: written by test/support/transcript.ts -->';
const END = '<!-- end of transcript -->';
const PROMPT = '$ ';
/** Printed after each command, so that its output is told from the next one's. */
const NEXT = '\u0000';

/** What a reader types once, so that a line per language is enough. */
const FUNCTIONS = [
  `request() { jq -Rs --arg language "$1" '{$language, source: .}' "test/corpus/$2"; }`,
  `http() { request "$@" | curl -s $URL/v1/executions:run -H "Authorization: Bearer $KEY" -d @- | jq -r .stdout; }`,
  `grpc() { request "$@" | grpcurl -plaintext -H "authorization: Bearer $KEY" -d @ $GRPC drydock.v1.ExecutionService/RunCode | jq -r .execution.stdout; }`,
];

/** A PATH on which grpcurl is, as a reader's machine has it. */
export async function pathWithGrpcurl(): Promise<string> {
  const directory = join(BUILD, 'bin');
  await execa('go', ['install', GRPCURL], { env: { GOBIN: directory, CGO_ENABLED: '0' } });
  return `${directory}:${process.env.PATH}`;
}

/** Commands that run hello world in every language, over HTTP and gRPC. */
export function languageCommands(): string[] {
  const hello = corpus.filter(({ name }) => name === 'hello');
  const programs = hello.map(({ language, directory, files }) => `${language} ${directory}/${files[0]?.name}`);
  return [...FUNCTIONS, ...programs.map((program) => `echo "$(http ${program}) $(grpc ${program})"`)];
}

/** The commands of a page's transcript. */
export function commandsOf(page: string): string[] {
  const { transcript } = parts(page);
  return transcript
    .split('\n')
    .filter((line) => line.startsWith(PROMPT))
    .map((line) => line.slice(PROMPT.length));
}

/** Runs commands that a reader would type, one after the other in one shell, and shows what each printed. Throws if one fails. */
export async function transcribe(
  commands: string[],
  { httpUrl, gatewayAddress }: Endpoints,
  apiKey: string,
): Promise<string> {
  const env = { URL: httpUrl, GRPC: gatewayAddress, KEY: apiKey, PATH: await pathWithGrpcurl() };
  // These are a reader's lines, pipes included, so a shell reads them here too.
  const script = ['set -eo pipefail', ...commands.flatMap((command) => [command, `printf '\\0'`])].join('\n');
  const { stdout } = await execa('bash', ['-c', script], { cwd: ROOT, env });
  const outputs = stdout.split(NEXT);
  const lines = commands.flatMap((command, index) => [`${PROMPT}${command}`, outputs[index]!.trimEnd()]);
  return ['```console', ...lines.filter(Boolean), '```'].join('\n');
}

/** A page with its transcript replaced. */
export function withTranscript(page: string, transcript: string): string {
  const { before, after } = parts(page);
  return `${before}${BEGIN}\n${transcript}\n${END}${after}`;
}

function parts(page: string): { before: string; transcript: string; after: string } {
  const [before, rest] = page.split(BEGIN);
  const [transcript, after] = rest?.split(END) ?? [];
  if (before === undefined || transcript === undefined || after === undefined)
    throw new Error(`the page lacks ${BEGIN} and ${END}`);
  return { before, transcript, after };
}
