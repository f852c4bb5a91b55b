import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { GovernanceError, type GovernanceState, restoreState, saveState } from '@treering/governance';
import { CompactRange } from '@treering/merkle';
import { type CborValue, decodeCbor, encodeCbor, StatementError } from '@treering/statement';
import { UsageError } from './exit.js';
import { SeenDeployments } from './seen-deployments.js';

/** How far a log was replayed. */
export interface ReplayProgress {
  /** Where a follower goes on: a serialised compact range. */
  readonly position: Uint8Array;
  /** The rules after these entries. */
  readonly state: GovernanceState;
  /** The entry that names the log's keys. */
  readonly keysFrom: number;
  /** The deployments among these entries. */
  readonly deployments: SeenDeployments;
}

/**
 * Reads how far a log was replayed; undefined when the file is not there yet or another version wrote it: the log is replayed
 * from its beginning then. The file is the user's own word to herself: whoever changes it changes what is not looked at again.
 * @throws UsageError when it is about another log, or no such file
 */
export async function readProgress(path: string, origin: string): Promise<ReplayProgress | undefined> {
  const get = await readMembers(path, origin, 'replayed');
  if (get === undefined) return undefined;
  const [position, state, keysFrom] = [get('position'), get('state'), get('keysFrom')];
  if (!(position instanceof Uint8Array) || !(state instanceof Uint8Array) || typeof keysFrom !== 'number')
    throw new UsageError(`${path} does not say how far a log was replayed`);
  const deployments = SeenDeployments.restore(get('deployments'));
  if (deployments === undefined) return undefined;
  try {
    return { position, state: restoreState(state), keysFrom, deployments };
  } catch (error) {
    if (error instanceof GovernanceError) return undefined;
    throw error;
  }
}

/**
 * Reads how far a log was hashed: a serialised compact range. undefined when the file is not there yet. As `readProgress`, it is the
 * user's own word.
 * @throws UsageError when it is about another log, or no such file
 */
export async function readHashed(path: string, origin: string): Promise<Uint8Array | undefined> {
  const get = await readMembers(path, origin, 'hashed');
  if (get === undefined) return undefined;
  const hashed = get('hashed');
  if (!(hashed instanceof Uint8Array)) throw new UsageError(`${path} does not say how far a log was hashed`);
  try {
    CompactRange.parse(hashed);
  } catch (error) {
    throw new UsageError(`${path} does not say how far a log was hashed: ${(error as Error).message}`);
  }
  return hashed;
}

/** A reader of the members of a file about a log. */
async function readMembers(
  path: string,
  origin: string,
  done: 'replayed' | 'hashed',
): Promise<((name: string) => CborValue | undefined) | undefined> {
  if (!existsSync(path)) return undefined;
  let saved: CborValue;
  try {
    saved = decodeCbor(new Uint8Array(await readFile(path)), { tags: [] });
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    throw new UsageError(`${path} does not say how far a log was ${done}: ${error.message}`);
  }
  if (!(saved instanceof Map) || !saved.has(done === 'hashed' ? 'hashed' : 'position'))
    throw new UsageError(`${path} does not say how far a log was ${done}`);
  const members = saved;
  if (members.get('origin') !== origin) throw new UsageError(`${path} is about another log than ${origin}`);
  return (name) => members.get(name);
}

/** Replaces the file as a whole. */
export async function writeProgress(
  path: string,
  origin: string,
  { position, state, keysFrom, deployments }: ReplayProgress,
): Promise<void> {
  await replaceFile(path, encodeCbor({ origin, position, state: saveState(state), keysFrom, deployments: deployments.save() }));
}

/** As `writeProgress`, for what `readHashed` reads. */
export function writeHashed(path: string, origin: string, hashed: Uint8Array): Promise<void> {
  return replaceFile(path, encodeCbor({ origin, hashed }));
}

async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  await writeFile(fresh, bytes, { mode: 0o600 });
  await rename(fresh, path);
}
