import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
  type AttestationEvidence,
  attestationNonce,
  decodeEvidence,
  encodeEvent,
  encodeEvidence,
  parseQuote,
} from '@treering/attestation';
import { main } from '@treering/cli';
import { parseCheckpoint, parseNote } from '@treering/note';
import { stateDigest } from '@treering/record';
import { encodeCoseKey } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Outcome, oneLine, Workplace } from './command.js';
import { missingTpmPackage, SoftwareTpm } from './software-tpm.js';

// A host with a TPM: what was deployed is measured, quoted and logged, and everything that can be altered about it is found.
// The TPM is swtpm, the commands are those of tpm2-tools, and the log is a process of its own.

const missing = missingTpmPackage();
if (missing !== undefined) console.log(`${missing} is not installed: attestation by a TPM is not tested`);
const check = missing === undefined ? test : test.skip;

const HANDLE = '0x81010010';
const place = new Workplace();
let tpm: SoftwareTpm;
let log: Awaited<ReturnType<Workplace['up']>>;

const WHAT = ['--env', 'prod', '--service', 'triage', '--ak', 'host-1-tpm', '--key', 'host-1.key'];
const FILES = ['--model', 'triage', '--config', 'service/guardrails.yaml', 'service/prompt.txt'];
const events = (pcr = 13): string => place.path('state', 'attestation', `register-${pcr}.events`);

// biome-ignore lint/suspicious/noExplicitAny: results have many shapes
const attest = (evidence: string, ...more: string[]): Promise<any> =>
  result(['attest', ...WHAT, ...FILES, '--evidence', evidence, ...more]);
/** Runs the command within this process, which is many times faster than a process for each of so many calls. */
async function here(args: readonly string[]): Promise<Outcome> {
  const out = { stdout: '', stderr: '' };
  const into = (name: keyof typeof out) => ({
    write(text: string): void {
      out[name] += text;
    },
  });
  const around = { stdout: into('stdout'), stderr: into('stderr'), env: place.env, cwd: place.folder };
  const code = await main(args, around);
  return { code, ...out };
}

/** As `here`, with --json and success expected. */
// biome-ignore lint/suspicious/noExplicitAny: results have many shapes
async function result(args: readonly string[]): Promise<any> {
  const { code, stdout, stderr } = await here([...args, '--json']);
  if (code !== 0) throw new Error(`treering ${args.join(' ')} ended with ${code}: ${stdout}${stderr}`);
  return oneLine(stdout);
}

const says = ({ code, stderr }: Outcome): string => `${code} ${stderr}`;
const read = (path: string): AttestationEvidence => decodeEvidence(new Uint8Array(readFileSync(place.path(path))));
/** What evidence says that it is for, as someone would name it who knows. */
function forWhat(path: string): string[] {
  const { deployment, state } = read(path);
  return ['--deployment', Buffer.from(deployment).toString('hex'), '--state', Buffer.from(state).toString('hex')];
}
/** With a key of one's own, and the deployment and state that the evidence is for. */
const verifyQuote = (path: string, key: string, ...args: string[]): Promise<Outcome> =>
  here(['verify-quote', path, '--key', key, ...forWhat(path), ...args]);

test.before(async () => {
  if (missing !== undefined) return;
  tpm = await SoftwareTpm.begin(place.path('tpm'));
  log = await place.up();
  Object.assign(place.env, { TREERING_TPM: tpm.tcti, TREERING_LOG_URL: log.ready.url, TREERING_LOG_KEY: log.ready.vkey });
});

test.after(async () => {
  if (missing !== undefined) return;
  await log?.stop();
  await tpm?.stop();
});

/** Puts a version of model and configuration into service. */
async function deploy(version: string, image = ''): Promise<void> {
  place.write('triage/weights.bin', `weights of ${version}`);
  place.write('service/guardrails.yaml', `parameters:\n  confidence: 0.${version.length}${version.replace('.', '')}\n`);
  place.write('service/prompt.txt', `You sort patients, version ${version}.\n`);
  const about = ['--version', version, '--reason', `Version ${version} of the triage service.`];
  const model = await result(['record', 'model', 'triage', '--name', 'triage', ...about]);
  const config = ['record', 'config', 'service/guardrails.yaml', 'service/prompt.txt', '--name', 'triage', ...about];
  const { leaf } = await result(config);
  const facts = `phase: active\nenvironment: prod\nservice: triage\nmodel: ${model.leaf}\nconfig: ${leaf}\napprovals: []\n${image}`;
  place.write('deployment.yaml', `subject: deploy/prod/triage\nreason: Version ${version} goes into service.\n${facts}`);
  await result(['record', 'deployment', '--file', 'deployment.yaml']);
}

