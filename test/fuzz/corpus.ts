import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('corpus', import.meta.url));

/** The inputs that are kept for a target: those that found something, and some that reach each of its answers. */
export function corpusOf(target: string): Uint8Array[] {
  const folder = join(FOLDER, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(folder, name))));
}

/** The folders of the corpus. */
export function corpusTargets(): string[] {
  return existsSync(FOLDER) ? readdirSync(FOLDER) : [];
}

/** Keeps an input under the beginning of its digest. @returns its path, for a message */
export function keepInCorpus(target: string, bytes: Uint8Array): string {
  const folder = join(FOLDER, target);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
  writeFileSync(path, bytes);
  return relative(process.cwd(), path);
}
