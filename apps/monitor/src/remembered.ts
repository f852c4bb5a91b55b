import { decodeCbor, encodeCbor, StatementError } from '@treering/statement';
import { z } from 'zod';
import type { Memory, Remembered } from './rules/record-rules.js';

const subject = z.string();
const index = z.int().min(0);
const seconds = z.int();

/** Two maps by subject: announced deployments, [index, iat]; reports that are due, [index, due]. */
const schema = z.tuple([z.map(subject, z.tuple([index, seconds])), z.map(subject, z.tuple([index, seconds]))]);

/** What record rules remember, as it is stored with the progress of an audit: CBOR. */
export function encodeRemembered({ intents, deadlines }: Remembered): Uint8Array {
  return encodeCbor([
    new Map([...intents].map(([of, intent]) => [of, [intent.index, intent.iat]])),
    new Map([...deadlines].map(([of, deadline]) => [of, [deadline.index, deadline.due]])),
  ]);
}

/** Reads what this program stored; undefined when another version did, which knew less: the log is replayed then. */
export function decodeRemembered(bytes: Uint8Array): Memory | undefined {
  try {
    const read = schema.safeParse(decodeCbor(bytes, { tags: [] }));
    if (!read.success) return undefined;
    const [intents, deadlines] = read.data;
    return {
      intents: new Map([...intents].map(([of, [at, iat]]) => [of, { index: at, iat }])),
      deadlines: new Map([...deadlines].map(([of, [at, due]]) => [of, { index: at, due }])),
    };
  } catch (error) {
    if (error instanceof StatementError) return undefined;
    throw error;
  }
}
