import { encodeBase64, encodeUtf8 } from '@treering/note';

/** A head of a size, in the form of a signed note with a signature that nobody checks. */
export function noteOfSize(origin: string, size: number): Uint8Array {
  const root = encodeBase64(new Uint8Array(32).fill(size % 256));
  return encodeUtf8(`${origin}\n${size}\n${root}\n\n\u2014 ${origin} AAAAAAAA\n`);
}

/** The size in a note. */
export function sizeIn(note: Uint8Array | undefined): number | undefined {
  return note === undefined ? undefined : Number(new TextDecoder().decode(note).split('\n')[1]);
}
