import { verifyTlogProof } from '@treering/evidence';
import { verifyConsistency, verifyInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { decodeBase64, encodeUtf8, openCheckpoint } from '@treering/note';
import { parseReceipt, parseStatement, verifyReceipt } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryLog, SEED, signerFrom } from './fixture.js';

const one = await memoryLog();
const { log, app, json } = one;

/** Roots by size, from the heads that the log signed on its way. */
const roots = new Map<number, Uint8Array>();
log.sequencer.onCommit((head) => roots.set(head.size, head.root));
for (let i = 0; i < 40; i++) await one.grow(1 + (i % 17), { subject: `model/m${i % 5}` });
await log.publisher.publish();
const SIZE = one.size();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const hashes = (list: string[]): Uint8Array[] => list.map(decodeBase64);

test('an entry is found by index and by leaf hash', async () => {
  for (const index of [0, 1, 255, 256, SIZE - 1]) {
    const [stored] = await log.storage.entries(index, index + 1);
    const byIndex = await app.request(`/v1/entries/${index}`);
    assert.is(byIndex.status, 200);
    assert.match(byIndex.headers.get('content-type') ?? '', /^application\/cose/);
    assert.match(byIndex.headers.get('cache-control') ?? '', /immutable/);
    assert.is(byIndex.headers.get('treering-index'), String(index));
    assert.equal(new Uint8Array(await byIndex.arrayBuffer()), stored);
    const byLeaf = await app.request(`/v1/entries/${hex(nodeHasher.hashLeaf(stored))}`);
    assert.is(byLeaf.headers.get('treering-index'), String(index));
    assert.equal(new Uint8Array(await byLeaf.arrayBuffer()), stored);
  }
});

test('an entry that is not there is 404, what is no id 400', async () => {
  for (const id of [String(SIZE), '9007199254740991', '0'.repeat(64)])
    assert.is((await app.request(`/v1/entries/${id}`)).status, 404, id);
  for (const id of ['01', '-1', '1e3', '0x1', ' 1', '9007199254740993', '99999999999999999999', 'A'.repeat(64), '%00']) {
    assert.is((await app.request(`/v1/entries/${encodeURI(id)}`)).status, 400, id);
  }
  assert.is((await app.request('/v1/entries/0?view=xml')).status, 400);
});

test('view=json shows the record, its rendering and the statement itself', async () => {
  const view = await json('/v1/entries/7?view=json');
  const [stored] = await log.storage.entries(7, 8);
  assert.is(view.index, 7);
  assert.is(view.leaf, hex(nodeHasher.hashLeaf(stored)));
  assert.equal(decodeBase64(view.statement), stored);
  assert.is(view.subject, parseStatement(stored).sub);
  assert.is(view.record.type, 'incident');
  assert.is(typeof view.rendering.title, 'string');
  assert.ok(view.rendering.facts.length > 0);
  assert.is(Date.parse(view.issued_at) / 1000, parseStatement(stored).iat);
});

test('inclusion proofs verify for every entry at several sizes', async () => {
  for (const [size, root] of [...roots].filter((_, i) => i % 6 === 0)) {
    for (let index = 0; index < size; index += 1 + Math.floor(size / 9)) {
      const [stored] = await log.storage.entries(index, index + 1);
      const leaf = nodeHasher.hashLeaf(stored);
      const answer = await json(`/v1/proof/inclusion?index=${index}&size=${size}`);
      verifyInclusion(index, size, leaf, hashes(answer.hashes), root, nodeHasher);
      const byLeaf = await json(`/v1/proof/inclusion?leaf=${hex(leaf)}&size=${size}`);
      assert.equal(byLeaf, answer);
    }
  }
});

test('the default of a proof is the published checkpoint, which comes with it', async () => {
  await one.grow(3);
  const answer = await json('/v1/proof/inclusion?index=5');
  assert.is(answer.size, SIZE);
  const { checkpoint } = openCheckpoint(encodeUtf8(answer.checkpoint), log.trust);
  const [stored] = await log.storage.entries(5, 6);
  verifyInclusion(5, SIZE, nodeHasher.hashLeaf(stored), hashes(answer.hashes), checkpoint.root, nodeHasher);
  assert.is(answer.root, hex(checkpoint.root));
  assert.is((await json('/v1/proof/inclusion?index=5&size=100')).checkpoint, undefined);
  assert.is((await json(`/v1/proof/inclusion?index=5&size=${SIZE + 3}`)).size, SIZE + 3);
  assert.is((await app.request(`/v1/proof/inclusion?index=${SIZE}`)).status, 404);
});

