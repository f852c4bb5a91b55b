import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const PART = 1 << 22;

/**
 * How often bytes stand in the memory of a process that it can write to: heaps, stacks, and what was mapped for buffers.
 * @param sought less than 4 KiB each
 */
export function occurrencesIn(pid: number, sought: readonly Uint8Array[]): number[] {
  const counts = sought.map(() => 0);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const [start, end] of writable(pid)) {
      // What begins at the end of one part goes on in the next.
      let tail = Buffer.alloc(0);
      for (let at = start; at < end; at += BigInt(PART)) {
        const part = readPart(memory, at, end);
        if (part === undefined) break;
        const all = Buffer.concat([tail, part]);
        sought.forEach((bytes, i) => {
          for (let found = all.indexOf(bytes); found >= 0; found = all.indexOf(bytes, found + 1))
            if (found + bytes.length > tail.length) counts[i]++;
        });
        tail = all.subarray(Math.max(0, all.length - 4096));
      }
    }
  } finally {
    closeSync(memory);
  }
  return counts;
}

function writable(pid: number): (readonly [bigint, bigint])[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  return lines.flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    return match === null ? [] : [[BigInt(`0x${match[1]}`), BigInt(`0x${match[2]}`)] as const];
  });
}

/** Undefined where a region cannot be read, as those of the kernel. */
function readPart(memory: number, at: bigint, end: bigint): Buffer | undefined {
  const part = Buffer.alloc(Number(end - at < BigInt(PART) ? end - at : BigInt(PART)));
  try {
    return part.subarray(0, readSync(memory, part, 0, part.length, at));
  } catch {
    return undefined;
  }
}
