import { pipeline, Readable } from 'node:stream';
import { constants, createGunzip } from 'node:zlib';
import type { EntryPackage } from '@treering/merkle';
import { type AddEntriesHeader, decodeUtf8, MAX_PROOF_HASHES, NoteError } from '@treering/note';
import type { ByteSource } from './byte-source.js';

/** A package as it came: nobody has checked its proof. */
export interface ReceivedPackage {
  readonly entries: readonly Uint8Array[];
  /** 32 bytes each */
  readonly proof: readonly Uint8Array[];
}

/**
 * Unpacks gzip (RFC 1952) as it comes, and no more of it than is asked for. Input that ends early yields what it holds.
 * Throws what zlib does when the input is no gzip.
 */
export function gunzipped(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  // Without the flush at the end, zlib would drop what it has unpacked of an input that was cut off.
  const gunzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
  // Whoever reads is told of an error; nobody else needs to be.
  pipeline(Readable.from(untilFailure(chunks)), gunzip, () => undefined);
  return gunzip;
}

/** A client that goes away ends its body. */
async function* untilFailure(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch {
    // What came before counts.
  }
}

/** What add-entries begins with; an origin that is no UTF-8 is undefined, because no log has it. */
export type ReceivedHeader = Omit<AddEntriesHeader, 'origin'> & { readonly origin: string | undefined };

/** Reads the header of an upload, or undefined when the body ends before (https://c2sp.org/tlog-mirror, add-entries). */
export async function readHeader(source: ByteSource): Promise<ReceivedHeader | undefined> {
  const origin = await takeSized(source);
  const bounds = origin === undefined ? undefined : await source.take(16);
  const ticket = bounds === undefined ? undefined : await takeSized(source);
  if (origin === undefined || bounds === undefined || ticket === undefined) return undefined;
  const view = new DataView(bounds.buffer, bounds.byteOffset, 16);
  return { origin: nameOf(origin), start: view.getBigUint64(0), end: view.getBigUint64(8), ticket };
}

/** Reads one package, or undefined when the body ends before, or cannot be read any further: a proof has at most 63 hashes. */
export async function readPackage(source: ByteSource, { start, end }: EntryPackage): Promise<ReceivedPackage | undefined> {
  const entries: Uint8Array[] = [];
  for (let index = start; index < end; index++) {
    const entry = await takeSized(source);
    if (entry === undefined) return undefined;
    entries.push(entry);
  }
  const count = await source.take(1);
  if (count === undefined || count[0] > MAX_PROOF_HASHES) return undefined;
  const hashes = await source.take(count[0] * 32);
  if (hashes === undefined) return undefined;
  const proof = Array.from({ length: count[0] }, (_, i) => hashes.subarray(i * 32, (i + 1) * 32));
  return { entries, proof };
}

/** Bytes behind their length in two, big-endian. */
async function takeSized(source: ByteSource): Promise<Uint8Array | undefined> {
  const length = await source.take(2);
  return length === undefined ? undefined : source.take((length[0] << 8) | length[1]);
}

function nameOf(origin: Uint8Array): string | undefined {
  try {
    return decodeUtf8(origin);
  } catch (error) {
    if (error instanceof NoteError) return undefined;
    throw error;
  }
}
