import { connect, type Socket } from 'node:net';

// slow-client-process.ts ATTACK: opens connections and keeps them as the attack says, until it is killed. Prints a line when all were opened once, and once a
// second how many were closed by the server.

/** What a crowd of clients does. */
export interface Attack {
  readonly kind: AttackKind;
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  /** Paths that are asked for, one after the other, by those who do not take the answers. */
  readonly paths: readonly string[];
  /** Whether who was thrown out comes back. */
  readonly again: boolean;
}

/** What one client does with its connection once it is open. */
const KINDS = {
  'say nothing': () => undefined,
  'send headers slowly': (socket: Socket) => {
    socket.write('GET /checkpoint HTTP/1.1\r\nHost: x\r\n');
    drip(socket, 'X-Slow: y\r\n', 1000);
  },
  'send a body slowly': (socket: Socket) => {
    socket.write('POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/cose\r\nContent-Length: 1000\r\n\r\n');
    drip(socket, 'x', 1000);
  },
  'take no answer': (socket: Socket, path: string) => {
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n`);
  },
  'take answers slowly': (socket: Socket, path: string) => {
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: identity\r\n\r\n`);
    const timer = setInterval(() => socket.read(1), 1000);
    socket.once('close', () => clearInterval(timer));
  },
  'ask without end': (socket: Socket, path: string) => {
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(1000));
  },
} satisfies Readonly<Record<string, (socket: Socket, path: string) => void>>;

/** How clients can be slow. */
export type AttackKind = keyof typeof KINDS;

/** Connections that are opened in a tenth of a second. */
const AT_ONCE = 100;

const { kind, host, port, connections, paths, again } = JSON.parse(process.argv[2]) as Attack;
let [opened, open, closed] = [0, 0, 0];
let begun = 0;
const timer = setInterval(() => {
  for (let i = 0; i < AT_ONCE && open < connections && (again || begun < connections); i++) openOne();
  if (!again && begun >= connections) clearInterval(timer);
}, 100);
setInterval(() => console.log(JSON.stringify({ opened, open, closed })), 500);

function openOne(): void {
  open++;
  const path = paths[begun++ % Math.max(1, paths.length)];
  const socket = connect({ host, port }, () => {
    opened++;
    KINDS[kind](socket, path);
  });
  // What a server does with such a client is what is looked at.
  socket.on('error', () => undefined);
  socket.on('close', () => {
    open--;
    closed++;
  });
  if (!kind.startsWith('take') && !kind.startsWith('ask')) socket.resume();
}

function drip(socket: Socket, text: string, milliseconds: number): void {
  const timer = setInterval(() => socket.write(text), milliseconds);
  socket.once('close', () => clearInterval(timer));
}
