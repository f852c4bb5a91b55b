import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LogClient } from '@treering/client';
import { nodeMeans } from '@treering/foreign/node';
import { Audit } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { checkSignature, parseStatement, type SignatureCheck, signatureCheck } from '@treering/statement';
import type { Benchmark, Figures } from './benchmark.js';

const SERVER = fileURLToPath(new URL('tlog-server.ts', import.meta.url));
const ENTRIES = 1_000_000;
/** The rivals' rate does not depend on the size. */
const RIVAL_ENTRIES = 100_000;
const QUICK_ENTRIES = 1500;

/** Replaying a log from its tiles over HTTP: every entry proved, its signature checked, its admission decided again. */
export const audit: Benchmark = {
  name: 'audit',
  title: `a log of ${ENTRIES.toLocaleString('en')} entries audited over HTTP: proved, signature checked, admission decided`,
  trials: 1,
  subjects: [
    {
      name: 'reading ahead',
      rival: 'signatures alone, one core',
      measure: (quick) => measureAudit(quick ? QUICK_ENTRIES : ENTRIES, true),
    },
    {
      name: 'one after another',
      rival: 'signatures alone, one core',
      measure: (quick) => measureAudit(quick ? QUICK_ENTRIES : RIVAL_ENTRIES, false),
    },
    { name: 'signatures alone, one core', measure: (quick) => measureSignatures(quick ? QUICK_ENTRIES : RIVAL_ENTRIES) },
  ],
};

function measureAudit(count: number, ahead: boolean): Promise<Figures> {
  return withLog(count, async (client) => {
    const head = await client.head();
    const cpu = process.cpuUsage();
    const started = performance.now();
    const replay = new Audit(nodeMeans);
    const require = ({ admitted }: { admitted: boolean }): void => {
      if (!admitted) throw new Error(`entry ${replay.size - 1} is not admitted`);
    };
    let previous: ReturnType<Audit['prepare']> = [];
    for await (const { entries } of client.follower().follow(head)) {
      if (!ahead) {
        for (const entry of entries) require(await replay.next(entry));
        continue;
      }
      const prepared = replay.prepare(entries);
      for (const item of previous) require(await replay.next(item));
      previous = prepared;
    }
    for (const item of previous) require(await replay.next(item));
    const seconds = (performance.now() - started) / 1000;
    if (replay.size !== count) throw new Error(`${replay.size} of ${count} entries were audited`);
    const { user, system } = process.cpuUsage(cpu);
    return {
      'entries/s': count / seconds,
      'cores used': (user + system) / 1e6 / seconds,
      'peak MiB': process.resourceUsage().maxRSS / 1024,
    };
  });
}

/** What no audit can go below on one core: one verification of an Ed25519 signature for each entry. */
function measureSignatures(count: number): Promise<Figures> {
  return withLog(count, async (client) => {
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
    const started = performance.now();
    for (const check of checks) if (!checkSignature(check, nodeEd25519)) throw new Error('a signature does not hold');
    return { 'entries/s': (checks.length * 1000) / (performance.now() - started) };
  });
}

/** Works on a log that another process has signed and serves. */
async function withLog<T>(count: number, work: (client: LogClient) => Promise<T>): Promise<T> {
  const server = fork(SERVER, [String(count)], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  try {
    const [line] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
    const { url, vkey } = JSON.parse(line.toString('utf8')) as { url: string; vkey: string };
    const key = parseVerifierKey(vkey);
    const trust = { origin: key.name, logKeys: [key] };
    return await work(new LogClient({ url, trust, hasher: nodeHasher, ed25519: nodeEd25519 }));
  } finally {
    server.kill();
  }
}
