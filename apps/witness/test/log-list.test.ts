import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatVerifierKey, KEY_TYPE, NoteError } from '@treering/note';
import { pino } from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema, parseLogList, serveWitness } from '../src/index.js';
import { NAME, openWitness, signerOf, temporaryFolder } from './fixture.js';
import { monitoringPath, TestLog } from './test-log.js';

const keyOf = (name: string, seed = 1, type: number = KEY_TYPE.ed25519) => signerOf(name, type, seed).key;
const vkeyOf = (name: string, seed = 1, type: number = KEY_TYPE.ed25519) => formatVerifierKey(keyOf(name, seed, type));

test('lines as in a trust policy', () => {
  const text = `# the logs\n\nlog ${vkeyOf('a.test')}\n  log\t${vkeyOf('b.test')}\thttps://b.test/log/  \nlog ${vkeyOf('a.test', 2)} http://a.test\n`;
  assert.equal(parseLogList(text), [
    { origin: 'a.test', keys: [keyOf('a.test'), keyOf('a.test', 2)], url: 'http://a.test' },
    { origin: 'b.test', keys: [keyOf('b.test')], url: 'https://b.test/log/' },
  ]);
  assert.equal(parseLogList(''), []);
  assert.equal(parseLogList('# nothing\n'), []);
});

test('the list of the witness network, with origins of their own', () => {
  const mldsa = vkeyOf('c.test', 3, KEY_TYPE.mldsa44Cosignature);
  const text = `#\n# List: 10qps\nlogs/v0\n\nvkey ${vkeyOf('a.test')}\norigin none\nqpd 86400\nbastion https://b.test/\ncontact a (at) a.test\n\n# two\nvkey ${vkeyOf('b.test')}\norigin go.sum database tree\nqpd 24\nbastion none\ncontact x\nvkey ${mldsa}\norigin none\n`;
  assert.equal(parseLogList(text), [
    { origin: 'a.test', keys: [keyOf('a.test')] },
    { origin: 'go.sum database tree', keys: [keyOf('b.test')] },
    { origin: 'c.test', keys: [keyOf('c.test', 3, KEY_TYPE.mldsa44Cosignature)] },
  ]);
  assert.equal(parseLogList('logs/v0\n'), []);
});

test('what cannot be read is refused with the number of its line', () => {
  const a = vkeyOf('a.test');
  const bad: [text: string, line: number, why: RegExp][] = [
    [`log ${a}\nlogg ${a}\n`, 2, /a line reads/],
    ['log\n', 1, /a line reads/],
    [`log ${a} https://a.test x\n`, 1, /a line reads/],
    [`log ${a} no-url\n`, 1, /a line reads/],
    [`log ${a} file:///etc/passwd\n`, 1, /a line reads/],
    [`\n\n# c\nlog ${a.slice(0, -4)}\n`, 4, /./],
    [`log ${a.replace('a.test', 'b.test')}\n`, 1, /id in the verifier key/],
    [`log ${a}\nlogs/v0\n`, 2, /a line reads/],
    ['logs/v1\n', 1, /a line reads/],
    [`logs/v0\norigin none\n`, 2, /an origin follows/],
    [`logs/v0\nvkey ${a}\n`, 2, /has no origin/],
    [`logs/v0\nvkey ${a}\nqpd 1\nvkey ${vkeyOf('b.test')}\norigin none\n`, 4, /has no origin/],
    [`logs/v0\nvkey ${a}\norigin\n`, 3, /1 to 255 bytes/],
    [`logs/v0\nvkey ${a}\norigin ${'ü'.repeat(128)}\n`, 3, /1 to 255 bytes/],
    [`logs/v0\nvkey ${a}\norigin a\u0000b\n`, 3, /control/],
    [`logs/v0\nvkey x\norigin none\n`, 2, /./],
    [`logs/v0\nlog ${a}\n`, 2, /is no keyword/],
  ];
  for (const [text, line, why] of bad) {
    try {
      parseLogList(text);
    } catch (error) {
      assert.instance(error, NoteError);
      assert.is((error as NoteError).code, 'note/bad-policy');
      assert.match((error as Error).message, new RegExp(`^line ${line} of the list of logs: `), JSON.stringify(text));
      assert.match((error as Error).message, why);
      continue;
    }
    assert.unreachable(JSON.stringify(text));
  }
});

test('an origin with odd bytes is cosigned, served and measured like any other', async () => {
  const { store, add, app } = openWitness();
  for (const origin of [
    'go.sum database tree',
    'a"b\\c{d="e"}',
    '‮ltr 😀',
    '../../etc/passwd',
    'x'.repeat(255),
    "'; DROP TABLE heads; --",
  ]) {
    const log = new TestLog(origin, undefined, signerOf('key.test', KEY_TYPE.ed25519, 9));
    store.addLogs([{ origin: origin, keys: [log.signer.key] }]);
    assert.is((await add(log.add(0, 5))).status, 200, origin);
    assert.is((await app.request(monitoringPath(origin))).status, 200, origin);
    assert.is(store.head(origin)?.size, 5n);
  }
  const metrics = await (await app.request('/metrics')).text();
  assert.match(metrics, 'treering_witness_size{origin="a\\"b\\\\c{d=\\"e\\"}"} 5\n');
});

async function until(what: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; !what(); await new Promise((resolve) => setTimeout(resolve, 50)))
    if (Date.now() > end) throw new Error('it did not come');
}

test('a list that changes adds logs and keys, and takes nothing away', async () => {
  const data = temporaryFolder();
  const path = join(data, 'lists', 'logs.txt');
  const log = new TestLog();
  const served = await serveWitness(
    configSchema.parse({ data, name: NAME, listen: '127.0.0.1:0', logs: path }),
    pino({ level: 'silent' }),
  );
  const post = (body: Uint8Array) =>
    fetch(`${served.url}/add-checkpoint`, { method: 'POST', body: body as Uint8Array<ArrayBuffer> });
  const { store } = served.witness;
  try {
    assert.is((await post(log.add(0, 5))).status, 404, 'there is no list yet');
    mkdirSync(join(data, 'lists'));
    writeFileSync(path, `log ${formatVerifierKey(log.signer.key)}\n`);
    await until(() => store.origins().length === 1);
    assert.is((await post(log.add(0, 5))).status, 200);

    // Broken for a while: nothing changes.
    writeFileSync(path, `log ${vkeyOf('b.test')}\nbroken\n`);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.equal(store.origins(), [log.origin]);

    const other = signerOf(log.origin, KEY_TYPE.ed25519, 0x55);
    writeFileSync(
      `${path}.new`,
      `logs/v0\nvkey ${vkeyOf('b.test')}\norigin none\nvkey ${formatVerifierKey(other.key)}\norigin none\n`,
    );
    renameSync(`${path}.new`, path);
    await until(() => store.keysOf(log.origin)?.length === 2);
    assert.equal(store.origins(), ['b.test', log.origin]);
    assert.is((await post(log.add(5, 6))).status, 200, 'the first key still counts');
    assert.is((await post(log.add(6, 7, { signers: [other] }))).status, 200, 'the second does too');
    assert.is((await post(log.add(7, 8, { signers: [other, log.signer] }))).status, 200, 'both');

    writeFileSync(path, '');
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    assert.is((await post(log.add(8, 9))).status, 200, 'what left the list stays known');
  } finally {
    await served.close();
  }
});

test.run();
