import { nodeHasher } from '@treering/merkle/node';
import { encodeRecord } from '@treering/record';
import { decodeCbor, parseStatement, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Answer, identityRecord, makeStatement, memoryLog, ORIGIN, SEED, signerFrom, verifyAnswer } from './fixture.js';

const one = await memoryLog();
/** Nothing is published there, so that this waits for its full ten seconds while the other tests run. */
const never = await memoryLog();
const unwitnessed = never.post((await makeStatement()).entry, {}, '?wait=witnessed');

/** Posts what must be refused, and checks that nothing is left behind. */
async function refused(body: Uint8Array, status: number, code: string, headers: Record<string, string> = {}) {
  const before = { size: one.size(), root: one.log.sequencer.head?.root };
  const response = await one.post(body, headers);
  const problem = (await response.json()) as Record<string, unknown>;
  assert.is(response.status, status, JSON.stringify(problem));
  assert.is(response.headers.get('content-type'), 'application/problem+json');
  assert.is(response.headers.get('cache-control'), 'no-store');
  assert.is(problem.code, code);
  assert.is(problem.status, status);
  assert.is(problem.type, `urn:treering:problem:${code.replace('/', ':')}`);
  assert.is(problem.instance, response.headers.get('request-id'));
  assert.not.match(JSON.stringify(problem), /\bat .*\.[tj]s:|node_modules/);
  assert.equal({ size: one.size(), root: one.log.sequencer.head?.root }, before);
  return problem;
}

test('a new statement is answered with 201 and a proof that holds, the same again with 200', async () => {
  const { entry } = await makeStatement();
  const first = await one.post(entry);
  assert.is(first.status, 201);
  const answer = (await first.json()) as Answer;
  assert.is(answer.index, one.size() - 1);
  assert.is(verifyAnswer(one.log, entry, answer), one.size());
  assert.is(first.headers.get('location'), answer.statement_url);
  assert.is(answer.statement_url, `http://log.test/v1/entries/${answer.index}`);
  await one.grow(3);
  const size = one.size();
  const second = await one.post(entry);
  assert.is(second.status, 200);
  const again = (await second.json()) as Answer;
  assert.is(again.index, answer.index);
  assert.is(again.leaf, answer.leaf);
  verifyAnswer(one.log, entry, again);
  assert.is(one.size(), size);
});

test('an answer in CBOR says what the one in JSON says', async () => {
  const { entry } = await makeStatement();
  const inJson = (await (await one.post(entry)).json()) as Answer;
  const response = await one.post(entry, { Accept: 'application/cbor' });
  assert.is(response.headers.get('content-type'), 'application/cbor');
  const map = decodeCbor(new Uint8Array(await response.arrayBuffer())) as Map<string, unknown>;
  assert.equal([...map.keys()].sort(), ['checkpoint', 'inclusion', 'index', 'leaf', 'receipt', 'statement_url']);
  const base64 = (bytes: unknown): string => Buffer.from(bytes as Uint8Array).toString('base64');
  const answer: Answer = {
    index: map.get('index') as number,
    leaf: Buffer.from(map.get('leaf') as Uint8Array).toString('hex'),
    checkpoint: Buffer.from(map.get('checkpoint') as Uint8Array).toString('utf8'),
    inclusion: (map.get('inclusion') as Uint8Array[]).map(base64),
    receipt: base64(map.get('receipt')),
    statement_url: map.get('statement_url') as string,
  };
  assert.is(answer.index, inJson.index);
  verifyAnswer(one.log, entry, answer);
});

test('a receipt in the unprotected header is not logged', async () => {
  const { entry } = await makeStatement();
  // The array's second member is the empty map 0xa0 after the protected header: put {394: []} there, a list of no receipts.
  const { sign1 } = parseStatement(entry);
  const at = Buffer.from(entry).indexOf(Buffer.from(sign1.protectedBytes)) + sign1.protectedBytes.length;
  assert.is(entry[at], 0xa0);
  const decorated = new Uint8Array(
    Buffer.concat([entry.subarray(0, at), Buffer.from([0xa1, 0x19, 0x01, 0x8a, 0x80]), entry.subarray(at + 1)]),
  );
  const answer = (await (await one.post(decorated)).json()) as Answer;
  verifyAnswer(one.log, entry, answer);
  const [stored] = await one.log.storage.entries(answer.index, answer.index + 1);
  assert.equal(stored, entry);
  assert.is((await one.post(entry)).status, 200);
});

