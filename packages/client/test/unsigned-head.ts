import { encodeBase64, encodeUtf8 } from '@treering/note';
import type { HeadMemory } from '../src/index.js';

/** A head of a size, in the form of a signed note with a signature that nobody checks; of another history with another number. */
export function noteOfSize(origin: string, size: number, history = 0): Uint8Array {
  const root = encodeBase64(new Uint8Array(32).fill((size + history) % 256));
  return encodeUtf8(`${origin}\n${size}\n${root}\n\n\u2014 ${origin} AAAAAAAA\n`);
}

/** The size in a note. */
export function sizeIn(note: Uint8Array | undefined): number | undefined {
  return note === undefined ? undefined : Number(new TextDecoder().decode(note).split('\n')[1]);
}

/** Remembers a head that is larger than the one before, as clients do; a smaller one is left out. */
export async function remember(memory: HeadMemory, origin: string, note: Uint8Array): Promise<void> {
  for (;;) {
    const before = await memory.load(origin);
    if ((sizeIn(before) ?? -1) >= (sizeIn(note) as number) || (await memory.replace(origin, before, note))) return;
  }
}
