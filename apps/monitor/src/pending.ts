import { type AlarmKind, type AlarmProof, decodeAlarmProof, encodeAlarmProof } from '@treering/evidence';
import { type CborInput, decodeCbor, encodeCbor } from '@treering/statement';
import { z } from 'zod';

/** What the proof about an entry is made of: the log is asked for the rest. */
export interface EntryNeeds {
  readonly kind: Exclude<AlarmKind, 'fork' | 'rollback' | 'stale' | 'unwitnessed'>;
  readonly index: number;
  readonly entry: Uint8Array;
  /** The head of the log that contains it, and what it says. */
  readonly head: { readonly note: Uint8Array; readonly size: number; readonly root: Uint8Array };
  readonly code: string;
  readonly rule: string;
  readonly reason: string;
  /** A head that did not contain it yet, for an entry that is dated otherwise than the heads around it. */
  readonly earlier?: Uint8Array | undefined;
  /** Entries that the decision rests on besides those that make rules. */
  readonly related: readonly number[];
}

/** What is kept with an alarm until its proof is signed. */
export type Pending = { readonly ready: AlarmProof } | { readonly needs: EntryNeeds };

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const index = z.int().min(0);
const needsSchema = z.tuple([
  z.enum(['bad-entry', 'unauthorised', 'undeployed', 'mismatch', 'drift', 'break-glass', 'incident-due']),
  index,
  bytes,
  z.tuple([bytes, index, bytes]),
  z.tuple([z.string(), z.string(), z.string()]),
  bytes.nullable(),
  z.array(index),
]);

/** As it is stored: CBOR. */
export function encodePending(pending: Pending): Uint8Array {
  if ('ready' in pending) return encodeCbor(encodeAlarmProof(pending.ready));
  const { kind, index: at, entry, head, code, rule, reason, earlier, related } = pending.needs;
  const parts: CborInput = [
    kind,
    at,
    entry,
    [head.note, head.size, head.root],
    [code, rule, reason],
    earlier ?? null,
    [...related],
  ];
  return encodeCbor(parts);
}

/** Reads what was stored. @throws EvidenceError, StatementError or ZodError for a damaged store */
export function decodePending(stored: Uint8Array): Pending {
  const value = decodeCbor(stored, { tags: [] });
  if (value instanceof Uint8Array) return { ready: decodeAlarmProof(value) };
  const [kind, at, entry, [note, size, root], [code, rule, reason], earlier, related] = needsSchema.parse(value);
  const why = { code, rule, reason };
  return { needs: { kind, index: at, entry, head: { note, size, root }, ...why, earlier: earlier ?? undefined, related } };
}
