import { sha256 } from '@noble/hashes/sha2.js';
import { hex } from '@treering/note';
import { byId } from './element.js';
import { takeTurns } from './turns.js';

/** Bytes that are hashed at once. */
const PIECE = 1024 * 1024;

/**
 * The pack that the page was made with; undefined for an empty page.
 * @throws Error when what stands there is no base64
 */
export function embeddedPack(): Uint8Array | undefined {
  const text = (byId('pack').textContent ?? '').trim();
  if (text === '') return undefined;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** SHA-256 of a file, 64 hex digits. */
export async function digestOf(bytes: Uint8Array): Promise<string> {
  const hash = sha256.create();
  for (let at = 0; at < bytes.length; at += PIECE) {
    await takeTurns();
    hash.update(bytes.subarray(at, at + PIECE));
  }
  return hex(hash.digest());
}

/** Gives the reader a file. It never leaves the browser. */
export function saveFile(name: string, bytes: Uint8Array): void {
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
