import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { auditHashes, LogClient, TlogReader } from '@treering/client';
import { nodeMeans } from '@treering/foreign/node';
import { Audit, type Audited, prepareAhead } from '@treering/governance';
import { CompactRange, HASH_SIZE, TILE_WIDTH } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { checkSignature, parseStatement, type SignatureCheck, signatureCheck } from '@treering/statement';
import { checkSignatureOffThread } from '@treering/statement/node';
import type { Benchmark, Figures } from './benchmark.js';
import { numberedEntries } from './numbered-entries.js';

const SERVER = fileURLToPath(new URL('tlog-server.ts', import.meta.url));
const ENTRIES = 1_000_000;
/** The rivals' rate does not depend on the size. */
const RIVAL_ENTRIES = 100_000;
const QUICK_ENTRIES = 1500;
/** Signatures that wait for the thread pool: it never runs out of work. */
const IN_FLIGHT = 512;

const ONE_CORE = 'signatures alone, one core';
const POOL = 'signatures alone, thread pool';
const HASHING = 'hashing alone';

const sized =
  (size: number, measure: (count: number) => Promise<Figures>) =>
  (quick: boolean): Promise<Figures> =>
    measure(quick ? QUICK_ENTRIES : size);

/** Auditing a log over HTTP: every entry proved, its signature checked, its admission decided again; or every entry only hashed. */
export const audit: Benchmark = {
  name: 'audit',
  title: `a log of ${ENTRIES.toLocaleString('en')} entries over HTTP: proved, signature checked, admission decided; and only hashed to its root`,
  trials: 1,
  subjects: [
    { name: 'reading ahead', rival: POOL, measure: sized(ENTRIES, measureAhead) },
    { name: 'one after another', rival: ONE_CORE, measure: sized(RIVAL_ENTRIES, measureOneByOne) },
    { name: POOL, measure: sized(RIVAL_ENTRIES, measurePool) },
    { name: ONE_CORE, measure: sized(RIVAL_ENTRIES, measureSignatures) },
    { name: 'hash-only', rival: HASHING, measure: sized(ENTRIES, (count) => measureHashes(count, false)) },
    { name: 'hash-only, with tiles', rival: HASHING, measure: sized(ENTRIES, (count) => measureHashes(count, true)) },
    { name: HASHING, measure: sized(ENTRIES, measureHashing) },
  ],
};

/** As `treering audit` and monitors do it. */
function measureAhead(count: number): Promise<Figures> {
  return withLog(count, 'signed', ({ client }) =>
    measured(count, async () => {
      const head = await client.head();
      const replay = new Audit(nodeMeans);
      for await (const { prepared } of prepareAhead(replay, client.follower().follow(head)))
        await replay.decide(prepared, { onDecided: requireAdmitted });
      return replay.size;
    }),
  );
}

function measureOneByOne(count: number): Promise<Figures> {
  return withLog(count, 'signed', ({ client }) =>
    measured(count, async () => {
      const replay = new Audit(nodeMeans);
      for await (const { entries } of client.follower().follow(await client.head()))
        for (const entry of entries) requireAdmitted(await replay.next(entry));
      return replay.size;
    }),
  );
}

function requireAdmitted(audited: Audited): void {
  if (!audited.admitted) throw new Error(`entry ${audited.finding.index} is not admitted`);
}

/** As `treering audit --hash-only` does it. */
function measureHashes(count: number, tiles: boolean): Promise<Figures> {
  return withLog(count, 'numbered', ({ client, log }) =>
    measured(count, async () => (await auditHashes(log, await client.head(), { hasher: nodeHasher, tiles })).entries),
  );
}

/** What no audit by hashes can go below on one core: the same bytes, hashed from memory. */
async function measureHashing(count: number): Promise<Figures> {
  const bundles: Uint8Array[][] = [];
  for (let first = 0; first < count; first += TILE_WIDTH)
    bundles.push(numberedEntries(first, Math.min(TILE_WIDTH, count - first)));
  return measured(count, async () => {
    const range = new CompactRange(nodeHasher);
    const leaves = new Uint8Array(TILE_WIDTH * HASH_SIZE);
    for (const entries of bundles) {
      nodeHasher.hashLeaves(entries, leaves);
      range.appendMany(leaves.subarray(0, entries.length * HASH_SIZE));
    }
    return range.size;
  });
}

/** @param work returns how many entries it went through */
async function measured(count: number, work: () => Promise<number>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const done = await work();
  const seconds = (performance.now() - started) / 1000;
  if (done !== count) throw new Error(`${done} of ${count} entries were audited`);
  const { user, system } = process.cpuUsage(cpu);
  return {
    'entries/s': count / seconds,
    'CPU µs/entry': (user + system) / count,
    'cores used': (user + system) / 1e6 / seconds,
    'peak MiB': process.resourceUsage().maxRSS / 1024,
  };
}

/** What no audit can go below on one core: one verification of an Ed25519 signature for each entry. */
async function measureSignatures(count: number): Promise<Figures> {
  const checks = await signaturesOf(count);
  return measured(count, async () => {
    for (const check of checks) if (!checkSignature(check, nodeEd25519)) throw new Error('a signature does not hold');
    return checks.length;
  });
}

/** The same on all cores, by the thread pool as an audit uses it. */
async function measurePool(count: number): Promise<Figures> {
  const checks = await signaturesOf(count);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < checks.length)
      if (!(await checkSignatureOffThread(checks[next++]))) throw new Error('a signature does not hold');
  };
  return measured(count, async () => {
    await Promise.all(Array.from({ length: IN_FLIGHT }, work));
    return checks.length;
  });
}

/** What has to be checked of each entry of a log. */
function signaturesOf(count: number): Promise<SignatureCheck[]> {
  return withLog(count, 'signed', async ({ client }) => {
    const checks: SignatureCheck[] = [];
    const replay = new Audit(nodeMeans);
    for await (const { entries } of client.follower().follow(await client.head())) {
      for (const entry of entries) {
        if (replay.size === 0) await replay.next(entry);
        const { sign1, kid } = parseStatement(entry);
        const key = replay.state.identity(kid)?.key;
        if (key !== undefined) checks.push(signatureCheck(sign1, key));
      }
    }
    return checks;
  });
}

/** Works on a log that another process has made and serves. */
async function withLog<T>(
  count: number,
  kind: 'signed' | 'numbered',
  work: (reached: { client: LogClient; log: TlogReader }) => Promise<T>,
): Promise<T> {
  const server = fork(SERVER, [String(count), kind], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  try {
    const [line] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const { url, vkey } = JSON.parse(line.toString('utf8')) as { url: string; vkey: string };
    const key = parseVerifierKey(vkey);
    const trust = { origin: key.name, logKeys: [key] };
    return await work({
      client: new LogClient({ url, trust, hasher: nodeHasher, ed25519: nodeEd25519 }),
      log: new TlogReader(url, { hasher: nodeHasher }),
    });
  } finally {
    server.kill();
  }
}