test('what cannot be meant is refused before a TPM or a log is asked', async () => {
  const cases: [string[], RegExp][] = [
    [['attest'], /--env, --service and --ak/],
    [['attest', ...WHAT, ...FILES, '--pcr', '24'], /from 0 to 23/],
    [['attest', 'key', 'a/b'], /one segment/],
    [['attest', 'key', 'host-1-tpm', '--handle', '0x81800000'], /0x81000000 to 0x817fffff/],
    [['verify-quote', 'first.trquote'], /--key <file>.*--enrolled/],
    [['verify-quote', 'first.trquote', '--key', 'a', '--enrolled', 'b'], /--key <file>.*--enrolled/],
  ];
  for (const [args, why] of cases) {
    const outcome = await here(args);
    assert.is(outcome.code, 2, says(outcome));
    assert.match(outcome.stderr, why);
  }
});

check('a host gets a signing key, and an attestation key that never leaves its TPM', async () => {
  await result(['keygen', 'host-1', '--role', 'machine', '--kind', 'workload']);
  await result(['record', 'identity', '--file', 'host-1.identity.yaml']);
  const made = await result(['attest', 'key', 'host-1-tpm', '--out', 'host']);
  assert.is(made.handle, HANDLE);
  assert.match(readFileSync(place.path('host', 'host-1-tpm.identity.yaml'), 'utf8'), '- attestation');
  const again = await here(['attest', 'key', 'host-2-tpm']);
  assert.is(again.code, 2);
  assert.match(again.stderr, /has something at 0x81010010/);
  await deploy('1.0');
});

check('a key that nobody enrolled attests nothing, and nothing is measured', async () => {
  const { code, stderr } = await here(['attest', ...WHAT, ...FILES]);
  assert.is(code, 2);
  assert.match(stderr, /does not enrol this attestation key as host-1-tpm/);
  assert.not(existsSync(events()));
  await result(['record', 'identity', '--file', 'host/host-1-tpm.identity.yaml']);
});

check('what is deployed is measured, quoted and logged', async () => {
  const logged = await place.result(['attest', ...WHAT, ...FILES, '--evidence', 'first.trquote']);
  const { record } = await result(['show', String(logged.index)]);
  assert.equal([record.type, record.verdict, record.format], ['attestation', 'match', 'tpm2-quote']);
  assert.is(record.refs[0].rel, 'attestation-key');
  assert.equal(
    read('first.trquote').events.map(({ kind, name, pcr }) => [kind, name, pcr]),
    [
      ['model', 'triage 1.0', 13],
      ['config', 'triage 1.0', 13],
    ],
  );
  tpm.run('tpm2_readpublic', '-c', HANDLE, '-f', 'pem', '-o', place.path('ak.pem'));
  writeFileSync(place.path('ak.cose'), encodeCoseKey(read('first.trquote').key));
});

check('whoever has the keys verifies it without a network', async () => {
  const offline = {
    TREERING_LOG_URL: 'http://127.0.0.1:9',
    TREERING_DATA: place.path('nothing'),
    TREERING_LOG_KEY: log.ready.vkey,
  };
  for (const key of ['ak.pem', 'ak.cose']) {
    const args = ['verify-quote', 'first.trquote', '--key', key, ...forWhat('first.trquote')];
    const { code, stdout } = await place.run(args, offline);
    assert.is(code, 0, stdout);
    assert.match(stdout, 'The quote holds.');
    assert.match(stdout, 'model "triage 1.0"');
  }
  const unreachable = await place.run(['verify-quote', 'first.trquote', '--enrolled', 'host-1-tpm'], offline);
  assert.is(unreachable.code, 3);
  const enrolled = await result(['verify-quote', 'first.trquote', '--enrolled', 'host-1-tpm']);
  assert.equal([enrolled.verified, enrolled.in_service], [true, enrolled.deployed_by]);
});

