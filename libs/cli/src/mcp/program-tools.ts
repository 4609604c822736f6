import type { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Duration, Execution, Sandbox } from '../../../sdk/typescript/src/index.ts';
import { Clip, clipped } from './clip.ts';
import type { Session } from './session.ts';
import { answer, type Call, outputText, result } from './tool.ts';

const seconds = (max: number) => z.number().positive().max(max);
const inSeconds = (value: number) => `${value}s` as Duration;

const OUTPUT = {
  exit_code: z.number().int().nullable().describe('null where a signal ended it'),
  signal: z.string().nullable(),
  stdout: z.string(),
  stderr: z.string(),
  truncated: z.boolean().describe('the middle of an output was left out'),
  duration_ms: z.number(),
};

/** `run_code`: a program in a fresh sandbox. */
export function registerRunCode(server: McpServer, session: Session): void {
  server.registerTool(
    'run_code',
    {
      title: 'Run code',
      description:
        'Runs a program in a fresh, isolated sandbox without network, and returns its output. Nothing is kept between calls: for files ' +
        'or several steps, use create_sandbox.',
      inputSchema: z.object({
        language: z.string().describe('such as python, javascript, bash, cpp, go, java, rust'),
        code: z
          .string()
          .max(1024 * 1024)
          .describe('the source of the program'),
        stdin: z
          .string()
          .max(1024 * 1024)
          .optional(),
        arguments: z.array(z.string()).max(100).optional(),
        timeout_seconds: seconds(300).optional().describe('default 10'),
      }),
      outputSchema: z.object({
        ...OUTPUT,
        verdict: z.string().describe('ACCEPTED where it exited with 0'),
        compiler_output: z.string().optional(),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (input, context) =>
      answer(context, async ({ signal, progress }) => {
        const { language, code, stdin, timeout_seconds: time } = input;
        const program = {
          language,
          source: code,
          ...(stdin === undefined ? {} : { stdin }),
          ...(input.arguments ? { arguments: input.arguments } : {}),
          ...(time ? { limits: { wallTime: inSeconds(time), cpuTime: inSeconds(time) } } : {}),
        };
        let bytes = 0;
        for await (const event of session.drydock.executions.stream(program, { signal })) {
          if (event.type === 'compile') progress(0, 'compiling');
          if (event.type === 'stdout' || event.type === 'stderr') {
            bytes += event.data.length;
            progress(bytes, lastLine(event.text));
          }
          if (event.type === 'finished') return resultOfRun(event.execution);
        }
        throw new Error('the platform told no end of the program');
      }),
  );
}

function resultOfRun({
  verdict = 'INTERNAL_ERROR',
  exitCode,
  signal,
  stdout,
  stderr,
  compile,
  usage,
  message,
}: Execution) {
  const [out, err] = [clipped(stdout), clipped(stderr)];
  const compiler = clipped(`${compile?.stdout ?? ''}${compile?.stderr ?? ''}`).text;
  const data = {
    verdict,
    exit_code: exitCode,
    signal,
    stdout: out.text,
    stderr: err.text,
    truncated: out.truncated || err.truncated,
    duration_ms: Math.round(usage?.wallTimeMs ?? 0),
    ...(compiler ? { compiler_output: compiler } : {}),
  };
  const ended = [
    compiler && `compiler:\n${compiler.trimEnd()}`,
    message,
    verdict === 'ACCEPTED' ? '' : endOf(data, verdict),
  ];
  return result(data, outputText({ stdout: out.text, stderr: err.text, ended: ended.filter(Boolean).join('\n') }));
}

function endOf({ exit_code: code, signal }: { exit_code: number | null; signal: string | null }, verdict = ''): string {
  const how = code === null ? (signal ? `ended by ${signal}` : '') : `exit code ${code}`;
  return `[${[verdict, how].filter(Boolean).join(', ')}]`;
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.slice(-200) ?? '';
}

/** `run_command`: a command in a sandbox of the session. */
export function registerRunCommand(server: McpServer, session: Session): void {
  server.registerTool(
    'run_command',
    {
      title: 'Run a command',
      description:
        'Runs a command in a sandbox and returns its output when it has ended. A text is run by /bin/sh; a list is a program with its ' +
        'arguments.',
      inputSchema: z.object({
        sandbox_id: z.string(),
        command: z.union([z.string().min(1), z.array(z.string()).min(1)]),
        stdin: z
          .string()
          .max(1024 * 1024)
          .optional(),
        working_directory: z.string().optional().describe('default: the home'),
        timeout_seconds: seconds(3_600).optional().describe('then it is killed; default 120'),
      }),
      outputSchema: z.object({ ...OUTPUT, timed_out: z.boolean() }),
      annotations: { destructiveHint: true, openWorldHint: false },
    },
    (input, context) =>
      answer(context, async (call) => {
        const sandbox = await session.open(input.sandbox_id, call.signal);
        return runCommand(sandbox, input, call);
      }),
  );
}

type CommandInput = {
  command: string | string[];
  stdin?: string | undefined;
  working_directory?: string | undefined;
  timeout_seconds?: number | undefined;
};

async function runCommand(sandbox: Sandbox, input: CommandInput, { signal, progress }: Call) {
  const { command, stdin, working_directory: directory, timeout_seconds: time = 120 } = input;
  const handle = await sandbox.commands.start(command, {
    signal,
    timeout: inSeconds(time),
    keptBytes: 0,
    ...(stdin === undefined ? {} : { stdin }),
    ...(directory ? { workingDirectory: directory } : {}),
  });
  const outputs = { stdout: new Clip(), stderr: new Clip() };
  let ended: { exitCode: number | null; signal: string | null; durationMs: number } | undefined;
  try {
    for await (const event of handle) {
      if (event.type === 'exit') {
        ended = event.result;
        continue;
      }
      outputs[event.type].add(event.data);
      progress(outputs.stdout.bytes + outputs.stderr.bytes, lastLine(event.text));
    }
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error;
  }
  const [stdout, stderr] = [outputs.stdout.text(), outputs.stderr.text()];
  const data = {
    exit_code: ended?.exitCode ?? null,
    signal: ended ? ended.signal : 'SIGKILL',
    stdout,
    stderr,
    truncated: outputs.stdout.truncated || outputs.stderr.truncated,
    duration_ms: Math.round(ended?.durationMs ?? time * 1_000),
    timed_out: !ended,
  };
  const how = data.timed_out ? `[killed after ${time} s]` : data.exit_code === 0 ? '' : endOf(data);
  return result(data, outputText({ stdout, stderr, ended: how }));
}
