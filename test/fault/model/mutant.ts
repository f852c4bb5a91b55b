import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type * as Own from '@treering/sequencer';

const SOURCE = fileURLToPath(new URL('../../../packages/sequencer/src/', import.meta.url));

/** What the model is made of; a mutant has the same with one step changed. */
export type Parts = Pick<typeof Own, 'Sequencer' | 'Publisher'>;

/** One change of the source: what stands there, and what is put in its place. */
export interface Mutation {
  readonly file: string;
  readonly from: string | RegExp;
  readonly to: string;
}

/**
 * Loads the sequencer with a step that is deliberately changed.
 * @throws Error when what is to be changed does not stand there just once: then the mutation says nothing any more
 */
export async function loadMutant({ file, from, to }: Mutation): Promise<{ parts: Parts; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'treering-mutant-'));
  for (const name of readdirSync(SOURCE)) {
    let text = readFileSync(join(SOURCE, name), 'utf8');
    if (name === file) {
      if (text.split(from).length !== 2) throw new Error(`${file} does not have this just once: ${from}`);
      text = text.replace(from, () => to);
    }
    // Outside the workspace the names of packages lead nowhere.
    const absolute = text.replace(/ from '(@treering\/[^']+)'/g, (_, specifier) => ` from '${import.meta.resolve(specifier)}'`);
    writeFileSync(
      join(folder, name.replace(/\.ts$/, '.mts')),
      absolute.replace(/ from '\.\/([^']+)\.js'/g, " from './$1.mjs'"),
    );
  }
  const parts = (await import(pathToFileURL(join(folder, 'index.mts')).href)) as Parts;
  return { parts, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
