import { type PackReport, verifyPack } from '@treering/evidence';
import { portableEd25519, type TrustPolicy } from '@treering/note';
import { checkSignature, type SignatureCheck } from '@treering/statement';
import { PackContent } from '../model/content.js';
import { takeTurns } from './turns.js';

/** Bytes that are examined before the browser gets its turn. */
const PIECE = 16 * 1024;

/** Trust in nobody. */
const NOBODY: TrustPolicy = { logs: [], witnesses: [], groups: [], quorum: 'none' };

/** A run that another one has taken the place of. */
export class Superseded extends Error {}

/** A run: how far it has come, and whether it still is the newest. */
export interface Run {
  /** @param part from 0 to 1 */
  readonly progress: (part: number) => void;
  readonly isCurrent: () => boolean;
}

/**
 * What is in a file, before anybody says whom she trusts: every signature counts as good, no head does, and no claim is made.
 * @throws EvidenceError when it is no pack
 */
export async function lookInto(bytes: Uint8Array, run: Run): Promise<PackContent> {
  const content = new PackContent();
  await verifyPack(pieces(bytes, run), { policy: NOBODY, means: { checkSignature: () => true } }, content);
  return content;
}

/**
 * Verifies a file under the reader's keys, and under nothing else.
 * @throws EvidenceError when it is no pack
 */
export async function examine(
  bytes: Uint8Array,
  policy: TrustPolicy,
  run: Run,
): Promise<{ readonly content: PackContent; readonly report: PackReport }> {
  const content = new PackContent();
  // Many are begun at once; one after the other leaves the browser its turn between them.
  let before: Promise<unknown> = Promise.resolve();
  const means = {
    checkSignature: (check: SignatureCheck): Promise<boolean> => {
      const holds = before.then(takeTurns).then(() => checkSignature(check, portableEd25519));
      before = holds.catch(() => undefined);
      return holds;
    },
  };
  const report = await verifyPack(pieces(bytes, run), { policy, means }, content);
  return { content, report };
}

async function* pieces(bytes: Uint8Array, { progress, isCurrent }: Run): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    await takeTurns();
    if (!isCurrent()) throw new Superseded();
    progress(at / bytes.length);
    yield bytes.subarray(at, at + PIECE);
  }
}
