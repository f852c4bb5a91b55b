import { createPublicKey, verify } from 'node:crypto';
import { verifyConsistency, verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { decodeBase64, parseNote } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryLog } from './fixture.js';

const one = await memoryLog();
const { log, app, json } = one;
const roots = new Map<number, Uint8Array>();
log.sequencer.onCommit((head) => roots.set(head.size, head.root));
for (let i = 0; i < 12; i++) await one.grow(5 * i + 1);
await log.publisher.publish();
const SIZE = one.size();
const query = (name: string, parameters: Record<string, string | number>): string =>
  `/ct/v1/${name}?${new URLSearchParams(Object.entries(parameters).map(([k, v]) => [k, String(v)]))}`;

test('get-sth is the published head with the signature of its checkpoint', async () => {
  const sth = await json('/ct/v1/get-sth');
  const { published } = log.publisher;
  assert.equal(Object.keys(sth).sort(), ['sha256_root_hash', 'timestamp', 'tree_head_signature', 'tree_size']);
  assert.is(sth.tree_size, SIZE);
  assert.is(sth.timestamp, published?.time);
  assert.equal(decodeBase64(sth.sha256_root_hash), published?.root);
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), log.signer.key.publicKey]);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const { text } = parseNote(published?.note as Uint8Array);
  assert.ok(verify(null, Buffer.from(text), key, decodeBase64(sth.tree_head_signature)));
});

test('get-sth-consistency verifies', async () => {
  const sizes = [...roots.keys()];
  for (const first of sizes) {
    for (const second of sizes.filter((size) => size >= first)) {
      const { consistency } = await json(query('get-sth-consistency', { first, second }));
      verifyConsistency(
        first,
        second,
        roots.get(first) as Uint8Array,
        roots.get(second) as Uint8Array,
        consistency.map(decodeBase64),
        nodeHasher,
      );
    }
  }
  assert.equal(await json(query('get-sth-consistency', { first: 0, second: SIZE })), { consistency: [] });
});

test('get-proof-by-hash and get-entry-and-proof verify', async () => {
  for (const index of [0, 1, 63, SIZE - 1]) {
    const [entry] = await log.storage.entries(index, index + 1);
    const leaf = nodeHasher.hashLeaf(entry);
    const hash = Buffer.from(leaf).toString('base64');
    const byHash = await json(query('get-proof-by-hash', { hash, tree_size: SIZE }));
    assert.is(byHash.leaf_index, index);
    verifyInclusion(
      index,
      SIZE,
      leaf,
      byHash.audit_path.map(decodeBase64),
      log.publisher.published?.root as Uint8Array,
      nodeHasher,
    );
    const both = await json(query('get-entry-and-proof', { leaf_index: index, tree_size: SIZE }));
    assert.equal(decodeBase64(both.leaf_input), entry);
    assert.equal(both.audit_path, byHash.audit_path);
    assert.is(both.extra_data, '');
  }
});

test('get-entries answers at most what there is and at most 256', async () => {
  const { entries } = await json(query('get-entries', { start: 3, end: 9 }));
  const stored = await log.storage.entries(3, 10);
  assert.equal(
    entries.map((entry: { leaf_input: string }) => decodeBase64(entry.leaf_input)),
    stored,
  );
  assert.is((await json(query('get-entries', { start: SIZE - 2, end: SIZE + 500 }))).entries.length, 2);
  assert.is((await json(query('get-entries', { start: 0, end: 9_000_000 }))).entries.length, 256);
});

test('bad parameters are refused', async () => {
  const bad: [string, Record<string, string | number>][] = [
    ['get-sth-consistency', { first: 9, second: 8 }],
    ['get-sth-consistency', { first: 1, second: SIZE + 1 }],
    ['get-sth-consistency', { second: 5 }],
    ['get-proof-by-hash', { hash: 'AAAA', tree_size: 5 }],
    ['get-proof-by-hash', { hash: `${'A'.repeat(43)}=`, tree_size: SIZE + 1 }],
    ['get-proof-by-hash', { tree_size: 5 }],
    ['get-entries', { start: 5, end: 4 }],
    ['get-entries', { start: SIZE, end: SIZE }],
    ['get-entries', { start: '0x1', end: 4 }],
    ['get-entries', {}],
    ['get-entry-and-proof', { leaf_index: SIZE, tree_size: SIZE }],
    ['get-entry-and-proof', { leaf_index: 0, tree_size: 0 }],
  ];
  for (const [name, parameters] of bad)
    assert.is((await app.request(query(name, parameters))).status, 400, query(name, parameters));
  const unknown = await app.request(query('get-proof-by-hash', { hash: `${'A'.repeat(43)}=`, tree_size: SIZE }));
  assert.is(unknown.status, 404);
});

test.run();
