// Runs one attack in a process of its own, and prints its tally: attacker.ts GROUP NAME GRPC_PORT HTTP_PORT SECONDS, the key in KEY.
import { OF_A_TENANT, OF_NOBODY } from './attacks.ts';

const [group, name, grpcPort, httpPort, seconds] = process.argv.slice(2);
const attack = (group === 'nobody' ? OF_NOBODY : OF_A_TENANT)[name!]!;
const tally = await attack({
  grpcPort: Number(grpcPort),
  httpPort: Number(httpPort),
  credential: group === 'nobody' ? '' : process.env.KEY!,
  until: Date.now() + Number(seconds) * 1_000,
});
process.stdout.write(JSON.stringify([...tally]));
process.exit();
