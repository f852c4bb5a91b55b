import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';

const desk = await deskWithLog();
test.after(() => desk.served.close());

let count = 0;
async function record(): Promise<void> {
  desk.write(
    'x.yaml',
    `subject: incident/${++count}\nreason: Something happened once more.\nseverity: low\naware_at: 1\naffected: []\n`,
  );
  await desk.result(['record', 'incident', '--file', 'x.yaml']);
}
const audit = (...more: string[]) => desk.call(['audit', '--json', ...more]);
/** What an audit says of the rules and the tree, apart from what it took. */
const verdict = (outcome: Awaited<ReturnType<typeof audit>>) => [outcome.code, outcome.json()];

test('an audit that goes on where it ended says the same as one from the beginning', async () => {
  for (let i = 0; i < 3; i++) {
    await record();
    assert.equal(verdict(await audit('--resume', 'progress')), verdict(await audit()), `after ${count}`);
  }
  assert.equal(verdict(await audit('--resume', 'progress')), verdict(await audit()), 'with nothing new');
});

test('what was replayed is not read again', async () => {
  await audit('--resume', 'progress');
  await record();
  const paths: string[] = [];
  const { fetch } = globalThis;
  globalThis.fetch = ((input: string, init?: RequestInit) => {
    paths.push(new URL(input).pathname);
    return fetch(input, init);
  }) as typeof fetch;
  try {
    assert.is((await audit('--resume', 'progress')).code, 0);
  } finally {
    globalThis.fetch = fetch;
  }
  assert.is(paths.filter((path) => path.startsWith('/tile/entries/')).length, 1);
});

test('a file that is none, or of another log, is a mistake of the call; one of another version is replaced', async () => {
  desk.write('junk', 'no progress');
  assert.is((await audit('--resume', 'junk')).code, 2);
  const other = await deskWithLog();
  const path = other.path('elsewhere');
  assert.is((await other.call(['audit', '--resume', path])).code, 0);
  await other.served.close();
  // Both logs have one name here, and not one history.
  const outcome = await audit('--resume', path);
  assert.is(outcome.code, 1, outcome.stderr);
  assert.match(outcome.stderr, 'others than before');
  const bytes = readFileSync(desk.path('progress'));
  const at = bytes.indexOf(Buffer.from('666f726d04', 'hex'));
  if (at >= 0) {
    bytes[at + 4] = 0;
    writeFileSync(desk.path('old'), bytes);
    assert.is((await audit('--resume', 'old')).code, 0);
  }
});

test.run();
