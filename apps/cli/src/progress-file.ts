import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { GovernanceError, type GovernanceState, restoreState, saveState } from '@treering/governance';
import { type CborValue, decodeCbor, encodeCbor, StatementError } from '@treering/statement';
import { UsageError } from './exit.js';

/** How far a log was replayed. */
export interface ReplayProgress {
  /** Where a follower goes on: a serialised compact range. */
  readonly position: Uint8Array;
  /** The rules after these entries. */
  readonly state: GovernanceState;
  /** The entry that names the log's keys. */
  readonly keysFrom: number;
}

/**
 * Reads how far a log was replayed; undefined when the file is not there yet or another version wrote it: the log is replayed
 * from its beginning then. The file is the user's own word to herself: whoever changes it changes what is not looked at again.
 * @throws UsageError when it is about another log, or no such file
 */
export async function readProgress(path: string, origin: string): Promise<ReplayProgress | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    const saved = decodeCbor(new Uint8Array(await readFile(path)), { tags: [] });
    const get = (name: string): CborValue | undefined => (saved instanceof Map ? saved.get(name) : undefined);
    const [position, state, keysFrom] = [get('position'), get('state'), get('keysFrom')];
    if (!(position instanceof Uint8Array) || !(state instanceof Uint8Array) || typeof keysFrom !== 'number')
      throw new UsageError(`${path} does not say how far a log was replayed`);
    if (get('origin') !== origin) throw new UsageError(`${path} is about another log than ${origin}`);
    return { position, state: restoreState(state), keysFrom };
  } catch (error) {
    if (error instanceof GovernanceError) return undefined;
    if (error instanceof StatementError)
      throw new UsageError(`${path} does not say how far a log was replayed: ${error.message}`);
    throw error;
  }
}

/** Replaces the file as a whole. */
export async function writeProgress(
  path: string,
  origin: string,
  { position, state, keysFrom }: ReplayProgress,
): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  await writeFile(fresh, encodeCbor({ origin, position, state: saveState(state), keysFrom }), { mode: 0o600 });
  await rename(fresh, path);
}
