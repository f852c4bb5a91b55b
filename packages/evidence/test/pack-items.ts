import { decodeRecord } from '@treering/record';
import { parseStatement } from '@treering/statement';
import { encodeItem, type PackItem, readPack } from '../src/index.js';

const MAGIC = Buffer.from('d9d9f8da5452504b43424f52', 'hex');

/** All items of a pack. */
export async function itemsOf(pack: Uint8Array): Promise<PackItem[]> {
  const items: PackItem[] = [];
  for await (const item of readPack(pack)) items.push(item);
  return items;
}

/** A pack of these items, whatever they are. */
export function packOf(items: readonly PackItem[]): Uint8Array {
  return new Uint8Array(Buffer.concat([MAGIC, ...items.map(encodeItem)]));
}

/** The record of an entry. */
export function readRecord(entry: Uint8Array): unknown {
  return decodeRecord(parseStatement(entry).payload);
}
