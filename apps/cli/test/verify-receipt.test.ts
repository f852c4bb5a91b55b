import { createSigner, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { decode, encode, rfc8949EncodeOptions, Tagged } from 'cborg';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog, type LogDesk, type Outcome } from './fixture.js';

// Receipts are got from the log's reference API (SCITT), as anybody else's client would get them, and verified from files alone.

const desk = await deskWithLog();
const other = await deskWithLog();
test.after(async () => {
  await desk.served.close();
  await other.served.close();
});

type Sign1 = [Uint8Array, Map<number, unknown>, Uint8Array | null, Uint8Array];

const write = (value: unknown): Uint8Array => encode(value, rfc8949EncodeOptions);
const RECEIPTS = 394;

/** The parts of a COSE_Sign1, and their bytes again. */
const partsOf = (bytes: Uint8Array): Sign1 =>
  (decode(bytes, { useMaps: true, tags: Tagged.preserve(18) }) as Tagged).value as Sign1;
const join = (parts: Sign1): Uint8Array => write(new Tagged(18, parts));

/** The same bytes with the last bit of one of them changed. */
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] ^= 1;
  return copy;
}

interface Evidence {
  readonly index: number;
  readonly statement: Uint8Array;
  readonly receipt: Uint8Array;
  readonly transparent: Uint8Array;
}

/** What the log gives out about an entry. */
async function evidenceOf({ served }: LogDesk, { leaf, index }: { leaf: string; index: number }): Promise<Evidence> {
  const get = async (rest: string): Promise<Uint8Array> => {
    const response = await fetch(`${served.url}/entries/${leaf}${rest}`, { headers: { Accept: 'application/cose' } });
    assert.is(response.status, 200);
    return new Uint8Array(await response.arrayBuffer());
  };
  const [statement, receipt, transparent] = [await get('/statement'), await get(''), await get('/transparent-statement')];
  return { index, statement, receipt, transparent };
}

async function record(on: LogDesk, name: string): Promise<Evidence> {
  on.write(`${name}/weights`, `weights of ${name}`);
  const about = ['--name', name, '--version', '1', '--reason', 'A model to be registered.'];
  return evidenceOf(on, await on.result(['record', 'model', name, ...about]));
}

const first = await record(desk, 'first');
const second = await record(desk, 'second');
const foreign = await record(other, 'first');

interface Trial {
  /** What stands in the file. */
  readonly file: Uint8Array;
  readonly entry?: Uint8Array;
  readonly keys?: readonly string[];
}

/** Calls `verify` where no log can be reached. */
function verify({ file, entry, keys = [desk.served.vkey] }: Trial, ...more: string[]): Promise<Outcome> {
  desk.write('file', file);
  if (entry !== undefined) desk.write('entry', entry);
  const args = ['verify', 'file', ...(entry === undefined ? [] : ['--entry', 'entry']), '--key', ...keys, ...more];
  return desk.call(args, {
    env: { TREERING_LOG_URL: 'http://127.0.0.1:1', TREERING_LOG_KEY: undefined, TREERING_DATA: undefined },
  });
}

/** Fails unless the file does not hold, with this verdict on the registration. Returns the reason. */
async function fails(trial: Trial, verdict: 'failed' | 'not proved'): Promise<string> {
  const outcome = await verify(trial, '--json');
  assert.is(outcome.code, 1, outcome.stdout + outcome.stderr);
  const { verified, claims } = outcome.json();
  assert.is(verified, false);
  const registered = claims.find(({ name }: { name: string }) => name === 'registered');
  assert.is(registered.verdict, verdict, registered.text);
  const text = await verify(trial);
  assert.is(text.code, 1);
  assert.match(text.stdout, 'The proof does not hold.');
  assert.not.match(text.stdout, 'A model to be registered.');
  return registered.text;
}

/** Fails unless the file is not even read. */
async function malformed(trial: Trial, message: RegExp): Promise<void> {
  const outcome = await verify(trial, '--json');
  assert.is(outcome.code, 1, outcome.stdout + outcome.stderr);
  assert.is(outcome.json().error.code, 'evidence/malformed');
  assert.match(outcome.stderr, message);
}

