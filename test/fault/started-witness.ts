import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Serves the built witness, which starts in half the time. */
const SCRIPT = fileURLToPath(new URL('../../apps/witness/test/witness-process.mjs', import.meta.url));

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A witness that is served by a process of its own. */
export interface StartedWitness {
  readonly url: string;
  /** Its Ed25519 key first. */
  readonly vkeys: readonly string[];
  /** Milliseconds from its start until it was ready. */
  readonly startTime: number;
  /** Ends it with SIGKILL and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts a witness with these settings, and waits until it is ready. @throws Error when it ends before */
export async function startWitness(settings: Readonly<Record<string, unknown>>): Promise<StartedWitness> {
  const started = performance.now();
  const child = spawn(process.execPath, [SCRIPT, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const gone = once(child, 'exit').then(() => running.delete(child));
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise<string | undefined>((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(undefined));
  });
  if (line === undefined) throw new Error('the witness ended before it was ready');
  return {
    ...(JSON.parse(line) as { url: string; vkeys: string[] }),
    startTime: performance.now() - started,
    async kill() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}