check('without a deployment that counts nothing holds, unless that is what is asked for', async () => {
  const key = ['verify-quote', 'first.trquote', '--key', 'ak.pem'];
  const { code, stdout } = await here(key);
  assert.is(code, 1);
  assert.match(stdout, 'The quote does not hold.');
  assert.match(stdout, /which deployment and state .* was not said: the host may have made them up/i);
  const any = await here([...key, '--any-deployment']);
  assert.is(any.code, 0);
  assert.match(any.stdout, 'Which deployment and state it is for is only what the host says.');
  const named = await here([...key, '--env', 'prod', '--service', 'triage']);
  assert.is(named.code, 0, says(named));
  assert.match(named.stdout, /Entry \d+ is in service on deploy\/prod\/triage, by the log/);
  const [, leaf, , state] = forWhat('first.trquote');
  const refused: [string[], RegExp][] = [
    [['--deployment', leaf], /belong together/],
    [['--state', state], /belong together/],
    [['--env', 'prod'], /belong together/],
    [['--any-deployment', ...forWhat('first.trquote')], /in one way/],
    [['--any-deployment', '--env', 'prod', '--service', 'triage'], /in one way/],
  ];
  for (const [args, why] of refused) {
    const outcome = await here([...key, ...args]);
    assert.is(outcome.code, 2, says(outcome));
    assert.match(outcome.stderr, why);
  }
  for (const args of [
    ['--deployment', 'ee'.repeat(32), '--state', state],
    ['--deployment', leaf, '--state', 'ee'.repeat(32)],
  ])
    assert.is((await here([...key, ...args])).code, 1);
});

check('the next version is measured behind it, and the interval names all that was loaded', async () => {
  await deploy('1.1');
  await attest('second.trquote');
  const args = [
    'verify-quote',
    'second.trquote',
    '--key',
    'ak.pem',
    ...forWhat('second.trquote'),
    '--previous',
    'first.trquote',
  ];
  const { verified, claims } = await result(args);
  assert.is(verified, true);
  const interval = claims.find(({ name }: { name: string }) => name === 'interval');
  assert.match(interval.text, /these 2 events are all that the loader loaded/);
  assert.match(interval.details[0], 'model "triage 1.1"');
});

check('evidence of a deployment that was replaced is said to be that', async () => {
  const enrolled = ['--enrolled', 'host-1-tpm'];
  const { code, stdout } = await here(['verify-quote', 'first.trquote', ...enrolled]);
  assert.is(code, 0);
  assert.match(stdout, /It is for entry \d+, which is not in service \(entry \d+ is\) on deploy\/prod\/triage/);
  const service = ['--env', 'prod', '--service', 'triage'];
  assert.is((await here(['verify-quote', 'first.trquote', ...enrolled, ...service])).code, 1);
  assert.is((await here(['verify-quote', 'second.trquote', ...enrolled, ...service])).code, 0);
});

check('a pack proves both attestations, and that the loader loaded nothing else', async () => {
  const asked = ['--subject', 'deploy/prod/triage', '--attachments', 'restricted'];
  await result(['evidence', 'export', ...asked, '-o', 'triage.trpack']);
  const { verified, claims } = await result(['verify', 'triage.trpack', '--key', log.ready.vkey, '--ask', 'attestation']);
  assert.is(verified, true);
  const attested = claims.filter(({ name }: { name: string }) => name === 'attestation');
  assert.is(attested.length, 2);
  assert.match(attested[1].text, /its loader loaded exactly 2 things/);
  await result(['evidence', 'export', '--subject', 'deploy/prod/triage', '--attachments', 'none', '-o', 'bare.trpack']);
  assert.is((await here(['verify', 'bare.trpack', '--key', log.ready.vkey])).code, 0);
  assert.is((await here(['verify', 'bare.trpack', '--key', log.ready.vkey, '--ask', 'attestation'])).code, 1);
});

// What is altered, with quotes of the real TPM.

/** Has the TPM quote something, and puts it into the newest evidence. */
function requoted(selection: string, nonce: Uint8Array, key = HANDLE): AttestationEvidence {
  const [message, signature] = [place.path('q.msg'), place.path('q.sig')];
  const asked = ['-c', key, '-l', selection, '-q', Buffer.from(nonce).toString('hex'), '-g', 'sha256'];
  tpm.run('tpm2_quote', ...asked, '-m', message, '-s', signature);
  const [quote, signed] = [message, signature].map((path) => new Uint8Array(readFileSync(path)));
  return { ...read('second.trquote'), quote, signature: signed };
}

const nonceOf = ({ quote }: AttestationEvidence): Uint8Array => parseQuote(quote).extraData;

