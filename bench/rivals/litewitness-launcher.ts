import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

// litewitness-launcher.ts <host:port> <command> [argument...]: starts a server, prints its URL when it listens there, and ends it
// with its standard input.

const [address, command, ...args] = process.argv.slice(2);
const [host, port] = address.split(':');
const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
child.on('exit', (code) => process.exit(code ?? 0));
process.stdin.resume().on('end', () => child.kill());

for (let listening = false; !listening; ) {
  const socket = connect(Number(port), host);
  listening = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  if (!listening) await new Promise((resolve) => setTimeout(resolve, 20));
}
console.log(`http://${address}`);
