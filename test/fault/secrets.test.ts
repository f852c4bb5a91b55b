import { randomBytes } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createAttachment } from '@treering/record';
import { signDelivery } from '@treering/recorder';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workplace } from '../e2e/command.js';
import { reportOutcome } from './results.js';
import { faultSize } from './size.js';

// A log, a witness, a monitor and a recorder as processes at their most talkative, and people who use them and make mistakes: whatever
// they write, answer or show of themselves is searched for every secret that they have.

const word = (): string => randomBytes(12).toString('base64url');
const SECRETS = {
  passphrase: `passphrase ${word()}`,
  wrongPassphrase: `wrong ${word()}`,
  webhook: `webhook ${word()}`,
  pin: `pin-${word()}`,
  endpointToken: `token-${word()}`,
  hook: `T0/B0/${word()}`,
};
const place = new Workplace();
const outputs: string[] = [];
const env = {
  TREERING_PASSPHRASE: SECRETS.passphrase,
  TREERING_MLFLOW_SECRET: SECRETS.webhook,
  TREERING_PKCS11_PIN: SECRETS.pin,
  TREERING_ENDPOINT_TOKEN: SECRETS.endpointToken,
  NODE_DEBUG: '',
};
const LOUD = ['--log-level', 'trace'];

/** Runs the command, whatever comes of it, and keeps what it says. */
async function say(args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<number | null> {
  const { code, stdout, stderr } = await place.run(args, { ...env, ...more });
  outputs.push(stdout, stderr);
  return code;
}

async function answered(url: string, init?: RequestInit): Promise<void> {
  const answer = await fetch(url, init);
  outputs.push(JSON.stringify([...answer.headers]), await answer.text());
}

/** All files below a folder. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** How a secret may be spelled where somebody prints bytes. */
function spellingsOf(secret: Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  const numbers = [...bytes];
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(4, -4),
  );
  return [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    numbers.join(','),
    numbers.join(', '),
    bytes.toString('latin1'),
  ];
}

/** Records a version of a model with a key, or with what is no key. */
function sayModel(version: string, key: string, more: Record<string, string> = {}) {
  const what = ['--name', 'm', '--version', version, '--reason', `Version ${version}.`];
  return say(['record', 'model', 'model', ...what, '--key', key, '--json'], more);
}

// In a quick run, apps/log/test/operations.test.ts looks at records, answers and metrics of a log.
const atLength = faultSize() === 'quick' ? test.skip : test;

