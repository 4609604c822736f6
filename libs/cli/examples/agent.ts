// An agent that works in a sandbox by the tools of `drydock mcp`. The model is a script, so that the loop runs without a network: put a
// model's answers in its place, with the tools that `listTools` describes.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

type ToolCall = { name: string; arguments: Record<string, unknown> };
type Answer = { call: ToolCall } | { text: string };
type Result = { structuredContent?: Record<string, unknown>; text: string };

/** What a model would say, given the results so far. */
function model(results: readonly Result[]): Answer {
  const sandboxId = results[0]?.structuredContent?.sandbox_id;
  const write = (content: string) => ({
    call: { name: 'write_file', arguments: { sandbox_id: sandboxId, path: 'median.py', content } },
  });
  const test = {
    call: { name: 'run_command', arguments: { sandbox_id: sandboxId, command: ['python3', 'median.py'] } },
  };
  const check = 'assert median([1, 2, 3, 4]) == 2.5, median([1, 2, 3, 4])\nprint("passed")\n';
  const steps: Answer[] = [
    { call: { name: 'create_sandbox', arguments: { template: 'python' } } },
    write(`def median(values):\n    return sorted(values)[len(values) // 2]\n${check}`),
    test,
    write(`from statistics import median\n${check}`),
    test,
    { text: `The test ${results.at(-1)?.text}.` },
  ];
  return steps[results.length]!;
}

const client = new Client({ name: 'agent', version: '1.0.0' });
const { DRYDOCK_URL = '', DRYDOCK_API_KEY = '', PATH = '' } = process.env;
await client.connect(
  new StdioClientTransport({ command: 'drydock', args: ['mcp'], env: { DRYDOCK_URL, DRYDOCK_API_KEY, PATH } }),
);
const { tools } = await client.listTools();
console.log(`${tools.length} tools`);
const results: Result[] = [];
for (;;) {
  const answer = model(results);
  if ('text' in answer) {
    console.log(answer.text);
    break;
  }
  const { structuredContent, content } = await client.callTool(answer.call);
  const text = content.map((part) => (part.type === 'text' ? part.text : `[${part.type}]`)).join('\n');
  results.push({
    ...(structuredContent ? { structuredContent: structuredContent as Record<string, unknown> } : {}),
    text,
  });
  console.log(`${answer.call.name}: ${text.split('\n').at(-1)}`);
}
await client.close();
