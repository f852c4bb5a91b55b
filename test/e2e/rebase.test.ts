import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, Workplace } from './command.js';

// Processes that record something on the same subject at the same moment.

const place = new Workplace();
const log = await place.up();
test.after(async () => {
  await log.stop();
});
Object.assign(place.env, { TREERING_LOG_URL: log.ready.url, TREERING_LOG_KEY: log.ready.vkey });

const incident = (file: string, subject: string, more = ''): string => {
  const facts = `reason: Something went wrong, says ${file}.\nseverity: low\naware_at: 1767225600000\naffected: []\n`;
  place.write(file, `type: incident\nsubject: ${subject}\n${facts}${more}`);
  return file;
};

/** Fails unless each entry of a subject names the one before it, and there are so many. */
async function assertChain(subject: string, length: number): Promise<void> {
  const { records } = await place.result(['history', subject]);
  const chain = [...records].sort((a, b) => a.index - b.index);
  assert.is(chain.length, length);
  for (const [i, { index, record }] of chain.entries()) {
    const prev = record.prev === undefined ? undefined : Buffer.from(record.prev.$bytes, 'base64url').toString('hex');
    assert.is(prev, chain[i - 1]?.leaf, `entry ${index}`);
  }
}

const record = (file: string, ...flags: string[]): Promise<Outcome> =>
  place.run(['record', 'incident', '--file', file, '--json', ...flags]);

test('of three processes each gets its record on top of the others', async () => {
  const subject = 'incident/race';
  assert.is((await record(incident('first.yaml', subject))).code, 0);
  const outcomes = await Promise.all([1, 2, 3].map((n) => record(incident(`${n}.yaml`, subject))));
  assert.equal(
    outcomes.map(({ code, stdout, stderr }) => (code === 0 ? 'logged' : stdout + stderr)),
    ['logged', 'logged', 'logged'],
  );
  await assertChain(subject, 4);
});

test('with --no-rebase who comes late ends with 4, and has logged nothing', async () => {
  const subject = 'incident/late';
  // A first record of a subject names none before it, so no number of them would conflict.
  assert.is((await record(incident('early.yaml', subject))).code, 0);
  let logged = 1;
  let late: Outcome[] = [];
  for (let round = 0; round < 10 && late.length === 0; round++) {
    const outcomes = await Promise.all([1, 2, 3].map((n) => record(incident(`l${n}.yaml`, subject), '--no-rebase')));
    logged += outcomes.filter(({ code }) => code === 0).length;
    late = outcomes.filter(({ code }) => code !== 0);
  }
  assert.ok(late.length > 0, 'nobody came late in ten rounds');
  for (const { code, stdout } of late) {
    assert.is(code, 4, stdout);
    assert.is(JSON.parse(stdout).error.code, 'governance/prev-conflict');
  }
  await assertChain(subject, logged);
});

test('a batch goes on from what is in the log and from itself, also beside another', async () => {
  const subject = 'incident/batch';
  assert.is((await record(incident('begun.yaml', subject))).code, 0);
  const batches = ['a', 'b'].map((name) => [1, 2].map((n) => incident(`${name}${n}.yaml`, subject)));
  const other = incident('other.yaml', 'incident/elsewhere');
  const outcomes = await Promise.all(batches.map((files) => place.run(['record', 'batch', ...files, other, '--json'])));
  for (const { code, stdout, stderr } of outcomes) assert.is(code, 0, stdout + stderr);
  await assertChain(subject, 5);
});

test('what a file of a batch names as the newest is meant', async () => {
  const named = incident('named.yaml', 'incident/batch', `prev: ${'ab'.repeat(32)}\n`);
  const { code, stdout } = await place.run(['record', 'batch', named, '--json']);
  assert.is(code, 4);
  assert.is(JSON.parse(stdout).results[0].error.code, 'governance/prev-conflict');
});

test.run();
