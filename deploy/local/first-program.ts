const SOURCE = 'import platform\nprint("Hello from Python", platform.python_version(), "in a sandbox")';

/** Runs a first program over HTTP and answers with what it printed. */
export async function runFirstProgram(httpUrl: string, apiKey: string, signal?: AbortSignal): Promise<string> {
  const response = await fetch(`${httpUrl}/v1/executions:run`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ language: 'python', source: SOURCE }),
    ...(signal && { signal }),
  });
  const answer = (await response.json()) as {
    verdict?: string;
    stdout?: string;
    message?: string;
  };
  if (!response.ok || answer.verdict !== 'ACCEPTED')
    throw new Error(`the first program failed: ${JSON.stringify(answer)}`);
  return answer.stdout ?? '';
}

type Place = { httpUrl: string; gatewayAddress: string; apiKey: string };

/** Lines that do the same by hand, exactly as printed. */
export function describeUse({ httpUrl, gatewayAddress, apiKey }: Place): string {
  const program = JSON.stringify({
    language: 'python',
    source: 'print(6 * 7)',
  });
  return `
API key   ${apiKey}
HTTP      ${httpUrl}   (routes: ${httpUrl}/openapi.json)
gRPC      ${gatewayAddress}

curl -s ${httpUrl}/v1/executions:run -H 'Authorization: Bearer ${apiKey}' -d '${program}'

grpcurl -plaintext -H 'authorization: Bearer ${apiKey}' -d '${program}' ${gatewayAddress} drydock.v1.ExecutionService/RunCode
`;
}
