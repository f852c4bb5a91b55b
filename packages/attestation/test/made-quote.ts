import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { sha256 } from '@noble/hashes/sha2.js';
import { createSigner, formatCheckpoint, formatNote, KEY_TYPE, type LogTrust } from '@treering/note';
import { stateDigest } from '@treering/record';
import { type CoseKey, createCoseKey } from '@treering/statement';
import { type AttestationEvidence, attestationNonce, type MeasuredEvent, type QuoteTrust, replayEvents } from '../src/index.js';

// A TPM in a few lines: it signs what it is told, also what no TPM would.

const logKey = createSigner('log.test/attestation', KEY_TYPE.ed25519, new Uint8Array(32).fill(1));
export const LOG: LogTrust = { origin: 'log.test/attestation', logKeys: [logKey.key] };
export const digestOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
export const ROOT = digestOf(0x31);
export const DEPLOYMENT = digestOf(0x32);

/** A head of the log with a root. */
export function checkpointOf(root: Uint8Array, signer = logKey): Uint8Array {
  const text = formatCheckpoint({ origin: 'log.test/attestation', size: 9n, root, extensions: [] });
  return formatNote({ text, signatures: [signer.sign(text)] });
}

export const event = (kind: MeasuredEvent['kind'], fill: number, pcr = 13): MeasuredEvent => ({
  pcr,
  digest: digestOf(fill),
  kind,
  name: `${kind} ${fill}`,
});

/** What a TPM would say, member by member. */
export interface Said {
  readonly magic?: number;
  readonly type?: number;
  readonly nonce?: Uint8Array;
  readonly clock?: bigint;
  readonly resets?: number;
  readonly restarts?: number;
  readonly safe?: number;
  /** Bank and bitmap of each selection. */
  readonly banks?: readonly (readonly [number, readonly number[]])[];
  readonly digest?: Uint8Array;
  readonly more?: Uint8Array;
}

export function attestBytes(said: Said): Uint8Array {
  const out: number[] = [];
  const put = (value: bigint | number, bytes: number): void => {
    for (let i = bytes - 1; i >= 0; i--) out.push(Number((BigInt(value) >> BigInt(8 * i)) & 0xffn));
  };
  const sized = (bytes: Uint8Array): void => {
    put(bytes.length, 2);
    out.push(...bytes);
  };
  put(said.magic ?? 0xff544347, 4);
  put(said.type ?? 0x8018, 2);
  sized(new Uint8Array(34).fill(7));
  sized(said.nonce ?? digestOf(0));
  put(said.clock ?? 1000n, 8);
  put(said.resets ?? 4, 4);
  put(said.restarts ?? 0, 4);
  put(said.safe ?? 1, 1);
  put(0x2019_1023n, 8);
  const banks = said.banks ?? [[0x000b, [0, 0x20, 0]]];
  put(banks.length, 4);
  for (const [hash, bitmap] of banks) {
    put(hash, 2);
    put(bitmap.length, 1);
    out.push(...bitmap);
  }
  sized(said.digest ?? digestOf(0));
  return Uint8Array.from([...out, ...(said.more ?? [])]);
}

/** An attestation key of a TPM. */
export class AttestationKey {
  readonly #secret: KeyObject;
  readonly key: CoseKey;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.#secret = privateKey;
    this.key = createCoseKey('P-256', new Uint8Array(Buffer.from(x, 'base64url')), new Uint8Array(Buffer.from(y, 'base64url')));
  }

  /** TPMT_SIGNATURE over a TPMS_ATTEST. */
  sign(quote: Uint8Array): Uint8Array {
    const rs = sign('sha256', quote, { key: this.#secret, dsaEncoding: 'ieee-p1363' });
    return Uint8Array.from([0, 0x18, 0, 0x0b, 0, 32, ...rs.subarray(0, 32), 0, 32, ...rs.subarray(32)]);
  }
}

export const HOST = new AttestationKey();
const LOADED = [event('model', 1), event('config', 2)];

/** Evidence that holds, but for what is said otherwise. */
export function evidenceOf(
  changed: Partial<AttestationEvidence> = {},
  said: Said = {},
  by: AttestationKey = HOST,
): AttestationEvidence {
  const events = changed.events ?? LOADED;
  const [model, config] = events.slice(-2);
  const pcr = changed.pcr ?? 13;
  const value = changed.value ?? replayEvents(events);
  const state = changed.state ?? stateDigest(model?.digest ?? digestOf(0), config?.digest ?? digestOf(0));
  const bitmap = [0, 0, 0];
  bitmap[pcr >> 3] |= 1 << (pcr & 7);
  const quote = attestBytes({
    nonce: attestationNonce(ROOT, changed.deployment ?? DEPLOYMENT, state),
    banks: [[0x000b, bitmap]],
    digest: sha256(value),
    ...said,
  });
  const made = { key: by.key, pcr, value, events, checkpoint: checkpointOf(ROOT), deployment: DEPLOYMENT, state };
  return { ...made, quote, signature: by.sign(quote), ...changed };
}

export const TRUST: QuoteTrust = { log: LOG, enrolled: { key: HOST.key, by: 'entry 5' } };
