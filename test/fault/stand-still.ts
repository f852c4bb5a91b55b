import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds for what a thread has asked the kernel for, for example to write to the disk. */
const PATIENCE = 10_000;

/** Stops a process and returns when none of its threads runs or waits for the disk any more. SIGCONT lets it go on. */
export function standStill(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  const limit = performance.now() + PATIENCE;
  while (!readdirSync(`/proc/${pid}/task`).every((thread) => isStopped(`/proc/${pid}/task/${thread}/stat`)))
    if (performance.now() > limit) throw new Error('the process does not stand still');
}

/** The state is the first word behind the name, which is in parentheses. */
function isStopped(path: string): boolean {
  const stat = readFileSync(path, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}