test('what is malformed is refused with 400', async () => {
  const { entry } = await makeStatement();
  await refused(new Uint8Array(0), 400, 'cbor/malformed');
  assert.is((await one.post(entry.subarray(0, 40))).status, 400);
  assert.is((await one.post(new Uint8Array([...entry, 0]))).status, 400);
  assert.is((await one.post(new TextEncoder().encode('{"v":1}'))).status, 400);
  const wrongWait = await one.post(entry, {}, '?wait=soon');
  assert.is(wrongWait.status, 400);
  assert.is(((await wrongWait.json()) as { code: string }).code, 'request/malformed');
});

test('an unknown key and a broken signature are refused with 401', async () => {
  const stranger = await makeStatement({ signer: signerFrom(), id: 'stranger' });
  const problem = await refused(stranger.entry, 401, 'governance/unknown-key');
  assert.is(problem.rule, 'identities');
  const broken = (await makeStatement()).entry.slice();
  broken[broken.length - 1] ^= 1;
  await refused(broken, 401, 'cose/bad-signature');
  assert.is((await one.post(broken)).headers.get('www-authenticate'), 'Treering');
});

test('what the rules do not allow is refused with 403 and the rule', async () => {
  const machine = signerFrom();
  const enrolment = await makeStatement({ record: identityRecord('enrol', 'robot', machine, ['machine']) });
  assert.is((await one.post(enrolment.entry)).status, 201);
  const denied = await makeStatement({ signer: machine, id: 'robot' });
  assert.is((await refused(denied.entry, 403, 'governance/not-allowed')).rule, 'default deny');
  const posing = await makeStatement({ signer: machine, id: 'admin' });
  assert.is((await refused(posing.entry, 403, 'governance/wrong-issuer')).rule, 'header');
  const revocation = await makeStatement({ record: identityRecord('revoke', 'robot', machine, []) });
  const { index } = (await (await one.post(revocation.entry)).json()) as Answer;
  const late = await makeStatement({ signer: machine, id: 'robot' });
  assert.is((await refused(late.entry, 403, 'governance/revoked-key')).rule, `identity@${index}`);
  const now = Math.floor(Date.now() / 1000);
  for (const iat of [now - 400, now + 400]) {
    assert.is((await refused((await makeStatement({ iat })).entry, 403, 'governance/clock')).rule, 'clock');
  }
});

test('an outdated prev is refused with 409 and the current record', async () => {
  const subject = 'model/chain';
  const first = await makeStatement({ subject });
  const { leaf } = (await (await one.post(first.entry)).json()) as Answer;
  const prev = new Uint8Array(Buffer.from(leaf, 'hex'));
  const second = await makeStatement({ subject, prev });
  const { index, leaf: current } = (await (await one.post(second.entry)).json()) as Answer;
  const rival = await makeStatement({ subject, prev });
  const problem = await refused(rival.entry, 409, 'governance/prev-conflict');
  assert.equal(problem.current, { index, leaf: current });
  const orphan = await makeStatement({ subject: 'model/none', prev });
  assert.is((await refused(orphan.entry, 409, 'governance/prev-conflict')).current, undefined);
});

test('of rivals for the same prev that arrive at once, one wins', async () => {
  const subject = 'model/race';
  const { leaf } = (await one.grow(1, { subject }))[0];
  const rivals = await Promise.all(Array.from({ length: 8 }, () => makeStatement({ subject, prev: leaf })));
  const statuses = await Promise.all(rivals.map(async ({ entry }) => (await one.post(entry)).status));
  assert.equal(statuses.sort(), [201, 409, 409, 409, 409, 409, 409, 409]);
});

test('the same statement with prev sent many times at once has one index, however the copies overlap', async () => {
  for (let round = 0; round < 30; round++) {
    const subject = `model/again-${round}`;
    const { leaf } = (await one.grow(1, { subject }))[0];
    const { entry } = await makeStatement({ subject, prev: leaf });
    const copies = Array.from({ length: 6 }, async (_, i) => {
      for (let turn = 0; turn < i; turn++) await new Promise((resolve) => setImmediate(resolve));
      return one.post(entry);
    });
    const answers = await Promise.all(copies);
    assert.equal(answers.map((response) => response.status).sort(), [200, 200, 200, 200, 200, 201], `round ${round}`);
  }
});

