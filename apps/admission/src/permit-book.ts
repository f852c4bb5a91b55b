import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EvidenceError, verifyTlogProof } from '@treering/evidence';
import type { Logger } from 'pino';

/** A permit as it was found. Nothing of it is checked until a pod asks for it. */
export interface KeptPermit {
  readonly bytes: Uint8Array;
  /** Its place in the log, as it says itself. */
  readonly index: bigint;
  readonly state: Uint8Array;
}

/** Files that count: what "treering gate" writes, and what other commands write. */
const PERMIT = /\.(?:permit|tlog-proof)$/;
/** Files beyond these numbers make the folder unreadable, so that nobody takes a part for the whole. */
const MAX_FILES = 10_000;
const MAX_BYTES = 1024 * 1024;

/** The permits in a folder, read again when it changes. A folder that cannot be read has none. */
export class PermitBook {
  readonly #folder: string;
  readonly #logger: Logger;
  #permits = new Map<string, readonly KeptPermit[]>();
  #seen = '';
  #trouble: string | undefined = 'the permits were not read yet';
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Why there are no permits to decide by; undefined when there are. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** How many permits were read. */
  get size(): number {
    return [...this.#permits.values()].reduce((sum, list) => sum + list.length, 0);
  }

  /** The permits of a service in an environment, the newest in the log first. */
  of(environment: string, service: string): readonly KeptPermit[] {
    return this.#permits.get(`${environment}/${service}`) ?? [];
  }

  /** Looks at the folder every so many milliseconds until it is closed. */
  async follow(interval: number): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => void this.refresh(), interval).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Reads the folder again if it has changed: as it is now, not as it was when a look that is under way began. Never throws. */
  refresh(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#next ??= this.#reading.then(() => {
        this.#next = undefined;
        return this.refresh();
      });
      return this.#next;
    }
    this.#reading = this.#refresh().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #refresh(): Promise<void> {
    try {
      const files = await this.#list();
      const seen = JSON.stringify(files);
      if (seen !== this.#seen || this.#trouble !== undefined) this.#permits = await this.#read(files.map(({ path }) => path));
      this.#seen = seen;
      this.#trouble = undefined;
    } catch (error) {
      this.#permits = new Map();
      if (this.#trouble === undefined || this.#seen === '')
        this.#logger.error(
          { err: error, folder: this.#folder },
          'the permits cannot be read; nothing is let in until they can',
        );
      this.#seen = '';
      this.#trouble = (error as Error).message;
    }
  }

  /** The names, and what changes with their content. Volumes of a cluster are replaced by turning a link, which a stat follows. */
  async #list() {
    const names = (await readdir(this.#folder)).filter((name) => PERMIT.test(name) && !name.startsWith('.')).sort();
    if (names.length > MAX_FILES) throw new Error(`there are ${names.length} permits, and ${MAX_FILES} are read`);
    const files = [];
    for (const name of names) {
      const path = join(this.#folder, name);
      const { size, mtimeMs, ino } = await stat(path);
      if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes; a permit has at most ${MAX_BYTES}`);
      files.push({ path, size, mtimeMs, ino });
    }
    return files;
  }

  async #read(paths: readonly string[]): Promise<Map<string, readonly KeptPermit[]>> {
    const found = new Map<string, KeptPermit[]>();
    for (const path of paths) {
      const permit = this.#parse(path, new Uint8Array(await readFile(path)));
      if (permit === undefined) continue;
      const list = found.get(permit.place) ?? [];
      list.push(permit);
      found.set(permit.place, list);
    }
    for (const list of found.values()) list.sort((a, b) => (a.index < b.index ? 1 : a.index > b.index ? -1 : 0));
    return found;
  }

  /** One bad file is no reason to let nothing in: it is no permit, and said so. */
  #parse(path: string, bytes: Uint8Array): (KeptPermit & { readonly place: string }) | undefined {
    try {
      const { index, record } = verifyTlogProof(bytes, { policy: { logs: [], witnesses: [], groups: [], quorum: 'none' } });
      if (record?.type === 'deployment')
        return { bytes, index, state: record.state, place: `${record.environment}/${record.service}` };
      this.#logger.warn({ path }, 'this file is the proof of something else than a deployment');
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      this.#logger.warn({ path, why: error.message }, 'this file is no permit');
    }
    return undefined;
  }
}
