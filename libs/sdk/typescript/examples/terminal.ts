// Talks to a shell on a terminal. With one of your own, pass its input on: process.stdin.on('data', (data) => terminal.write(data)).
import { Sandbox } from '@drydock/sdk';

await using sandbox = await Sandbox.create('python', { lifetime: '10m' });
let shown = '';
let hear = () => {};
const terminal = await sandbox.pty.create({
  rows: 24,
  columns: 80,
  onData(data) {
    shown += Buffer.from(data);
    process.stdout.write(data);
    hear();
  },
});
const showing = (text: string) =>
  new Promise<void>((resolve) => {
    hear = () => {
      if (shown.includes(text)) resolve();
    };
    hear();
  });
await terminal.write('stty size\n');
await showing('24 80');
await terminal.resize({ rows: 50, columns: 120 });
await terminal.write('stty size; exit\n');
const { exitCode } = await terminal.wait();
console.log(`the shell ended with ${exitCode}`);
