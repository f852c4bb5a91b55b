import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a scenario with such a disk needs. */
export const LOOP_DISK_NEEDS = {
  commands: { 'mkfs.ext4': 'e2fsprogs', mount: 'mount', umount: 'mount', cp: 'coreutils' },
  root: true,
} as const;

const run = (command: string, ...args: string[]): void => {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
};

/**
 * An ext4 file system in a file, mounted. What is in the file has been written to the disk; what the file system still holds in memory
 * is what a power cut takes away, so that a copy of the file is a disk after one.
 */
export class LoopDisk {
  /** Where it is mounted. */
  readonly path: string;
  readonly #folder: string;
  readonly #image: string;
  #cuts = 0;

  private constructor(folder: string, image: string) {
    this.#folder = folder;
    this.#image = image;
    this.path = `${image}.mounted`;
    mkdirSync(this.path);
    run('mount', '-o', 'loop', image, this.path);
  }

  /** Makes and mounts an empty one. */
  static make(megabytes: number): LoopDisk {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'treering-disk-')));
    const image = join(folder, 'image');
    writeFileSync(image, '');
    truncateSync(image, megabytes * 1024 * 1024);
    run('mkfs.ext4', '-q', '-F', image);
    return new LoopDisk(folder, image);
  }

  /**
   * The disk as a power cut at this moment leaves it, mounted beside. Whatever writes to it must stand still meanwhile: a copy takes
   * a while, and parts of different moments are no disk that ever was.
   */
  cut(): LoopDisk {
    const image = `${this.#image}.${this.#cuts++}`;
    run('cp', '--sparse=always', this.#image, image);
    return new LoopDisk('', image);
  }

  remove(): void {
    // A process that was killed may hold it for a moment.
    run('umount', '-l', this.path);
    rmSync(this.#folder === '' ? this.#image : this.#folder, { recursive: true, force: true });
    rmSync(this.path, { recursive: true, force: true });
  }
}
