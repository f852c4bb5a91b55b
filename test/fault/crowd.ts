import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Attack } from './slow-client-process.js';

const CHILD = fileURLToPath(new URL('slow-client-process.ts', import.meta.url));
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Slow clients in a process of their own. */
export class Crowd {
  /** Connections that were opened so far, that are open, and that the server has closed. */
  counts = { opened: 0, open: 0, closed: 0 };
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** @param around a command in front of `node` */
  constructor(attack: Attack, around: readonly string[] = []) {
    const own = [process.execPath, '--conditions=@treering/source', '--import', 'tsx', CHILD, JSON.stringify(attack)];
    const [command, ...args] = [...around, ...own];
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    running.add(this.#child);
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.counts = JSON.parse(line);
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
  }

  /** Ends it without a farewell of its own; the kernel closes its connections. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    running.delete(this.#child);
  }
}
