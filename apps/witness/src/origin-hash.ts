import { createHash } from 'node:crypto';

/** The name of a log in the monitoring interface: SHA-256 of its origin, in hex. */
export function originHash(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}