test('too large is 413, another media type or an encoding 415', async () => {
  await refused(new Uint8Array(4 * 65_535 + 1), 413, 'request/too-large');
  const claims = { iss: `${ORIGIN}/identity/admin`, sub: 'model/x', iat: Math.floor(Date.now() / 1000) };
  // signStatement itself refuses what is too large, so the large statement is put together from parts of a good one.
  const good = await signStatement(claims, new Uint8Array(65_000), signerFrom(SEED.admin));
  const at = Buffer.from(good.entry).indexOf(Buffer.from([0x59, 0xfd, 0xe8]));
  const large = Buffer.concat([
    good.entry.subarray(0, at),
    Buffer.from([0x59, 0xff, 0xff]),
    Buffer.alloc(65_535),
    good.entry.subarray(at + 3 + 65_000),
  ]);
  await refused(new Uint8Array(large), 413, 'statement/too-large');
  const { entry } = await makeStatement();
  await refused(entry, 415, 'request/media-type', { 'Content-Type': 'application/json' });
  await refused(entry, 415, 'request/media-type', { 'Content-Type': '' });
  await refused(entry, 415, 'request/encoding', { 'Content-Encoding': 'gzip' });
  const withParameter = await one.post(entry, { 'Content-Type': 'Application/COSE; cose-type="cose-sign1"' });
  assert.is(withParameter.status, 201);
});

test('a payload that is no valid record is refused with 422, a record that contradicts its header with 403', async () => {
  const claims = { iss: `${ORIGIN}/identity/admin`, sub: 'model/wink', iat: Math.floor(Date.now() / 1000) };
  const signer = signerFrom(SEED.admin);
  const unknown = await signStatement(claims, new Uint8Array([0xa1, 0x64, 0x74, 0x79, 0x70, 0x65, 0x61, 0x78]), signer);
  await refused(unknown.entry, 422, 'record/unknown-type');
  const payload = encodeRecord({
    v: 1,
    type: 'approval',
    subject: 'model/other',
    reason: 'About something else.',
    target: new Uint8Array(32),
    decision: 'reject',
    role: 'engineer',
  });
  await refused((await signStatement(claims, payload, signer)).entry, 403, 'governance/invalid-record');
  const foreign = await signStatement({ ...claims, contentType: 'application/vnd.treering.other' }, payload, signer);
  await refused(foreign.entry, 403, 'governance/foreign');
});

test('wait=witnessed answers under a published checkpoint', async () => {
  const { entry } = await makeStatement();
  const pending = one.post(entry, {}, '?wait=witnessed');
  const timer = setInterval(() => one.log.publisher.publish(), 20);
  const response = await pending;
  clearInterval(timer);
  assert.is(response.status, 201);
  const answer = (await response.json()) as Answer;
  verifyAnswer(one.log, entry, answer);
  assert.is(answer.checkpoint, Buffer.from(one.log.publisher.published?.note ?? []).toString('utf8'));
  assert.is((await one.post(entry, {}, '?wait=witnessed')).status, 200);
});

test('the same bytes are still answered with 200 when the clock has left their window', async () => {
  let now = Date.now();
  const later = await memoryLog({ clock: () => now });
  const { entry } = await makeStatement({ iat: Math.floor(now / 1000) });
  assert.is((await later.post(entry)).status, 201);
  now += 3_600_000;
  const again = await later.post(entry);
  assert.is(again.status, 200);
  verifyAnswer(later.log, entry, (await again.json()) as Answer);
  const fresh = await makeStatement({ iat: Math.floor(now / 1000) - 3600 });
  assert.is((await later.post(fresh.entry)).status, 403);
});

test('leaf hashes are RFC 6962 hashes of the entry', async () => {
  const { entry } = await makeStatement();
  const { leaf } = (await (await one.post(entry)).json()) as Answer;
  assert.is(leaf, Buffer.from(nodeHasher.hashLeaf(entry)).toString('hex'));
});

test('wait=witnessed without a publication is 504 with the index, and the entry is logged', async () => {
  const response = await unwitnessed;
  assert.is(response.status, 504);
  const problem = (await response.json()) as { code: string; index: number };
  assert.is(problem.code, 'checkpoint/not-witnessed');
  assert.is(problem.index, 1);
  assert.is((await never.app.request('/v1/entries/1')).status, 200);
});

test.run();
