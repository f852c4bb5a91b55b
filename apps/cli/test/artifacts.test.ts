import { createHash } from 'node:crypto';
import { copyFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';

// Files and the in-toto statement in the log that names them: which files hold, offline, and which do not.

const desk = await deskWithLog();
test.after(() => desk.served.close());

const { vkey: signer } = await desk.result(['keygen', 'release', '--role', 'administrator']);
const { vkey: stranger } = await desk.result(['keygen', 'stranger']);
await desk.result(['record', 'identity', '--file', 'release.identity.yaml']);
const [one, two] = [desk.write('one.tgz', 'first'), desk.write('two.tgz', 'second')];
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const statement = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [
    { name: 'one.tgz', digest: { sha256: digestOf('first') } },
    { name: 'two.tgz', digest: { sha256: digestOf('second') } },
    { name: 'three.tgz', digest: { sha512: 'ab'.repeat(64) } },
  ],
  predicateType: 'https://slsa.dev/provenance/v1',
  predicate: {},
};
desk.write('release.json', JSON.stringify(statement));
const { proof } = await desk.result(['record', 'foreign', 'release.json', '--subject', 'release/1', '--key', 'release.key']);

const OFFLINE = { env: { TREERING_LOG_URL: 'http://127.0.0.1:9' } };

/** The claims about files, and the exit code. */
async function verdicts(files: readonly string[], ...flags: string[]): Promise<{ code: number; texts: string[] }> {
  const outcome = await desk.call(['verify', proof, '--artifact', ...files, ...flags, '--json'], OFFLINE);
  const { claims } = outcome.json() as { claims: readonly { name: string; verdict: string; text: string }[] };
  return {
    code: outcome.code,
    texts: claims.filter(({ name }) => name === 'artifact').map(({ verdict, text }) => `${verdict}: ${text}`),
  };
}

test('files that the statement names hold, each of them', async () => {
  assert.equal(await verdicts([one, two], '--signer', signer), {
    code: 0,
    texts: [
      'proved: one.tgz is a file that the entry names, with this digest.',
      'proved: two.tgz is a file that the entry names, with this digest.',
    ],
  });
});

test('a file that was changed, is not named, or stands under the name of another does not hold', async () => {
  const changed = desk.write('changed/one.tgz', 'First');
  const { code, texts } = await verdicts([changed, two], '--signer', signer);
  assert.is(code, 1);
  assert.match(texts[0], `failed: one.tgz is another file than the entry names: its SHA-256 should be ${digestOf('first')}`);
  assert.match(texts[1], 'proved');
  const unknown = desk.write('four.tgz', 'fourth');
  assert.equal(await verdicts([unknown], '--signer', signer), {
    code: 1,
    texts: ['failed: The entry does not name four.tgz.'],
  });
  const swapped = desk.write('swapped/one.tgz', 'second');
  assert.match((await verdicts([swapped], '--signer', signer)).texts[0], 'failed: one.tgz is what the entry calls two.tgz.');
  const weak = desk.path('three.tgz');
  copyFileSync(one, weak);
  assert.is((await verdicts([weak], '--signer', signer)).code, 1);
});

test('who signed has to be known: anybody with a key in the log could name files', async () => {
  assert.is((await verdicts([one])).code, 1);
  assert.is((await verdicts([one], '--signer', stranger)).code, 1);
  assert.is((await desk.call(['verify', proof], OFFLINE)).code, 0);
});

test('an entry that is no in-toto statement says nothing of a file, and other evidence takes none', async () => {
  desk.write(
    'incident.yaml',
    'subject: incident/1\nreason: It is no in-toto statement.\nseverity: low\naware_at: 1\naffected: []\n',
  );
  const other = await desk.result(['record', 'incident', '--file', 'incident.yaml', '--key', 'release.key']);
  const { code, stdout } = await desk.call(['verify', other.proof, '--artifact', one, '--signer', signer, '--json'], OFFLINE);
  assert.is(code, 1);
  assert.match(stdout, 'the entry is no in-toto statement');
  await desk.result(['evidence', 'export', '--everything', '--out', 'all.trpack']);
  const refused = await desk.call(['verify', 'all.trpack', '--artifact', one], OFFLINE);
  assert.is(refused.code, 2);
  assert.match(refused.stderr, '--artifact is about .tlog-proof files');
});

test.run();
