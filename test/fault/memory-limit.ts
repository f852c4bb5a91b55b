import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** How a version of control groups is spoken to: where groups of memory are, and its files. */
const VERSIONS = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', members: 'cgroup.procs' },
  { root: '/sys/fs/cgroup', limit: 'memory.max', used: 'memory.current', members: 'cgroup.procs' },
] as const;

const PAGE = 4096;

/** A control group whose memory gets scarcer. */
export class MemoryLimit {
  readonly #path: string;
  readonly #version: (typeof VERSIONS)[number];

  private constructor(path: string, version: (typeof VERSIONS)[number]) {
    this.#path = path;
    this.#version = version;
  }

  /** undefined where the kernel or a container around lets nobody make one. */
  static make(name: string): MemoryLimit | undefined {
    for (const version of VERSIONS) {
      const path = join(version.root, name);
      try {
        mkdirSync(path);
      } catch {
        continue;
      }
      try {
        readFileSync(join(path, version.limit));
        return new MemoryLimit(path, version);
      } catch {
        rmdirSync(path);
      }
    }
    return undefined;
  }

  /** A command in front of another, which then runs in the group from its first page on. */
  get around(): readonly string[] {
    return ['sh', '-c', 'echo $$ > "$0" && exec "$@"', join(this.#path, this.#version.members)];
  }

  /** Takes away some of what the group uses. The kernel writes back and drops what it can, and kills the process when it cannot. */
  squeeze(): void {
    const used = Number(readFileSync(join(this.#path, this.#version.used), 'utf8'));
    for (const left of [0.95, 0.98, 0.99, 1]) {
      try {
        writeFileSync(join(this.#path, this.#version.limit), String(Math.floor((used * left) / PAGE) * PAGE));
        return;
      } catch (error) {
        // The first version refuses a limit that it cannot reach at once.
        if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      }
    }
  }

  /** The processes in it must have ended. */
  remove(): void {
    rmdirSync(this.#path);
  }
}
