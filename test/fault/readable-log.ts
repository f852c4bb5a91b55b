import { readFileSync } from 'node:fs';
import { nodeMeans } from '@treering/foreign/node';
import { createApp, createMetrics, createSnapshotFile, dataFolder, Log, openLogKeys, parseConfig } from '@treering/log';
import { bundlePath, tilePath, tileWidth } from '@treering/merkle';
import { ByteBudget, RateLimit } from '@treering/server';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { pino } from 'pino';

/** What a log answers to everything that can be asked of a tree. */
export interface Answers {
  /** Bodies in hex by path, or the status of an answer that is none. */
  readonly given: ReadonlyMap<string, string>;
  readonly refused: readonly { path: string; status: number; code: string; retryAfter: string | null }[];
  /** What it told its operator about them. */
  readonly alarms: readonly string[];
}

/** Opens the log in a folder without writing to its store or its anchor, to be read once: all that there is, or certain paths. @throws whatever keeps it from starting */
export async function openReadable(data: string): Promise<{ readAll(paths?: Iterable<string>): Promise<Answers> }> {
  const folder = dataFolder(data);
  const storage = openSqliteStorage(folder.store, { mode: 'read' });
  const config = parseConfig({ data });
  const keys = await openLogKeys(folder, config);
  let log: Log;
  try {
    const anchor = { read: async () => new Uint8Array(readFileSync(folder.anchor)), write: async () => undefined };
    const snapshots = createSnapshotFile(folder.snapshot);
    log = await Log.open({ storage, anchor, keys, means: nodeMeans, snapshots });
  } catch (error) {
    await storage.close();
    keys.close();
    throw error;
  }
  return {
    async readAll(paths) {
      const alarms: string[] = [];
      const logger = pino({ level: 'error' }, { write: (line: string) => alarms.push(line) });
      const app = createApp(
        {
          log,
          config,
          metrics: createMetrics(log),
          rateLimit: new RateLimit(0, 1),
          url: () => 'http://log.test',
          closing: new AbortController().signal,
          bodies: new ByteBudget(1 << 20),
          registrar: undefined,
        },
        logger,
      );
      const given = new Map<string, string>();
      const refused = [];
      for (const path of paths ?? (await pathsOf(log))) {
        const answer = await app.request(path);
        const body = Buffer.from(await answer.arrayBuffer());
        // A refusal to show what is restricted has another instance id each time.
        if (answer.status < 500) given.set(path, answer.ok ? body.toString('hex') : String(answer.status));
        else {
          const { code } = JSON.parse(body.toString()) as { code: string };
          refused.push({ path, status: answer.status, code, retryAfter: answer.headers.get('retry-after') });
        }
      }
      await storage.close();
      keys.close();
      return { given, refused, alarms };
    },
  };
}

/** Entries, bundles, tiles, proofs and attachments; not the listings, which prove nothing and which nobody takes for proof. */
async function pathsOf(log: Log): Promise<string[]> {
  const { size } = log.stored;
  const paths = ['/checkpoint'];
  for (let index = 0; index < size; index++) paths.push(`/v1/entries/${index}`);
  for (let index = 0; index < size; index += 23) {
    paths.push(`/v1/proof/inclusion?index=${index}&size=${size}`, `/v1/proof/consistency?from=${index + 1}&to=${size}`);
  }
  for (let level = 0; tileWidth(size, level, 0) > 0; level++)
    for (let index = 0; tileWidth(size, level, index) > 0; index++) {
      const width = tileWidth(size, level, index);
      paths.push(`/${tilePath({ level, index, width })}`);
      if (level === 0) paths.push(`/${bundlePath({ index, width })}`);
    }
  for (const digest of await log.storage.attachments('', 1000).catch(() => []))
    paths.push(`/addenda/${digest.slice(0, 2)}/${digest.slice(2, 4)}/${digest}`);
  return paths;
}
