import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { equalBytes } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createFileAnchor } from './anchor.js';
import type { WitnessConfig } from './config.js';
import { type WitnessFolder, witnessFolder } from './data-folder.js';
import { WitnessError } from './errors.js';
import { type CosignerKeys, openCosignerKeys } from './keys.js';
import { parseLogList } from './log-list.js';
import { MirrorCopies } from './mirror-copies.js';
import { type Vouched, WitnessStore } from './store.js';
import { type OwnHeads, Witness } from './witness.js';

/** What came of an unlocking. */
export interface Unlocked {
  /** Why the witness was locked; undefined when it was not. */
  readonly reason: string | undefined;
  /** Heads that its store had lost and that their own cosignatures brought back. */
  readonly adopted: readonly { readonly origin: string; readonly size: bigint }[];
  /** Logs whose copies were lost, or of which the mirror may have cosigned more than is known, and that are filled from now on. */
  readonly refilled: readonly string[];
}

/** What the operator takes upon themselves. */
export interface UnlockOptions {
  /** Go on with logs of which there is no checkpoint: it cosigns a second history of them if its store is not the newest. */
  readonly riskSecondHistory?: boolean;
}

/**
 * Unlocks the witness in a data folder, which must not be running. The operator vouches that the given checkpoints are the newest
 * that this witness, and its mirror, have cosigned; those published by the logs carry its cosignatures. Checkpoints that it was
 * shown and that locked it are adopted too.
 * @throws StorageError, Problem for a checkpoint that carries no cosignature of this witness, WitnessError (witness/unvouched) when
 * one of a log is missing, and (witness/forgotten) when all are smaller than what it was shown
 */
export async function unlockWitness(
  config: Pick<WitnessConfig, 'data' | 'anchor' | 'key'> & Partial<Pick<WitnessConfig, 'logs'>>,
  checkpoints: readonly Uint8Array[] = [],
  { riskSecondHistory = false }: UnlockOptions = {},
): Promise<Unlocked> {
  const folder = witnessFolder({ ...config, logs: config.logs });
  const store = WitnessStore.open(folder.store, { mode: 'open' }, createFileAnchor(folder.anchor));
  const opened: CosignerKeys[] = [];
  try {
    // Logs that the store has forgotten, too.
    if (existsSync(folder.logs)) store.addLogs(parseLogList(await readFile(folder.logs, 'utf8')));
    opened.push(await openCosignerKeys([config.key ?? folder.key, folder.mldsaKey]));
    const mirrorKeys = [folder.mirrorKey, folder.mirrorMldsaKey].filter(existsSync);
    if (mirrorKeys.length > 0) opened.push(await openCosignerKeys(mirrorKeys));
    const [{ signers }, mirror] = opened;
    const witness = new Witness({ store, signers, mirrorSigners: mirror?.signers ?? [] });
    return unlock(witness, folder, checkpoints, riskSecondHistory);
  } finally {
    for (const keys of opened) keys.close();
    store.close();
  }
}

function unlock(witness: Witness, folder: WitnessFolder, checkpoints: readonly Uint8Array[], risk: boolean): Unlocked {
  const { store } = witness;
  const reason = store.locked;
  const given = witness.lostHeads(checkpoints);
  const shown = store.forgotten().flatMap(({ note }) => note ?? []);
  const lost = witness.lostHeads([...checkpoints, ...shown]);
  const adopted = lost.flatMap(({ origin, head }) => (head === undefined ? [] : [{ origin, size: head.size }]));
  let raised: string[] = [];
  if (reason !== undefined || lost.some(({ head, mirrored }) => head !== undefined || mirrored !== undefined)) {
    requireAllForgotten(store, lost);
    if (!risk) requireOneOfEach(store, lost);
    raised = store.unlock(
      vouchedOf(store, given, lost, folder),
      existsSync(folder.mirrorKey) || existsSync(folder.mirrorMldsaKey),
    );
  }
  return { reason, refilled: [...new Set([...store.refillMirrors(), ...raised])], adopted };
}

/** No flag allows to go on below a head that this witness is known to have cosigned. */
function requireAllForgotten(store: WitnessStore, lost: readonly OwnHeads[]): void {
  for (const { origin, size, root } of store.forgotten()) {
    const head = lost.find((one) => one.origin === origin)?.head ?? store.head(origin);
    if (head !== undefined && (head.size > size || (head.size === size && equalBytes(head.root, root)))) continue;
    throw new WitnessError(
      'witness/forgotten',
      `this witness has cosigned ${origin} at size ${size}: it goes on only with a checkpoint of this size or a larger one, signed by the log and cosigned by it`,
    );
  }
}

function requireOneOfEach(store: WitnessStore, lost: readonly OwnHeads[]): void {
  const known = new Set([...lost, ...store.forgotten()].map(({ origin }) => origin));
  const missing = store.origins().filter((origin) => !known.has(origin));
  if (missing.length === 0 && known.size > 0) return;
  const some = missing.length > 5 ? `${missing.slice(0, 5).join(', ')} and ${missing.length - 5} others` : missing.join(', ');
  throw new WitnessError(
    'witness/unvouched',
    `the newest checkpoint that this witness cosigned is needed of each log, and there is none of ${some || 'any'}; without it, the witness cosigns a second history if its store is not the newest`,
  );
}

/** The mirror goes on from a smaller head than the witness's only if the operator says that it has cosigned no larger one. */
function vouchedOf(
  store: WitnessStore,
  given: readonly OwnHeads[],
  lost: readonly OwnHeads[],
  folder: WitnessFolder,
): Vouched[] {
  const copies = new MirrorCopies(store, folder.mirrors, nodeHasher);
  try {
    return lost.map(({ origin, head, mirrored }) => {
      const forgotten = store.forgotten().filter((one) => one.origin === origin);
      const newest = given.find((one) => one.origin === origin)?.mirrorSize;
      const known = mirrored?.size ?? store.mirrored(origin)?.size ?? 0n;
      const mirrorIsNewest = newest !== undefined && newest >= known && forgotten.every(({ size }) => newest >= size);
      if (mirrored === undefined) return { origin, head, mirrorIsNewest };
      // What cannot be read is found, and locked, when the mirror starts.
      const refilling = BigInt(copies.entries(origin) ?? mirrored.size) < mirrored.size;
      return { origin, head, mirrored: { ...mirrored, refilling }, mirrorIsNewest };
    });
  } finally {
    copies.close();
  }
}