atLength(
  'nothing secret is in what processes write, answer or show of themselves, nor in any file but those that keep it',
  async () => {
    await say(['keygen', 'ada', '--passphrase']);
    await say(['keygen', 'registrar', '--role', 'registrar', '--kind', 'workload']);
    const log = await place.up(LOUD, { ...env, TREERING_REGISTRAR_KEY: place.path('registrar.key') });
    const { url, vkey } = log.ready;
    place.write('logs.txt', `log ${vkey}\n`);
    const witness = await place.witness(
      ['--data', place.path('w'), '--name', 'w.test/1', '--logs', place.path('logs.txt'), ...LOUD],
      env,
    );
    place.write('artifacts/m-1/weights.bin', 'weights');
    place.write('model/weights', 'weights');
    const recorder = await place.recorder(
      [
        '--map',
        `models:/=${place.path('artifacts')}`,
        '--data',
        place.path('r'),
        '--key',
        place.path('data/keys/admin.key'),
        '--log-key',
        vkey,
        '--url',
        url,
        ...LOUD,
      ],
      env,
    );
    place.write(
      'monitor.yaml',
      JSON.stringify({
        name: 'm.test/1',
        logs: [{ keys: [vkey], url: 'http://127.0.0.1:9', stale_after: 1 }],
        webhooks: [`http://127.0.0.1:9/services/${SECRETS.hook}`],
      }),
    );
    // What people do, and what they do wrong.
    await say(['record', 'identity', '--file', 'ada.identity.yaml']);
    await sayModel('1', place.path('ada.key'));
    await sayModel('3', place.path('ada.key'), { TREERING_PASSPHRASE: SECRETS.wrongPassphrase });
    await sayModel('3', 'env:MINE', { MINE: readFileSync(place.path('registrar.key'), 'utf8').slice(0, -3) });
    await sayModel('4', 'pkcs11:object=ada?module-path=/nowhere/module.so');
    await say(['verify-nothing', '--passphrase', 'x']);
    chmodSync(place.path('registrar.key'), 0o644);
    await say(['record', 'identity', '--file', 'registrar.identity.yaml', '--key', place.path('registrar.key')]);
    chmodSync(place.path('registrar.key'), 0o600);
    await say(['monitor', 'once', '--config', 'monitor.yaml', '--data', place.path('m'), ...LOUD]);
    await sayModel('2', place.path('ada.key'));
    await say(['audit', '--json']);
    await say(['fsck', '--json']);
    const body = new TextEncoder().encode(
      JSON.stringify({ entity: 'model_version', action: 'created', data: { name: 'W', version: '1', source: 'models:/m-1' } }),
    );
    const time = String(Math.floor(Date.now() / 1000));
    for (const secret of [SECRETS.webhook, 'another secret'])
      await answered(`${recorder.ready.url}/mlflow`, {
        method: 'POST',
        body,
        headers: {
          'Content-Type': 'application/json',
          'X-MLflow-Delivery-Id': word(),
          'X-MLflow-Timestamp': time,
          'X-MLflow-Signature': signDelivery(secret, 'x', time, body),
        },
      });
    const { ref, blob } = createAttachment(
      body,
      { name: 'a', media_type: 'text/plain', access: 'restricted' },
      new Uint8Array(16),
    );
    await answered(`${url}/v1/attachments/${Buffer.from(ref.digest).toString('hex')}`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/octet-stream', Authorization: `Treering ${SECRETS.endpointToken}` },
      body: blob as Uint8Array<ArrayBuffer>,
    });
    for (const path of [
      '/v1/log',
      '/metrics',
      '/readyz',
      '/healthz',
      '/v1/openapi.json',
      '/v1/enrolment',
      '/v1/entries/0?view=json',
      '/v1/subjects',
      '/nothing',
    ])
      await answered(`${url}${path}`);
    for (const path of ['/v1/witness', '/metrics', '/readyz']) await answered(`${witness.ready.url}${path}`);
    for (const path of ['/healthz', '/nothing']) await answered(`${recorder.ready.url}${path}`);
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
      outputs.push(readOr(`/proc/${pid}/cmdline`), readOr(`/proc/${pid}/comm`));

    for (const running of [recorder, witness, log]) {
      const { stdout, stderr, code } = await running.stop();
      assert.is(code, 0, stderr.slice(-500));
      outputs.push(stdout, stderr);
    }
    const said = outputs.join('\n');
    assert.match(said, /"level":10|"level":20/, 'the processes were at their most talkative');

    const all = filesBelow(place.folder);
    const keyFiles = all.filter((path) => /\.key$|\.secret$/.test(path));
    assert.ok(keyFiles.length >= 9, `keys of log, witness, recorder and people: ${keyFiles.length}`);
    for (const path of keyFiles) assert.is(statSync(path).mode & 0o777, 0o600, path);
    const sought: [string, string[]][] = Object.entries(SECRETS).map(([name, text]) => [
      name,
      [text, ...spellingsOf(Buffer.from(text))],
    ]);
    for (const path of keyFiles) {
      const text = readFileSync(path, 'utf8').trim();
      // Of an encrypted key what is sealed; of a plain one its seed; of the pseudonyms' secret its bytes.
      const [, base64] = /^PRIVATE\+KEY\+[^+]+\+[0-9a-f]{8}\+(.+)$/.exec(text) ?? [];
      if (base64 !== undefined) sought.push([path, [base64, ...spellingsOf(Buffer.from(base64, 'base64').subarray(1))]]);
      else if (/^[0-9a-f]{64}$/.test(text)) sought.push([path, spellingsOf(Buffer.from(text, 'hex'))]);
    }
    assert.ok(sought.length >= 8 + Object.keys(SECRETS).length);
    const others = all.filter(
      (path) => !keyFiles.includes(path) && !path.endsWith('monitor.yaml') && !path.endsWith('monitor.db'),
    );
    const contents = [['what was said', said], ...others.map((path) => [path, readFileSync(path, 'latin1')])];
    const found = sought.flatMap(([name, spellings]) =>
      contents.flatMap(([where, content]) =>
        spellings.filter((spelling) => content.includes(spelling)).map(() => `${name} in ${where}`),
      ),
    );
    assert.equal(found, []);
    // The same search finds each secret where it is kept.
    const kept = keyFiles.map((path) => readFileSync(path, 'latin1')).join('\n');
    for (const [name, spellings] of sought.slice(Object.keys(SECRETS).length))
      assert.ok(
        spellings.some((spelling) => kept.includes(spelling)),
        name,
      );
    reportOutcome({
      name: 'secrets',
      group: 'input',
      scenario:
        'everything that a log, a witness, a recorder and the command write, answer and leave on the disk, searched for what is secret',
      runs: sought.length,
      unit: 'secrets',
      also: `${outputs.length} outputs and ${others.length} files searched; 0 found`,
    });
  },
);

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
}

test.run();