const tampered: [string, () => AttestationEvidence, string][] = [
  ['another nonce', () => requoted('sha256:13', new Uint8Array(32).fill(7)), 'nonce'],
  [
    'the nonce of another state',
    () => {
      const { checkpoint, deployment } = read('second.trquote');
      const { root } = parseCheckpoint(parseNote(checkpoint).text);
      return requoted('sha256:13', attestationNonce(root, deployment, new Uint8Array(32)));
    },
    'nonce',
  ],
  ['another register', () => requoted('sha256:12', nonceOf(read('second.trquote'))), 'selection'],
  ['a register more', () => requoted('sha256:12,13', nonceOf(read('second.trquote'))), 'selection'],
  ['the bank of SHA-1', () => requoted('sha1:13', nonceOf(read('second.trquote'))), 'selection'],
  [
    'an old quote for a new checkpoint',
    () => ({ ...read('first.trquote'), checkpoint: read('second.trquote').checkpoint }),
    'nonce',
  ],
  [
    'an old quote for the new deployment',
    () => {
      const { quote, signature, value, events: loaded } = read('first.trquote');
      return { ...read('second.trquote'), quote, signature, value, events: loaded };
    },
    'nonce',
  ],
  ['an event left out', () => ({ ...read('second.trquote'), events: read('second.trquote').events.slice(1) }), 'event-log'],
  [
    'an event with another digest',
    () => {
      const evidence = read('second.trquote');
      const [first, ...others] = evidence.events;
      return { ...evidence, events: [{ ...first, digest: new Uint8Array(32).fill(1) }, ...others] };
    },
    'event-log',
  ],
  ['another value of the register', () => ({ ...read('second.trquote'), value: new Uint8Array(32).fill(1) }), 'digest'],
  [
    'a changed clock',
    () => {
      const evidence = read('second.trquote');
      const quote = evidence.quote.slice();
      quote[83] ^= 1;
      return { ...evidence, quote };
    },
    'signature',
  ],
];

for (const [what, make, claim] of tampered)
  check(`refused: ${what}`, async () => {
    const path = `altered-${what.replaceAll(' ', '-')}.trquote`;
    writeFileSync(place.path(path), encodeEvidence(make()));
    const { code, stdout } = await verifyQuote(path, 'ak.pem', '--json');
    assert.is(code, 1);
    const { claims } = JSON.parse(stdout) as { claims: { name: string; verdict: string }[] };
    assert.is(claims.find(({ name }) => name === claim)?.verdict, 'failed', stdout);
  });

check('refused: a deployment or a state that the host made up', async () => {
  const { checkpoint, deployment, state } = read('second.trquote');
  const { root } = parseCheckpoint(parseNote(checkpoint).text);
  const nowhere = new Uint8Array(32).fill(0xee);
  const unlogged = { ...requoted('sha256:13', attestationNonce(root, nowhere, state)), deployment: nowhere };
  writeFileSync(place.path('unlogged.trquote'), encodeEvidence(unlogged));
  for (const counts of [
    ['--enrolled', 'host-1-tpm'],
    ['--key', 'ak.pem'],
  ]) {
    const { code, stdout } = await here(['verify-quote', 'unlogged.trquote', ...counts, '--json']);
    assert.is(code, 1);
    const { claims } = JSON.parse(stdout) as { claims: { name: string; verdict: string }[] };
    assert.equal(
      claims.filter(({ verdict }) => verdict !== 'proved').map(({ name, verdict }) => `${name} ${verdict}`),
      ['deployment not proved', 'interval not proved'],
    );
  }
  const model = { pcr: 13, digest: nowhere, kind: 'model', name: 'triage 1.1' } as const;
  const invented = stateDigest(nowhere, nowhere);
  const quote = requoted('sha256:13', attestationNonce(root, deployment, invented));
  const forged = { ...quote, state: invented, events: [model, { ...model, kind: 'config' as const }] };
  writeFileSync(place.path('invented.trquote'), encodeEvidence(forged));
  const { code, stdout } = await here(['verify-quote', 'invented.trquote', '--enrolled', 'host-1-tpm']);
  assert.is(code, 1);
  assert.match(stdout, 'The quote is for another deployment or state.');
});

