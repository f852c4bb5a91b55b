import { execFileSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { holds, readPack, verifyPack } from '@treering/evidence';
import { nodeMeans } from '@treering/foreign/node';
import { Audit } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519 } from '@treering/note/node';
import { checkSignature, parseStatement, type SignatureCheck, signatureCheck } from '@treering/statement';
import type { Benchmark, Figures } from './benchmark.js';
import { logKey } from './evaluation-log.js';

const PACK_FILE = fileURLToPath(new URL('pack-file.ts', import.meta.url));
const RIVAL = 'signatures alone, one core';

/** Verifying evidence packs from a file, as a regulator does. */
export const pack: Benchmark = {
  name: 'pack',
  title: 'evidence packs verified from a file: tree, heads, signature and admission of each record',
  trials: 3,
  subjects: [
    ...[10, 1000, 100_000].map((records) => ({
      name: `${records.toLocaleString('en')} records`,
      rival: RIVAL,
      quick: records === 1000,
      // The large one takes a minute, most of it for signing.
      ...(records > 10_000 ? { trials: 1 } : {}),
      measure: (quick: boolean) => measureVerification(quick ? Math.min(records, 200) : records),
    })),
    { name: RIVAL, measure: (quick) => measureSignatures(quick ? 200 : 10_000) },
  ],
};

/** Works on a pack that another process has written. */
async function withPack<T>(records: number, work: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'treering-bench-'));
  try {
    const path = join(folder, 'bench.trpack');
    execFileSync(process.execPath, [...process.execArgv, PACK_FILE, String(records), path], { stdio: ['ignore', 2, 2] });
    return await work(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function measureVerification(records: number): Promise<Figures> {
  return withPack(records, async (path) => {
    const policy = { logs: [{ key: logKey.key }], witnesses: [], groups: [], quorum: 'none' };
    const trust = { policy, means: nodeMeans, hasher: nodeHasher, ed25519: nodeEd25519 };
    const started = performance.now();
    const { claims, required, entries } = await verifyPack(createReadStream(path), trust);
    const ms = performance.now() - started;
    if (entries !== records + 1 || !holds(claims, required)) throw new Error('the pack does not hold');
    return {
      'records/s': (records * 1000) / ms,
      'ms/record': ms / records,
      'bytes/record': statSync(path).size / records,
      'peak MiB': process.resourceUsage().maxRSS / 1024,
    };
  });
}

/** What no verification can go below on one core: an Ed25519 signature for each record. */
function measureSignatures(records: number): Promise<Figures> {
  return withPack(records, async (path) => {
    const replay = new Audit(nodeMeans);
    const checks: SignatureCheck[] = [];
    for await (const item of readPack(createReadStream(path))) {
      if (item.kind !== 'entry') continue;
      if (replay.size === 0) await replay.next(item.entry);
      const { sign1, kid } = parseStatement(item.entry);
      const key = replay.state.identity(kid)?.key;
      if (key !== undefined) checks.push(signatureCheck(sign1, key));
    }
    const started = performance.now();
    for (const check of checks) if (!checkSignature(check, nodeEd25519)) throw new Error('a signature does not hold');
    const ms = performance.now() - started;
    return { 'records/s': (checks.length * 1000) / ms, 'ms/record': ms / checks.length };
  });
}