test('consistency proofs verify between all pairs of many sizes', async () => {
  const sizes = [...roots.keys()].filter((_, i) => i % 5 === 0);
  for (const from of sizes) {
    for (const to of sizes.filter((size) => size >= from)) {
      const answer = await json(`/v1/proof/consistency?from=${from}&to=${to}`);
      verifyConsistency(
        from,
        to,
        roots.get(from) as Uint8Array,
        roots.get(to) as Uint8Array,
        hashes(answer.hashes),
        nodeHasher,
      );
    }
  }
  assert.is((await json(`/v1/proof/consistency?from=${sizes[0]}`)).to, SIZE);
});

test('proofs for sizes that the log has not reached, or that are no sizes, are refused', async () => {
  const bad = [
    'inclusion',
    'inclusion?index=1&size=0',
    `inclusion?index=1&size=${SIZE + 99}`,
    'inclusion?leaf=zz',
    'inclusion?index=-1',
  ];
  bad.push(
    'consistency',
    'consistency?from=0',
    'consistency?from=9&to=8',
    `consistency?from=1&to=${SIZE + 99}`,
    'consistency?from=1.0',
  );
  for (const query of bad) {
    const response = await app.request(`/v1/proof/${query}`);
    assert.is(response.status, 400, query);
    assert.is((await response.json()).code, 'request/malformed', query);
  }
  assert.is((await app.request('/v1/proof/inclusion?index=8&size=8')).status, 404);
  assert.is((await app.request(`/v1/proof/inclusion?leaf=${'0'.repeat(64)}`)).status, 404);
});

test('a proof file verifies offline', async () => {
  for (const index of [0, 1, 100, SIZE - 1]) {
    const response = await app.request(`/v1/proof/${index}.tlog-proof`);
    assert.is(response.status, 200);
    const file = new Uint8Array(await response.arrayBuffer());
    const policy = { logs: [{ key: log.signer.key }], witnesses: [], groups: [], quorum: 'none' as const };
    const report = verifyTlogProof(file, { policy, signerKeys: [signerFrom(SEED.admin).key] });
    const proved = report.claims.filter((claim) => claim.verdict === 'proved').map((claim) => claim.name);
    assert.equal(proved, ['head-signed', 'quorum', 'included', 'statement-signed']);
    assert.is(report.index, BigInt(index));
    // A character of the log's Ed25519 signature: the ML-DSA line below it is of a key that this policy does not name.
    const text = new TextDecoder().decode(file);
    const at = text.indexOf('\u2014 ') + `\u2014 ${log.origin} `.length + 20;
    const other = text[at] === 'A' ? 'B' : 'A';
    const altered = verifyTlogProof(new TextEncoder().encode(text.slice(0, at) + other + text.slice(at + 1)), { policy });
    assert.ok(altered.claims.some((claim) => claim.verdict === 'failed'));
  }
});

test('a receipt verifies under the receipt key, for the root of the published checkpoint', async () => {
  const index = 77;
  const bytes = new Uint8Array(await (await app.request(`/v1/receipt/${index}`)).arrayBuffer());
  const [stored] = await log.storage.entries(index, index + 1);
  const receipt = parseReceipt(bytes);
  assert.equal(verifyReceipt(receipt, nodeHasher.hashLeaf(stored), log.receiptKey), log.publisher.published?.root);
  assert.is(receipt.sub, parseStatement(stored).sub);
  assert.is(receipt.proof.index, index);
});

test('proof files of what is not published yet are 404', async () => {
  const size = one.size();
  for (const path of [`/v1/proof/${size - 1}.tlog-proof`, `/v1/receipt/${size - 1}`, `/v1/receipt/${size + 50}`]) {
    const response = await app.request(path);
    assert.is(response.status, 404, path);
    assert.is((await response.json()).code, 'entry/not-published');
  }
  assert.is((await app.request('/v1/receipt/abc')).status, 400);
});

test('a log without a published checkpoint proves from its committed head', async () => {
  const young = await memoryLog();
  assert.is((await young.app.request('/checkpoint')).status, 404);
  const answer = await young.json('/v1/proof/inclusion?index=0');
  assert.is(answer.size, 1);
  assert.equal(answer.hashes, []);
});

test.run();
