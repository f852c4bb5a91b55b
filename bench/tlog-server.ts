import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CompactRange, formatEntryBundle, HASH_SIZE, parseTilePath, TILE_WIDTH } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, formatCheckpoint, formatNote, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { type ChangeRecord, encodeRecord } from '@treering/record';
import { createStatementSigner, encodeCoseKey, signStatement } from '@treering/statement';

// tlog-server.ts <entries>: signs a log of so many entries, and serves it as tiles from memory. Prints its URL and verifier key.

const COUNT = Number(process.argv[2]);
const ORIGIN = 'bench.example/log';
const seed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const logKey = createSigner(ORIGIN, KEY_TYPE.ed25519, seed(7), nodeEd25519);
const admin = createStatementSigner(seed(8), nodeEd25519);
const digest = seed(0x2a);
const now = Math.floor(Date.now() / 1000);

function recordOf(index: number): ChangeRecord {
  if (index === 0) {
    return {
      v: 1,
      type: 'charter',
      subject: 'charter',
      reason: 'A log to be measured begins.',
      origin: ORIGIN,
      log_keys: [formatVerifierKey(logKey.key)],
      administrators: [{ id: 'admin', key: encodeCoseKey(admin.key), roles: ['administrator'] }],
      threshold: 1,
      policy: { rules: [{ name: 'administrators', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] }] },
      witnesses: [],
    };
  }
  return {
    v: 1,
    type: 'evaluation',
    subject: `evaluation/suite-${index % 1000}`,
    reason: `Nightly evaluation, run ${index}.`,
    model: digest,
    config: digest,
    suite: 'safety',
    dataset: digest,
    metrics: [{ name: 'refusal rate', value: '0.993' }],
    verdict: 'pass',
    tolerances: [],
  };
}

const bundles: Uint8Array[] = [];
const levels: Uint8Array[] = [];
const range = new CompactRange(nodeHasher);
for (let first = 0; first < COUNT; first += TILE_WIDTH) {
  const entries: Uint8Array[] = [];
  for (let index = first; index < Math.min(first + TILE_WIDTH, COUNT); index++) {
    const record = recordOf(index);
    const claims = { iss: `${ORIGIN}/identity/admin`, sub: record.subject, iat: now };
    entries.push((await signStatement(claims, encodeRecord(record), admin)).entry);
  }
  bundles.push(formatEntryBundle(entries));
  const leaves = new Uint8Array(entries.length * HASH_SIZE);
  nodeHasher.hashLeaves(entries, leaves);
  range.appendMany(leaves, (level, start, hashes) => {
    if (level % 8 !== 0) return;
    levels[level / 8] ??= new Uint8Array(Math.ceil(COUNT / 256 ** (level / 8)) * HASH_SIZE);
    levels[level / 8].set(hashes, start * HASH_SIZE);
  });
}
const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(COUNT), root: range.root(), extensions: [] });
const checkpoint = formatNote({ text, signatures: [logKey.sign(text)] });

const server = createServer((request, response) => {
  const path = (request.url ?? '').slice(1);
  if (path === 'checkpoint') {
    response.end(checkpoint);
    return;
  }
  const parsed = parseTilePath(path);
  if (parsed.kind === 'entries') {
    response.end(bundles[parsed.bundle.index]);
    return;
  }
  const { level, index, width } = parsed.tile;
  const start = index * TILE_WIDTH * HASH_SIZE;
  response.end(levels[level].subarray(start, start + width * HASH_SIZE));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}`, vkey: formatVerifierKey(logKey.key) }));
});
process.on('disconnect', () => process.exit());