test('a transparent statement is verified offline, and its record is shown', async () => {
  for (const { transparent } of [first, second]) {
    const result = (await verify({ file: transparent }, '--json')).json();
    assert.is(result.verified, true);
    const registered = result.claims.find(({ name }: { name: string }) => name === 'registered');
    assert.is(registered.verdict, 'proved');
    assert.match(registered.text, 'log.test/cli signed a tree that holds this statement.');
  }
  const { code, stdout } = await verify({ file: first.transparent });
  assert.is(code, 0);
  assert.match(stdout, 'A model to be registered.');
  assert.match(stdout, 'The proof holds.');
});

test('a receipt is verified beside the statement that it is for', async () => {
  const { code, stdout } = await verify({ file: first.receipt, entry: first.statement });
  assert.is(code, 0, stdout);
  assert.match(stdout, 'The proof holds.');
});

test('what a receipt does not prove is said: the position', async () => {
  const { claims } = (await verify({ file: first.transparent }, '--json')).json();
  const position = claims.find(({ name }: { name: string }) => name === 'position');
  assert.is(position.verdict, 'not proved');
});

test('a receipt alone is refused, and what is missing is named', async () => {
  await malformed({ file: first.receipt }, /the statement that it is for has to be given beside it/);
});

test('the key of another log proves nothing', async () => {
  const keys = [other.served.vkey];
  await fails({ file: first.transparent, keys }, 'not proved');
  await fails({ file: first.receipt, entry: first.statement, keys }, 'not proved');
});

test('a receipt of another log, of the same name and the same model, is none of this one', async () => {
  await fails({ file: foreign.transparent }, 'not proved');
  await fails({ file: foreign.receipt, entry: foreign.statement }, 'not proved');
  assert.is((await verify({ file: foreign.transparent, keys: [other.served.vkey] })).code, 0);
  assert.is((await verify({ file: foreign.transparent, keys: [desk.served.vkey, other.served.vkey] })).code, 0);
});

test('a receipt is for one statement', async () => {
  await fails({ file: first.receipt, entry: second.statement }, 'failed');
  await fails({ file: second.receipt, entry: first.statement }, 'failed');
  await fails({ file: first.receipt, entry: foreign.statement }, 'failed');
  const [header, , payload, signature] = partsOf(first.statement);
  const crossed = join([header, new Map([[RECEIPTS, [second.receipt]]]), payload, signature]);
  await fails({ file: crossed }, 'failed');
});

test('a statement is not changed: neither its payload, nor its header, nor its signature', async () => {
  const [header, unprotected, payload, signature] = partsOf(first.transparent);
  assert.is((await verify({ file: join([header, unprotected, payload, signature]) })).code, 0);
  const content = payload as Uint8Array;
  const reason = Buffer.from(content).indexOf('A model to be');
  assert.ok(reason > 0);
  await fails({ file: join([header, unprotected, flipped(content, reason), signature]) }, 'failed');
  await fails({ file: join([header, unprotected, content, flipped(signature, 0)]) }, 'failed');
  const subject = Buffer.from(header).indexOf('model/first');
  assert.ok(subject > 0);
  await fails({ file: join([flipped(header, subject + 10), unprotected, content, signature]) }, 'failed');
});

test('a receipt is not changed: neither its signature, nor its path, nor its place', async () => {
  const [header, unprotected, payload, signature] = partsOf(first.receipt);
  const broken = join([header, unprotected, payload, flipped(signature, 5)]);
  await fails({ file: broken, entry: first.statement }, 'failed');
  const proofs = unprotected.get(396) as Map<number, Uint8Array[]>;
  const [size, index, path] = decode(proofs.get(-1)?.[0] as Uint8Array) as [number, number, Uint8Array[]];
  const withProof = (...proof: unknown[]): Uint8Array =>
    join([header, new Map([[396, new Map([[-1, [write(proof)]]])]]), payload, signature]);
  assert.is((await verify({ file: withProof(size, index, path), entry: first.statement })).code, 0);
  assert.ok(path.length > 0);
  await fails({ file: withProof(size, index, [flipped(path[0], 0), ...path.slice(1)]), entry: first.statement }, 'failed');
  await fails({ file: withProof(size, index, path.slice(1)), entry: first.statement }, 'failed');
  await fails({ file: withProof(size, index ^ 1, path), entry: first.statement }, 'failed');
});

