import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emptyRoot } from '@treering/merkle';
import { formatVerifierKey, type Signer } from '@treering/note';
import Database from 'better-sqlite3';

const NEEDED = ['litewitness', 'ssh-agent', 'ssh-add', 'ssh-keygen'];
const LAUNCHER = fileURLToPath(new URL('litewitness-launcher.ts', import.meta.url));

/** A command that serves, and what ends what it needs. */
interface Prepared {
  readonly args: readonly string[];
  stop(): Promise<void>;
}

/**
 * Prepares a witness of filippo.io/torchwood, which cosigns with Ed25519 and keeps its state in SQLite, or undefined when its
 * commands are not on the PATH: nothing here depends on it.
 */
export const litewitnessCommand: ((data: string, logs: readonly Signer[]) => Promise<Prepared>) | undefined = NEEDED.every(
  isOnPath,
)
  ? prepare
  : undefined;

function isOnPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, command)));
}

async function prepare(data: string, logs: readonly Signer[]): Promise<Prepared> {
  const db = join(data, 'litewitness.db');
  addLogs(db, logs);
  const key = join(data, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const fingerprint = execFileSync('ssh-keygen', ['-lf', key], { encoding: 'utf8' }).split(' ')[1];
  const socket = join(data, 's');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  const ended = once(agent, 'exit');
  while (!existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 20));
  execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' });
  const listen = `127.0.0.1:${await freePort()}`;
  const args = ['-name', 'bench.example/witness', '-db', db, '-key', fingerprint, '-ssh-agent', socket, '-listen', listen];
  return {
    args: [process.execPath, ...process.execArgv, LAUNCHER, listen, 'litewitness', ...args],
    async stop() {
      agent.kill();
      await ended;
    },
  };
}

/** What its witnessctl does for each log: its store with an empty tree, and a key. */
function addLogs(path: string, logs: readonly Signer[]): void {
  const db = new Database(path);
  db.exec(`
    CREATE TABLE log (origin TEXT PRIMARY KEY, tree_size INTEGER NOT NULL, tree_hash TEXT NOT NULL);
    CREATE TABLE key (origin TEXT NOT NULL, key TEXT NOT NULL, FOREIGN KEY(origin) REFERENCES log(origin));
  `);
  for (const { key } of logs) {
    db.prepare('INSERT INTO log VALUES (?, 0, ?)').run(key.name, Buffer.from(emptyRoot()).toString('base64'));
    db.prepare('INSERT INTO key VALUES (?, ?)').run(key.name, formatVerifierKey(key));
  }
  db.close();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
