import { nodeHasher } from '@treering/merkle/node';
import { encodeCbor } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answer, makeStatement, memoryLog, signerFrom, verifyAnswer } from './fixture.js';

const one = await memoryLog();

async function batch(body: Uint8Array, type = 'application/cbor-seq', log = one) {
  const response = await log.app.request('/v1/entries:batch', {
    method: 'POST',
    headers: { 'Content-Type': type },
    body: body as Uint8Array<ArrayBuffer>,
  });
  return {
    status: response.status,
    body: (await response.json()) as { code?: string; results: (Answer & { status: number; code?: string })[] },
  };
}

const sequence = (...items: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(items));

test('good and bad statements of one batch are answered in order, and do not harm one another', async () => {
  const good = await Promise.all([makeStatement(), makeStatement(), makeStatement()]);
  const stranger = await makeStatement({ signer: signerFrom() });
  const broken = good[2].entry.slice();
  broken[broken.length - 1] ^= 1;
  const before = one.size();
  const items = [good[0].entry, encodeCbor([1, 2]), stranger.entry, good[1].entry, broken, good[2].entry, good[0].entry];
  const { status, body } = await batch(sequence(...items));
  assert.is(status, 200);
  assert.equal(
    body.results.map((result) => result.status),
    [201, 400, 401, 201, 401, 201, 200],
  );
  assert.is(one.size(), before + 3);
  for (const i of [0, 3, 5, 6]) verifyAnswer(one.log, items[i], body.results[i]);
  assert.is(body.results[6].index, body.results[0].index);
  assert.is(body.results[2].code, 'governance/unknown-key');
});

test('a batch is one commit', async () => {
  const sizes: number[] = [];
  const end = one.log.sequencer.onCommit((head) => sizes.push(head.size));
  const statements = await Promise.all(Array.from({ length: 40 }, () => makeStatement()));
  const { body } = await batch(sequence(...statements.map(({ entry }) => entry)));
  end();
  assert.equal(
    body.results.map((r) => r.index),
    Array.from({ length: 40 }, (_, i) => one.size() - 40 + i),
  );
  assert.ok(sizes.length <= 3, `${sizes.length} commits`);
});

test('a later statement of a batch can follow an earlier one', async () => {
  const subject = 'model/chain';
  const first = await makeStatement({ subject });
  const leaf = nodeHasher.hashLeaf(first.entry);
  const second = await makeStatement({ subject, prev: leaf });
  const { body } = await batch(sequence(first.entry, second.entry));
  assert.equal(
    body.results.map((r) => r.status),
    [201, 201],
  );
});

test('an empty batch has no results', async () => {
  assert.equal((await batch(new Uint8Array(0))).body.results, []);
});

test('a sequence that cannot be split is refused as a whole, with nothing logged', async () => {
  const { entry } = await makeStatement();
  const before = one.size();
  const cases = [
    sequence(entry, entry.subarray(0, 30)),
    Uint8Array.of(0x9f, 0x01, 0xff),
    Uint8Array.of(0xff),
    Uint8Array.of(0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    Uint8Array.of(0x9b, 0, 0, 0, 1, 0, 0, 0, 0),
    Uint8Array.of(0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  ];
  for (const bytes of cases) {
    const { status, body } = await batch(bytes);
    assert.is(status, 400, Buffer.from(bytes.subarray(0, 9)).toString('hex'));
    assert.is(body.code, 'request/malformed');
  }
  assert.is(one.size(), before);
});

test('too many statements, too many bytes and another media type are refused, with nothing logged', async () => {
  const { entry } = await makeStatement();
  const before = one.size();
  const many = await batch(sequence(entry, new Uint8Array(4096)));
  assert.is(many.status, 413);
  assert.is((await batch(new Uint8Array(16 * 1024 * 1024 + 1))).status, 413);
  assert.is((await batch(entry, 'application/cose')).status, 415);
  assert.is(one.size(), before);
  const most = await batch(new Uint8Array(4096));
  assert.is(most.status, 200);
  assert.is(most.body.results.length, 4096);
  assert.ok(most.body.results.every((result) => result.status === 400));
});

test('hostile nesting in a batch is answered, not a crash', async () => {
  const deep = new Uint8Array(200_000).fill(0x81);
  deep[deep.length - 1] = 0;
  const { status, body } = await batch(deep);
  assert.is(status, 200);
  assert.ok([400, 413].includes(body.results[0].status));
  const tags = new Uint8Array(200_000).fill(0xc1);
  tags[tags.length - 1] = 0;
  assert.is((await batch(tags)).body.results.length, 1);
});

test('what the pool has no room for is 503 in its place', async () => {
  const small = await memoryLog({ config: { pool_entries: 4 } });
  const statements = await Promise.all(Array.from({ length: 64 }, () => makeStatement()));
  const { status, body } = await batch(sequence(...statements.map(({ entry }) => entry)), undefined, small);
  assert.is(status, 200);
  const logged = body.results.filter((result) => result.status === 201);
  const refused = body.results.filter((result) => result.status === 503);
  assert.is(logged.length + refused.length, 64);
  assert.ok(refused.length > 0);
  assert.ok(refused.every((result) => result.code === 'sequencer/overloaded'));
  assert.is(small.size(), 1 + logged.length);
});

test.run();
