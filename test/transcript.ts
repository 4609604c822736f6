import { join } from 'node:path';
import { execa } from 'execa';
import { BUILD, ROOT } from '../deploy/local/root.ts';
import type { Endpoints } from './api.ts';
import { corpus } from './corpus/corpus.ts';

const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3';
const BEGIN = '<!-- transcript: written by test/transcript.ts -->';
const END = '<!-- end of transcript -->';

/** What a reader types once, so that a line per language is enough. */
const FUNCTIONS = [
  `request() { jq -Rs --arg language "$1" '{$language, source: .}' "test/corpus/hello/$2"; }`,
  `http() { request "$@" | curl -s $URL/v1/executions:run -H "Authorization: Bearer $KEY" -d @- | jq -r .stdout; }`,
  `grpc() { request "$@" | grpcurl -plaintext -H "authorization: Bearer $KEY" -d @ $GRPC drydock.v1.ExecutionService/RunCode | jq -r .execution.stdout; }`,
];

/** A PATH on which grpcurl is, as a reader's machine has it. */
export async function pathWithGrpcurl(): Promise<string> {
  const directory = join(BUILD, 'bin');
  await execa('go', ['install', GRPCURL], { env: { GOBIN: directory, CGO_ENABLED: '0' } });
  return `${directory}:${process.env.PATH}`;
}

/** Runs hello world in every language over HTTP and gRPC, with the commands that a reader would type, and shows what came of it. */
export async function writeTranscript({ httpUrl, gatewayAddress }: Endpoints, apiKey: string): Promise<string> {
  const env = { URL: httpUrl, GRPC: gatewayAddress, KEY: apiKey, PATH: await pathWithGrpcurl() };
  const lines = FUNCTIONS.map((definition) => `$ ${definition}`);
  for (const { language, files } of corpus.filter(({ name }) => name === 'hello')) {
    const program = `${language} ${files[0]?.name}`;
    const command = `echo "$(http ${program}) $(grpc ${program})"`;
    // These are a reader's lines, pipes included, so a shell reads them here too.
    const script = ['set -o pipefail', ...FUNCTIONS, command].join('\n');
    const { stdout } = await execa('bash', ['-c', script], { cwd: ROOT, env });
    lines.push(`$ ${command}`, stdout.trimEnd());
  }
  return ['```console', ...lines, '```'].join('\n');
}

/** A page with its transcript replaced. */
export function withTranscript(page: string, transcript: string): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`the page lacks ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n${transcript}\n${END}${after}`;
}
