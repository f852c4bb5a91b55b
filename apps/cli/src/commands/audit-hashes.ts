import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { auditHashes, ClientError, openHead, TlogReader } from '@treering/client';
import { nodeHasher } from '@treering/merkle/node';
import { hex, type LogTrust, parsePolicy, type TrustPolicy } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { EXIT, UsageError } from '../exit.js';
import { FOLDER_URL, fetchFromFolder } from '../folder-fetch.js';
import { readHashed, writeHashed } from '../progress-file.js';
import type { Session } from '../session.js';

/** The largest answer that is read of a log, in bytes: an entry bundle has at most 16 MiB. */
const LARGEST = 17 * 1024 * 1024;

/** Flags of `audit --hash-only`. */
export interface HashAuditFlags {
  readonly logKey?: string;
  /** A file that says how far the log was hashed before. */
  readonly resume?: string;
  /** Also compare every tile of hashes. */
  readonly tiles?: boolean;
  /** A trust policy. */
  readonly trust?: string;
  /** Where the files of the log lie, instead of a URL. */
  readonly folder?: string;
  readonly evidence?: boolean;
  readonly key?: string;
}

/** `audit --hash-only`: hashes every entry of any C2SP tlog-tiles log, and compares the root with the one that the log has signed. */
export async function auditByHashes(session: Session, flags: HashAuditFlags): Promise<number> {
  const misplaced = (['evidence', 'key'] as const).find((name) => flags[name] !== undefined);
  if (misplaced !== undefined) throw new UsageError(`--${misplaced} does not go with --hash-only, which reads no entry`);
  if (flags.tiles && flags.resume !== undefined)
    throw new UsageError('--tiles compares tiles from the first entry on, and does not go with --resume');
  const { terminal, cwd } = session;
  const { trust, policy } = await trustOf(session, flags);
  const { origin } = trust;
  const source =
    flags.folder === undefined
      ? { url: session.settings.url }
      : { url: FOLDER_URL, fetch: fetchFromFolder(resolve(cwd, flags.folder)) };
  const log = new TlogReader(source.url, { ...source, hasher: nodeHasher, largest: LARGEST });
  const started = performance.now();
  const path = flags.resume === undefined ? undefined : resolve(cwd, flags.resume);
  const position = path === undefined ? undefined : await readHashed(path, origin);
  // What is missing in a folder is a mistake of the call.
  const unanswered = flags.folder === undefined ? isUnanswered : passOn;
  const head = openHead(await log.checkpoint().catch(unanswered), trust, nodeEd25519, policy);
  const bar = terminal.progress('hashing');
  const { entries, bytes, ...audited } = await auditHashes(log, head, {
    hasher: nodeHasher,
    tiles: flags.tiles ?? false,
    progress: (size) => bar.update(size, head.size),
    ...(position === undefined ? {} : { position }),
  })
    .catch(unanswered)
    .finally(() => bar.stop());
  if (path !== undefined) await writeHashed(path, origin, audited.position);
  const seconds = (performance.now() - started) / 1000;
  const rate = Math.round(entries / seconds);
  const root = hex(head.root);
  terminal.line(`${head.size} entries hash to the signed head of ${origin}, root ${root}`);
  if (flags.tiles) terminal.line(`  all tiles of hashes, ${audited.tiles}, are what the entries make them`);
  terminal.line(
    `  ${entries} entries of ${bytes} bytes read in ${seconds.toFixed(1)} s, ${rate} entries/s; nothing else of them was looked at`,
  );
  terminal.result({
    origin,
    size: head.size,
    root,
    entries,
    bytes,
    ...(flags.tiles ? { tiles: audited.tiles } : {}),
    seconds: Number(seconds.toFixed(3)),
    entries_per_second: rate,
  });
  return EXIT.ok;
}

/** A log that refuses what anybody may read does not answer: nobody has made a mistake, and no rule has spoken. */
function isUnanswered(error: unknown): never {
  if (error instanceof ClientError && error.code === 'client/refused')
    throw new ClientError('client/unreachable', error.message, { cause: error });
  throw error;
}

function passOn(error: unknown): never {
  throw error;
}

/**
 * Whom to believe: the configured key, or the keys of a policy with its quorum. A policy for several logs needs a key that says which.
 * @throws UsageError when the policy does not name the log
 */
async function trustOf(
  session: Session,
  { trust: file, logKey }: HashAuditFlags,
): Promise<{ readonly trust: LogTrust; readonly policy?: TrustPolicy }> {
  if (file === undefined) return { trust: session.trust() };
  const policy = parsePolicy(await readFile(resolve(session.cwd, file), 'utf8'));
  const origins = new Set(policy.logs.map(({ key }) => key.name));
  const origin = origins.size === 1 && logKey === undefined ? [...origins][0] : session.trust().origin;
  const logKeys = policy.logs.map(({ key }) => key).filter(({ name }) => name === origin);
  if (logKeys.length === 0) throw new UsageError(`${file} names no key of the log ${origin}`);
  return { trust: { origin, logKeys }, policy };
}