check('refused: an entry that puts nothing into service', async () => {
  const { checkpoint, state } = read('second.trquote');
  const { root } = parseCheckpoint(parseNote(checkpoint).text);
  const { leaf } = await result(['show', '0']);
  const deployment = new Uint8Array(Buffer.from(leaf, 'hex'));
  const about = { ...requoted('sha256:13', attestationNonce(root, deployment, state)), deployment };
  writeFileSync(place.path('other-entry.trquote'), encodeEvidence(about));
  const { code, stderr } = await here(['verify-quote', 'other-entry.trquote', '--enrolled', 'host-1-tpm']);
  assert.is(code, 2);
  assert.match(stderr, /entry 0, which the evidence names, puts nothing into service/);
});

check('refused: the same quote once more', async () => {
  const { code, stdout } = await verifyQuote('second.trquote', 'ak.pem', '--previous', 'second.trquote');
  assert.is(code, 1);
  assert.match(stdout, /replayed/);
});

check('refused: an older quote as if it were the newer one', async () => {
  const { code, stdout } = await verifyQuote('first.trquote', 'ak.pem', '--previous', 'second.trquote');
  assert.is(code, 1);
  assert.match(stdout, /clock of the TPM went back/);
});

check('refused: another key of the same TPM', async () => {
  const ctx = place.path('other.ctx');
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda';
  tpm.run('tpm2_createprimary', '-C', 'e', '-G', 'ecc256:ecdsa-sha256:null', '-a', attributes, '-c', ctx);
  tpm.run('tpm2_evictcontrol', '-C', 'o', '-c', ctx, '0x81010020');
  writeFileSync(
    place.path('other.trquote'),
    encodeEvidence(requoted('sha256:13', nonceOf(read('second.trquote')), '0x81010020')),
  );
  const { code, stdout } = await verifyQuote('other.trquote', 'ak.pem');
  assert.is(code, 1);
  assert.match(stdout, /signature of the quote does not hold/);
  tpm.run('tpm2_readpublic', '-c', '0x81010020', '-f', 'pem', '-o', place.path('other.pem'));
  const wrong = await verifyQuote('second.trquote', 'other.pem');
  assert.is(wrong.code, 1);
  assert.match(wrong.stdout, /names another attestation key/);
  const unknown = await here(['attest', ...WHAT, ...FILES, '--handle', '0x81010020']);
  assert.is(unknown.code, 2);
});

check('refused: a key of RSA, by its name', async () => {
  const ctx = place.path('rsa.ctx');
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign|noda';
  tpm.run('tpm2_createprimary', '-C', 'e', '-G', 'rsa2048:rsassa-sha256:null', '-a', attributes, '-c', ctx);
  tpm.run('tpm2_evictcontrol', '-C', 'o', '-c', ctx, '0x81010021');
  writeFileSync(
    place.path('rsa.trquote'),
    encodeEvidence(requoted('sha256:13', nonceOf(read('second.trquote')), '0x81010021')),
  );
  const { code, stdout } = await verifyQuote('rsa.trquote', 'ak.pem');
  assert.is(code, 1);
  assert.match(stdout, /signed with RSASSA; only ECDSA on P-256 with SHA-256 is read/);
});

check('files that are not those of the deployment are not measured', async () => {
  const before = readFileSync(events(), 'utf8');
  const refusal = async (...args: string[]): Promise<string> => {
    const { code, stderr } = await here(['attest', ...WHAT, ...args]);
    assert.is(code, 1, stderr);
    return stderr;
  };
  place.write('other/weights.bin', 'other weights');
  assert.match(await refusal('--model', 'other', ...FILES.slice(2)), /is not the model that entry \d+ deploys/);
  assert.match(await refusal(...FILES.slice(0, 4)), /the deployed configuration also has the file prompt.txt/);
  place.write('service/prompt.txt', 'You sort nobody.\n');
  assert.match(await refusal(...FILES), /prompt.txt is not a file of the deployed configuration/);
  place.write('service/prompt.txt', 'You sort patients, version 1.1.\n');
  assert.is(readFileSync(events(), 'utf8'), before);
});

check('what stopped between the file and the register goes on where it was', async () => {
  const lost = encodeEvent({ pcr: 13, digest: new Uint8Array(32).fill(3), kind: 'file', name: 'adapter' });
  appendFileSync(events(), `${Buffer.from(lost).toString('base64')}\n`);
  appendFileSync(events(), Buffer.from(lost).toString('base64').slice(0, 20));
  await attest('third.trquote');
  const kinds = read('third.trquote').events.map(({ kind }) => kind);
  assert.equal(kinds, ['model', 'config', 'model', 'config', 'file', 'model', 'config']);
  assert.is((await verifyQuote('third.trquote', 'ak.pem', '--previous', 'second.trquote')).code, 0);
});

