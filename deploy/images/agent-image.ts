import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';

/**
 * Makes the root file system of the image that brings the agent into a pod: the agent as `/drydock-agent` and nothing else.
 * Answers with the archive and with the image's name, which changes with the agent.
 */
export async function makeAgentImage(
  agentBinary: string,
  directory: string,
): Promise<{ archive: string; tag: string }> {
  await mkdir(directory, { recursive: true });
  const archive = join(directory, 'agent-image.tar');
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=0555', '--mtime=@0'];
  await execa('tar', ['-C', dirname(agentBinary), ...owner, '-cf', archive, basename(agentBinary)]);
  const hash = createHash('sha256');
  await pipeline(createReadStream(agentBinary), hash);
  return { archive, tag: `drydock/agent:${hash.digest('hex').slice(0, 12)}` };
}
