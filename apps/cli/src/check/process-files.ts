import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** A file that a process has open or mapped into its memory (Linux, /proc). */
export interface ProcessFile {
  readonly path: string;
  /** The file at this path is gone, or is another one. */
  readonly replaced: boolean;
  /** Where its content can be read all the same. */
  readonly handle: string | undefined;
}

/** Whether a process runs. Of somebody else's it can be told as well; one that has ended and waits to be noticed does not run. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  try {
    // pid (name, which may hold anything) state ...
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(text.slice(text.lastIndexOf(')') + 2)[0]);
  } catch (error) {
    // Where there is no /proc, the first answer counts.
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return true;
    throw error;
  }
}

/**
 * The files below some paths that a process has open or mapped.
 * @returns undefined when the process does not show them to this user, or the system has no /proc
 */
export async function filesOf(pid: number, below: readonly string[]): Promise<ProcessFile[] | undefined> {
  const within = (path: string): boolean => below.some((top) => path === top || path.startsWith(`${top}${sep}`));
  try {
    const [handles, maps] = [await openFiles(pid), await mappedFiles(pid)];
    const found = new Map<string, ProcessFile>();
    for (const [path, id] of maps)
      if (within(path)) found.set(path, { path, replaced: await isReplaced(path, id), handle: undefined });
    for (const [path, { handle, id }] of handles)
      if (within(path)) found.set(path, { path, replaced: await isReplaced(path, id), handle });
    return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EPERM', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The processes of this machine, with the program that each runs: its arguments may hold secrets. */
export async function visibleProcesses(): Promise<{ readonly pid: number; readonly command: string }[]> {
  const names = await readdir('/proc').catch(() => []);
  const all = names.filter((name) => /^[1-9][0-9]*$/.test(name)).map(Number);
  const commands = await Promise.all(
    all.map(async (pid) => ({
      pid,
      command: basename((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')[0]),
    })),
  );
  return commands.filter(({ command }) => command !== '');
}

/** SHA-256 of a file that a process still has open, 32 bytes. */
export async function digestOfHandle(handle: string): Promise<Uint8Array> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(handle), hash);
  return new Uint8Array(hash.digest());
}

/** Device and inode of a file, in one text. */
type FileId = string;

async function openFiles(pid: number): Promise<Map<string, { handle: string; id: FileId }>> {
  const out = new Map<string, { handle: string; id: FileId }>();
  for (const name of await readdir(`/proc/${pid}/fd`)) {
    const handle = `/proc/${pid}/fd/${name}`;
    try {
      const path = undeleted(await readlink(handle));
      const { dev, ino } = await stat(handle, { bigint: true });
      if (path.startsWith('/')) out.set(path, { handle, id: `${dev} ${ino}` });
    } catch (error) {
      // It was closed meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return out;
}

async function mappedFiles(pid: number): Promise<Map<string, FileId>> {
  const out = new Map<string, FileId>();
  for (const line of (await readFile(`/proc/${pid}/maps`, 'utf8')).split('\n')) {
    // address perms offset major:minor inode path
    const [, major, minor, inode, path] = /^\S+ \S+ \S+ ([0-9a-f]+):([0-9a-f]+) ([0-9]+)\s+(\/.*)$/.exec(line) ?? [];
    if (path !== undefined) out.set(undeleted(path), `${device(major, minor)} ${inode}`);
  }
  return out;
}

/** The number that `stat` gives for a device (makedev of Linux, for numbers that fit). */
function device(major: string, minor: string): bigint {
  const [a, b] = [major, minor].map((text) => BigInt(`0x${text}`));
  return ((a & 0xfffn) << 8n) | (b & 0xffn) | ((b & ~0xffn) << 12n) | ((a & ~0xfffn) << 32n);
}

function undeleted(path: string): string {
  return path.replace(/ \(deleted\)$/, '');
}

async function isReplaced(path: string, id: FileId): Promise<boolean> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev} ${ino}` !== id;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}