check('two at once do not mix up the register', async () => {
  const both = ['a', 'b'].map((name) =>
    place.run(['attest', ...WHAT, ...FILES, '--evidence', `at-once-${name}.trquote`, '--out', `${name}.tlog-proof`]),
  );
  const codes = (await Promise.all(both)).map(({ code }) => code).sort();
  assert.ok(codes[0] === 0, String(codes));
  for (const code of codes) assert.ok(code === 0 || code === 2, String(codes));
  assert.is((await here(['attest', ...WHAT, '--no-extend', '--evidence', 'after-both.trquote'])).code, 0);
});

check('without --no-extend nothing else is measured; with it what was measured is quoted', async () => {
  const before = read('after-both.trquote').events.length;
  await result(['attest', ...WHAT, '--no-extend', '--evidence', 'quoted.trquote']);
  assert.is(read('quoted.trquote').events.length, before);
  const { stdout } = await verifyQuote('quoted.trquote', 'ak.pem', '--previous', 'after-both.trquote');
  assert.match(stdout, /the loader loaded nothing/);
});

check('of two quotes for one checkpoint the second waits for the next', async () => {
  const asked = (): string[] => readdirSync(place.path('state', 'attestation')).filter((name) => name.endsWith('.asked'));
  const before = asked().length;
  for (const name of ['no-wait-1', 'no-wait-2'])
    await result(['attest', ...WHAT, '--no-extend', '--no-wait', '--evidence', `${name}.trquote`]);
  assert.not.equal(nonceOf(read('no-wait-1.trquote')), nonceOf(read('no-wait-2.trquote')));
  assert.is(asked().length, before + 2);
});

check('a pack proves them all, also what two commands at once have logged', async () => {
  const asked = ['--subject', 'deploy/prod/triage', '--attachments', 'restricted'];
  await result(['evidence', 'export', ...asked, '-o', 'all.trpack']);
  const { verified, claims } = await result(['verify', 'all.trpack', '--key', log.ready.vkey, '--ask', 'attestation']);
  assert.is(verified, true);
  for (const { name, verdict, text } of claims) if (name === 'attestation') assert.is(verdict, 'proved', text);
});

check('a deployment that was not loaded yet is a mismatch, and is logged as one', async () => {
  await deploy('1.2');
  const { code, stdout } = await here(['attest', ...WHAT, '--no-extend', '--evidence', 'early.trquote', '--json']);
  assert.is(code, 1);
  const { record } = await result(['show', String((JSON.parse(stdout) as { index: number }).index)]);
  assert.is(record.verdict, 'mismatch');
  await attest('fourth.trquote');
});

check('an image counts when the deployment names one', async () => {
  const digest = 'c5'.repeat(32);
  const without = await here(['attest', ...WHAT, ...FILES, '--image', digest]);
  assert.match(says(without), /^2 .*names no image/);
  await deploy('1.3', `image: ${digest}\n`);
  assert.match(says(await here(['attest', ...WHAT, ...FILES])), /^2 .*--image <sha256>/);
  assert.match(says(await here(['attest', ...WHAT, ...FILES, '--image', 'c4'.repeat(32)])), /^1 .*not the image/);
  assert.match(says(await here(['attest', ...WHAT, ...FILES, '--image', 'c4'])), /^2 .*64 hex digits/);
  const { index } = await attest('imaged.trquote', '--image', digest);
  const last = read('imaged.trquote').events.slice(-3);
  assert.equal(
    last.map(({ kind }) => kind),
    ['image', 'model', 'config'],
  );
  const again = await result(['attest', ...WHAT, '--no-extend', '--previous', String(index), '--evidence', 'after.trquote']);
  const interval = again.claims.find(({ name }: { name: string }) => name === 'interval');
  assert.equal([again.verdict, interval.verdict], ['match', 'proved']);
  const taken = await here(['attest', ...WHAT, '--no-extend', '--evidence', 'after.trquote']);
  assert.match(says(taken), /^2 .*exists/);
  assert.match(says(await here(['attest', ...WHAT, '--no-extend', '--previous', '0'])), /^2 .*no attestation/);
});

