import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { haveVectors, vectorBytes, vectorJson, vectorPath } from '../../vectors.js';
import { bytesOf } from '../target.js';

// Inputs of third parties, read in place; none without them.

/** Signed notes and checkpoints of real logs. */
export function vectorNotes(): Uint8Array[] {
  if (!haveVectors) return [];
  const real = vectorJson('real-checkpoints/checkpoints.json') as { note: string }[];
  const go = vectorJson('golang-mod-note/note.json').open as { note?: string }[];
  return [...real, ...go].flatMap(({ note }) => (typeof note === 'string' ? [bytesOf(note)] : []));
}

/** Verifier keys of real logs. */
export function vectorKeys(): Uint8Array[] {
  if (!haveVectors) return [];
  return (vectorJson('real-checkpoints/checkpoints.json') as { vkey: string }[]).map(({ vkey }) => bytesOf(vkey));
}

/** Bodies that a witness is sent. */
export function vectorAddCheckpoints(): Uint8Array[] {
  if (!haveVectors) return [];
  return (vectorJson('witness-transcripts/litewitness.json').steps as { request: string }[]).map(({ request }) =>
    bytesOf(request),
  );
}

/** The examples of RFC 8949. */
export function vectorCbor(): Uint8Array[] {
  if (!haveVectors) return [];
  const examples = vectorJson('cbor-rfc8949-appendix-a/appendix_a.json') as { hex: string }[];
  return examples.map(({ hex }) => new Uint8Array(Buffer.from(hex, 'hex')));
}

/** A receipt of the draft, and signed messages of the COSE working group. */
export function vectorCose(): Uint8Array[] {
  if (!haveVectors) return [];
  const folder = 'cose-wg-examples/sign1-tests';
  const messages = readdirSync(vectorPath(folder)).map((name) => vectorJson(join(folder, name)).output.cbor as string);
  return [
    vectorBytes('cose-receipts-draft/inclusion-receipt.cbor'),
    ...messages.map((hex) => new Uint8Array(Buffer.from(hex, 'hex'))),
  ];
}

/** Sigstore bundles of three implementations. */
export function vectorBundles(): Uint8Array[] {
  if (!haveVectors) return [];
  return ['go', 'js', 'python'].flatMap((maker) =>
    readdirSync(vectorPath(`sigstore-bundles/${maker}`))
      .filter((name) => /\.sigstore(?:\.json)?$/.test(name))
      .map((name) => vectorBytes(`sigstore-bundles/${maker}/${name}`)),
  );
}

/** A quote of a TPM, or its signature. */
export function vectorQuote(part: 'msg' | 'sig'): Uint8Array[] {
  return haveVectors ? [vectorBytes(`tpm2-quote/quote.${part}`)] : [];
}