test('a change anywhere in a receipt is noticed', async () => {
  for (let at = 0; at < first.receipt.length; at++) {
    const { code, stdout } = await verify({ file: flipped(first.receipt, at), entry: first.statement });
    assert.is(code, 1, `byte ${at}: ${stdout}`);
  }
});

test('a file that ends early, or goes on, is neither a statement nor a receipt', async () => {
  for (const file of [first.transparent, first.receipt]) {
    await malformed({ file: file.slice(0, -1), entry: first.statement }, /neither a transparent statement nor a receipt/);
    await malformed({ file: file.slice(0, 10), entry: first.statement }, /neither a transparent statement nor a receipt/);
    await malformed({ file: Buffer.concat([file, Uint8Array.of(0)]), entry: first.statement }, /neither/);
  }
});

test('a statement without a receipt proves nothing', async () => {
  const { code, stdout } = await verify({ file: first.statement });
  assert.is(code, 1, stdout);
  const [header, , payload, signature] = partsOf(first.statement);
  const none = await verify({ file: join([header, new Map([[RECEIPTS, []]]), payload, signature]) });
  assert.is(none.code, 1, none.stdout);
});

test('among receipts of others, the one of a log that is trusted suffices', async () => {
  const [header, , payload, signature] = partsOf(first.statement);
  const both = (...receipts: Uint8Array[]): Uint8Array => join([header, new Map([[RECEIPTS, receipts]]), payload, signature]);
  for (const file of [both(foreign.receipt, first.receipt), both(first.receipt, foreign.receipt)])
    assert.is((await verify({ file })).code, 0);
  await fails({ file: both(foreign.receipt, foreign.receipt) }, 'not proved');
});

test('a receipt meets no quorum: under a policy that asks for one it does not hold, and the log key alone is enough', async () => {
  const witness = createSigner('w.test', KEY_TYPE.ed25519Cosignature, new Uint8Array(32).fill(7), nodeEd25519);
  const log = `log ${desk.served.vkey}\n`;
  desk.write('quorum.policy', `${log}witness w ${formatVerifierKey(witness.key)}\nquorum w\n`);
  desk.write('none.policy', `${log}quorum none\n`);
  desk.write('statement', first.statement);
  for (const file of [first.transparent, first.receipt]) {
    desk.write('file', file);
    const args = ['verify', 'file', '--entry', 'statement', '--policy'];
    const { code, stdout } = await desk.call([...args, 'quorum.policy', '--json']);
    assert.is(code, 1, stdout);
    const { verified, claims } = JSON.parse(stdout);
    assert.is(verified, false);
    const found = Object.fromEntries(claims.map(({ name, verdict }: Record<string, string>) => [name, verdict]));
    assert.equal(found, { registered: 'proved', position: 'not proved', quorum: 'not proved' });
    const text = await desk.call([...args, 'quorum.policy']);
    assert.match(text.stdout, 'ask for the .tlog-proof of the entry');
    assert.match(text.stdout, 'The proof does not hold.');
    assert.not.match(text.stdout, 'A model to be registered.');
    const content = await desk.result([...args, 'none.policy']);
    assert.not(content.claims.some(({ name }: { name: string }) => name === 'quorum'));
    assert.is((await verify({ file, entry: first.statement })).code, 0);
  }
});

test('an index that JSON would round is refused', async () => {
  const proof = await (await fetch(`${desk.served.url}/v1/proof/${first.index}.tlog-proof`)).text();
  desk.write('good.tlog-proof', proof);
  assert.is((await desk.result(['verify', 'good.tlog-proof'])).index, first.index);
  desk.write('large.tlog-proof', proof.replace(/^index \d+$/m, 'index 9007199254740993'));
  const { code, stdout } = await desk.call(['verify', 'large.tlog-proof', '--json']);
  assert.is(code, 1);
  assert.match(JSON.parse(stdout).error.message, 'entry 9007199254740993');
  assert.not.match(stdout, '9007199254740992');
});

test('the log key of the settings is used when none is given', async () => {
  desk.write('plain', first.transparent);
  assert.is((await desk.result(['verify', 'plain'])).verified, true);
  assert.is((await desk.call(['verify', 'plain'], { env: { TREERING_LOG_KEY: other.served.vkey } })).code, 1);
});

test.run();