check('after a reset the register begins again, and the interval is broken', async () => {
  await tpm.stop();
  await tpm.start();
  await attest('rebooted.trquote', '--image', 'c5'.repeat(32));
  assert.is(read('rebooted.trquote').events.length, 3);
  assert.ok(readdirSync(place.path('state', 'attestation')).some((name) => /^register-13\.events\.\d+-\d+$/.test(name)));
  assert.is((await verifyQuote('rebooted.trquote', 'ak.pem')).code, 0);
  const { code, stdout } = await verifyQuote('rebooted.trquote', 'ak.pem', '--previous', 'after.trquote');
  assert.is(code, 1);
  assert.match(stdout, /The interval is broken: the TPM was reset/);
});

check('something else in the register is found', async () => {
  await deploy('1.4');
  tpm.run('tpm2_pcrextend', `13:sha256=${'ab'.repeat(32)}`);
  const { code, stderr } = await here(['attest', ...WHAT, ...FILES]);
  assert.is(code, 1);
  assert.match(stderr, /register 13 holds something that its event log does not explain/);
  const fresh = await here(['attest', ...WHAT, ...FILES, '--state', 'elsewhere']);
  assert.is(fresh.code, 1);
  assert.match(fresh.stderr, /register 13 holds something before anything was measured here/);
});

check('a register that software sets back proves what was loaded, and no interval', async () => {
  await attest('debug-1.trquote', '--pcr', '23');
  await attest('debug-2.trquote', '--pcr', '23');
  assert.is((await verifyQuote('debug-2.trquote', 'ak.pem', '--pcr', '23')).code, 0);
  const unasked = await verifyQuote('debug-2.trquote', 'ak.pem');
  assert.is(unasked.code, 1);
  assert.match(unasked.stdout, 'The quote is of register 23, and not of register 13.');
  const { code, stdout } = await verifyQuote('debug-2.trquote', 'ak.pem', '--pcr', '23', '--previous', 'debug-1.trquote');
  assert.is(code, 1);
  assert.match(stdout, /may be set back by software without a trace/);
});

check('a TPM that was cleared has lost its key, and another key is not the enrolled one', async () => {
  tpm.run('tpm2_clear');
  const lost = await here(['attest', ...WHAT, ...FILES, '--pcr', '12']);
  assert.is(lost.code, 1);
  assert.match(lost.stderr, /no attestation key at 0x81010010.*when a TPM is cleared, it loses its key/);
  await result(['attest', 'key', 'host-1-tpm', '--out', 'host-again']);
  const other = await here(['attest', ...WHAT, ...FILES, '--pcr', '12']);
  assert.is(other.code, 2);
  assert.match(other.stderr, /does not enrol this attestation key/);
});

check('a revoked key attests nothing', async () => {
  await result(['revoke', 'host-1-tpm', '--reason', 'The TPM of the host was cleared.']);
  const { code, stderr } = await here(['verify-quote', 'second.trquote', '--enrolled', 'host-1-tpm']);
  assert.is(code, 2);
  assert.match(stderr, /revoked the attestation key of host-1-tpm/);
});

check('without tools, or without a TPM, it says so', async () => {
  mkdirSync(place.path('empty'));
  const bare = await place.run(['attest', 'key', 'host-3'], { PATH: place.path('empty') });
  assert.match(says(bare), /^2 .*install the package tpm2-tools/);
  await tpm.stop();
  assert.match(says(await here(['attest', 'key', 'host-3'])), /^3 .*does not answer/);
});

check('what cannot be meant is refused', async () => {
  const cases: [string[], RegExp][] = [
    [['attest', ...WHAT], /--model and --config/],
    [['attest', ...WHAT, ...FILES, '--handle', '1'], /0x81000000/],
    [['attest', '--env', 'prod', '--service', 'nothing', '--ak', 'x'], /nothing is in service on deploy\/prod\/nothing/],
    [['verify-quote', 'first.trquote', '--key', 'deployment.yaml'], /holds no key/],
    [['verify-quote', 'first.trquote', '--key', 'ak.pem', '--state', 'x'], /64 hex digits/],
  ];
  for (const [args, why] of cases) {
    const outcome = await here(args);
    assert.is(outcome.code, 2, says(outcome));
    assert.match(outcome.stderr, why);
  }
  assert.is((await here(['verify-quote', 'deployment.yaml', '--key', 'ak.pem'])).code, 1);
});

test.run();
