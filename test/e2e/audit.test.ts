import { randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { main } from '@treering/cli';
import { dataFolder, initLog, openAnchor, openLogKeys, parseConfig, STARTING_POLICY, serveLog } from '@treering/log';
import { bundlePath, CompactRange, tilePath } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { createSigner, formatCheckpoint, formatNote, formatVerifierKey, KEY_TYPE } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import {
  type ChangeRecord,
  configDigest,
  decodeRecord,
  encodeRecord,
  type PolicyBody,
  type RecordOf,
  stateDigest,
} from '@treering/record';
import { Sequencer } from '@treering/sequencer';
import { createStatementSigner, encodeCoseKey, parseStatement, type StatementSigner, signStatement } from '@treering/statement';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES, RECORD_TYPES } from '../../packages/record/test/examples.js';
import { Workplace } from './command.js';

// An operator writes into the store past the rules of the log, and signs what comes of it with the real keys.

const ORIGIN = 'log.test/audited';
const POLICY: PolicyBody = {
  rules: [
    { name: 'engineers', who: { roles: ['engineer'] }, may: ['model', 'config', 'deployment'], on: ['**'] },
    { name: 'approvers', who: { roles: ['approver'] }, may: ['approval'], on: ['**'] },
  ],
  approvals: [{ on: 'model/*', need: 1, roles: ['approver'], not_author: true }],
};

interface Party {
  readonly id: string;
  readonly signer: StatementSigner;
}

const party = (id: string, seed: Uint8Array = randomBytes(32)): Party => ({
  id,
  signer: createStatementSigner(seed, nodeEd25519),
});
const [eve, guest, stranger] = [party('eve'), party('guest'), party('stranger')];

const place = new Workplace();
const servers: Server[] = [];
test.after(() => {
  for (const server of servers) server.close();
});

/** A record in the name of somebody. */
async function entryBy({ id, signer }: Party, record: ChangeRecord): Promise<Uint8Array> {
  const claims = { iss: `${ORIGIN}/identity/${id}`, sub: record.subject, iat: Math.floor(Date.now() / 1000) };
  return (await signStatement(claims, encodeRecord(record), signer)).entry;
}

const enrolment = ({ id, signer }: Party, roles: string[]): ChangeRecord => ({
  ...EXAMPLES.identity.minimal,
  subject: `identity/${id}`,
  id,
  key: encodeCoseKey(signer.key),
  roles,
  valid_until: Math.floor(Date.now() / 1000) + 86_400,
});

const state = stateDigest(EXAMPLES.model.minimal.digest, configDigest(EXAMPLES.config.minimal));
const leafOf = (entry: Uint8Array) => Uint8Array.from(nodeHasher.hashLeaf(entry));

/** Begins a log: eve, who engineers and approves, a guest without roles, and a model and a configuration of eve's. */
async function begin(data: string) {
  await initLog(data, { origin: ORIGIN, policy: POLICY });
  const admin = party('admin', (await readKeyFile(dataFolder(data).adminKey)).seed);
  const model = await entryBy(eve, EXAMPLES.model.minimal);
  const config = await entryBy(eve, EXAMPLES.config.minimal);
  const served = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 }));
  for (const record of [enrolment(eve, ['engineer', 'approver']), enrolment(guest, [])])
    await served.log.submit(await entryBy(admin, record));
  for (const entry of [model, config]) await served.log.submit(entry);
  await served.close();
  const deployment: ChangeRecord = { ...EXAMPLES.deployment.minimal, model: leafOf(model), config: leafOf(config), state };
  const approval: ChangeRecord = { ...EXAMPLES.approval.minimal, subject: 'model/credit-score', target: leafOf(model) };
  return { admin, vkey: served.vkey, deployment, approval };
}

const data = place.path('honest');
const { admin, vkey, deployment, approval } = await begin(data);
/** Where the first inserted entry lies. */
const NEXT = 5;

/** Commits entries to a copy of the log without asking its rules: tiles, head and anchor are as they should be. */
async function withInserted(entries: readonly Uint8Array[]): Promise<string> {
  const copy = place.path(`copy-${randomBytes(4).toString('hex')}`);
  cpSync(data, copy, { recursive: true });
  const folder = dataFolder(copy);
  const { signer, close } = await openLogKeys(folder);
  const storage = openSqliteStorage(folder.store, { mode: 'open' });
  const sequencer = await Sequencer.open({
    storage,
    anchor: openAnchor(folder),
    signer,
    trust: { origin: ORIGIN, logKeys: [signer.key] },
    admission: { admit: () => () => undefined, reload: async () => undefined },
    hasher: nodeHasher,
    ed25519: nodeEd25519,
  });
  for (const bytes of entries) await sequencer.submit({ bytes, leafHash: leafOf(bytes), topic: '', candidate: undefined });
  await sequencer.close();
  await storage.close();
  close();
  return copy;
}

/** Gives out the entries of a store and its newest head, as any static file server could. */
async function serveFiles(folder: string, alter: (entry: Buffer) => Buffer = (entry) => entry): Promise<string> {
  const storage = openSqliteStorage(dataFolder(folder).store, { mode: 'read' });
  const head = await storage.head();
  const entries = await storage.entries(0, head?.size ?? 0);
  await storage.close();
  return serveEntries(
    entries.map((bytes) => alter(Buffer.from(bytes))),
    head?.note as Uint8Array,
    entries,
  );
}

/** @param tree what the tile of hashes is made of */
async function serveEntries(entries: readonly Uint8Array[], note: Uint8Array, tree = entries): Promise<string> {
  const bundle = entries.map((entry) => Buffer.concat([Buffer.of(entry.length >> 8, entry.length & 0xff), entry]));
  const files = new Map<string, Uint8Array>([
    ['/checkpoint', note],
    [`/${bundlePath({ index: 0, width: entries.length })}`, Buffer.concat(bundle)],
    [`/${tilePath({ level: 0, index: 0, width: tree.length })}`, Buffer.concat(tree.map(nodeHasher.hashLeaf))],
  ]);
  const server = createServer(({ url = '' }, response) => {
    const file = files.get(url);
    response.writeHead(file === undefined ? 404 : 200).end(file);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Calls the command in this process, by a reader who has seen nothing of the log yet. */
async function treering(args: readonly string[], key = vkey) {
  const [out, err]: string[][] = [[], []];
  const env = { ...place.env, TREERING_STATE: place.path(randomBytes(4).toString('hex')), TREERING_LOG_KEY: key };
  const stream = (lines: string[]) => ({ write: (text: string) => lines.push(text) });
  const code = await main(args, { stdout: stream(out), stderr: stream(err), env, cwd: place.folder });
  return { code, stdout: out.join(''), stderr: err.join('') };
}

/** When a log that may not start serves all the same. */
const late = () => sleep(10_000, undefined, { ref: false });

/** Audits a log as text and as JSON. */
async function audit(url: string, key = vkey) {
  const [text, json] = [await treering(['audit', url], key), await treering(['audit', url, '--json'], key)];
  assert.is(text.code, json.code);
  assert.match(json.stdout, /^[^\n]+\n$/);
  return { code: text.code, text: text.stdout, report: JSON.parse(json.stdout) };
}

const brokenSignature = async (): Promise<Uint8Array> => {
  const entry = (await entryBy(admin, EXAMPLES.incident.minimal)).slice();
  entry[entry.length - 1] ^= 1;
  return entry;
};

const forbidden: readonly [string, () => Promise<Uint8Array>, string, string][] = [
  ['a deployment by a key without a role', () => entryBy(guest, deployment), 'governance/not-allowed', 'default deny'],
  ['a model of a key never enrolled', () => entryBy(stranger, EXAMPLES.model.full), 'governance/unknown-key', 'identities'],
  ["an approval of one's own change", () => entryBy(eve, approval), 'governance/own-change', 'policy@0/approvals/model/*'],
  ['a deployment nobody approved', () => entryBy(eve, deployment), 'governance/not-approved', 'policy@0/approvals/model/*'],
  ['a policy by an engineer', () => entryBy(eve, EXAMPLES.policy.minimal), 'governance/not-allowed', 'charter/administrators'],
  ['a signature that does not hold', brokenSignature, 'cose/bad-signature', 'signature'],
  ["a record in somebody else's name", () => entryBy({ ...eve, id: 'admin' }, deployment), 'governance/wrong-issuer', 'header'],
];

for (const [what, make, code, rule] of forbidden) {
  test(`${what} is named by an audit, and the log that has it does not start`, async () => {
    const copy = await withInserted([await make()]);
    const { code: exit, text, report } = await audit(await serveFiles(copy));
    assert.is(exit, 1);
    const { message, ...finding } = report.findings[0];
    assert.equal([report.size, report.findings.length, finding], [NEXT + 1, 1, { index: NEXT, code, rule }]);
    assert.match(text, `entry ${NEXT}: ${message}`);
    assert.match(text, `decided by ${rule} (${code})`);
    assert.match(text, '1 entries are in the log against its rules');

    const started = await Promise.race([
      treering(['log', 'serve', '--data', copy, '--listen', '127.0.0.1:0', '--json']),
      late(),
    ]);
    assert.is(started?.code, 1);
    assert.match(JSON.parse(started?.stdout ?? '').error.code, /^governance\//);
    assert.match(started?.stderr ?? '', new RegExp(`entry ${NEXT}\\b`));
    assert.match(started?.stderr ?? '', code === 'cose/bad-signature' ? 'signature' : message);
  });
}

test('bytes that are no statement are named by an audit', async () => {
  const { code, report } = await audit(await serveFiles(await withInserted([Uint8Array.of(1, 2, 3)])));
  assert.is(code, 1);
  assert.equal(
    report.findings.map(({ index, rule }: { index: number; rule: string }) => [index, rule]),
    [[NEXT, 'format']],
  );
});

test('what was inserted gives nobody a right, and what is good after it is not blamed', async () => {
  const enrolled = await entryBy(eve, enrolment(stranger, ['engineer']));
  const use = await entryBy(stranger, EXAMPLES.model.full);
  const good = await entryBy(eve, { ...EXAMPLES.config.minimal, version: '2' });
  const { code, report } = await audit(await serveFiles(await withInserted([enrolled, use, good])));
  assert.is(code, 1);
  assert.equal(
    report.findings.map((finding: { index: number; code: string }) => [finding.index, finding.code]),
    [
      [NEXT, 'governance/not-allowed'],
      [NEXT + 1, 'governance/unknown-key'],
    ],
  );
});

test('entries that do not hash to the signed head fail the audit as a whole', async () => {
  const url = await serveFiles(data, (entry) => {
    entry[entry.length - 1] ^= 1;
    return entry;
  });
  const { code, stdout } = await treering(['audit', url, '--json']);
  assert.is(code, 1);
  assert.is(JSON.parse(stdout).error.code, 'client/not-verified');
});

test('an honest log passes, also as plain files', async () => {
  const { code, text, report } = await audit(await serveFiles(data));
  assert.is(code, 0, text);
  assert.equal([report.origin, report.size, report.policy, report.findings], [ORIGIN, NEXT, 0, []]);
  assert.match(text, 'every entry was admitted by the rules in force for it');
});

test('a log with records of every type and foreign statements passes while it is served', async () => {
  const folder = place.path('complete');
  await initLog(folder, { origin: ORIGIN });
  const config = parseConfig({ data: folder, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 });
  const served = await serveLog(config);
  const ada = party('admin', (await readKeyFile(dataFolder(folder).adminKey)).seed);
  const seen = new Set(['charter']);
  const log = async (record: ChangeRecord, by: Party = ada): Promise<Uint8Array> => {
    seen.add(record.type);
    return (await served.log.submit(await entryBy(by, record))).leaf;
  };
  await log(enrolment(eve, ['engineer', 'approver']));
  await log({ ...EXAMPLES.amendment.minimal, witnesses: ['witness.test/w+aabbccdd+BAAA'] });
  const { system, 'change-plan': plan, assessment, attestation, verification, incident } = EXAMPLES;
  await log(system.minimal, eve);
  const target = await log({ ...EXAMPLES.model.minimal, attachments: EXAMPLES.model.full.attachments }, eve);
  const config1 = await log(EXAMPLES.config.minimal, eve);
  await log({ ...EXAMPLES.evaluation.minimal, model: target, config: config1 }, eve);
  await log({ ...EXAMPLES.approval.minimal, subject: EXAMPLES.model.minimal.subject, target }, eve);
  const deployed = await log({ ...EXAMPLES.deployment.minimal, model: target, config: config1, state }, eve);
  await log({ ...attestation.minimal, deployment: deployed });
  await log({ ...verification.minimal, deployment: deployed });
  for (const { minimal } of [plan, assessment, incident]) await log(minimal);
  await log({ ...EXAMPLES['decision-batch'].minimal, deployment: deployed, state });
  await log({ ...EXAMPLES.correction.minimal, supersedes: target });
  await log({ ...EXAMPLES.policy.minimal, policy: { rules: [...STARTING_POLICY.rules], limits: { entry_bytes: 60_000 } } });
  const about = { iss: `${ORIGIN}/identity/eve`, sub: 'model/credit-score', iat: Math.floor(Date.now() / 1000) };
  const text = new TextEncoder().encode('A statement in a format of its own.');
  await served.log.submit((await signStatement({ ...about, contentType: 'text/plain' }, text, eve.signer)).entry);
  await log({ ...EXAMPLES.freeze.minimal, on: 'deploy/**' });
  await log({
    v: 1,
    type: 'identity',
    subject: 'identity/eve',
    reason: 'Eve leaves the company.',
    action: 'revoke',
    id: 'eve',
  });
  // Only the log itself writes map heads.
  assert.equal([...seen, 'map-head'].sort(), [...RECORD_TYPES].sort());

  await served.log.publisher.publish();
  const { code, text: printed, report } = await audit(served.url, served.vkey);
  await served.close();
  assert.is(code, 0, printed);
  assert.equal([report.size, report.findings, report.policy], [served.log.sequencer.head?.size, [], 16]);
  assert.match(printed, 'administrators admin, 1 of whom must agree');
});

test('the key of another log is not taken for this one', async () => {
  const other = formatVerifierKey(createSigner(ORIGIN, KEY_TYPE.ed25519, new Uint8Array(32).fill(9), nodeEd25519).key);
  const { code, stdout } = await treering(['audit', await serveFiles(data), '--log-key', other, '--json']);
  assert.is(code, 1);
  assert.is(JSON.parse(stdout).error.code, 'client/not-verified');
});

/** Entries as they are, under a head that somebody else's key signs. Returns where they are and that key. */
async function signedBySomebody(entries: readonly Uint8Array[]): Promise<{ url: string; key: string }> {
  const signer = createSigner(ORIGIN, KEY_TYPE.ed25519, randomBytes(32), nodeEd25519);
  const range = new CompactRange(nodeHasher);
  for (const entry of entries) range.append(leafOf(entry));
  const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(entries.length), root: range.root(), extensions: [] });
  const url = await serveEntries(entries, formatNote({ text, signatures: [signer.sign(text)] }));
  return { url, key: formatVerifierKey(signer.key) };
}

const storedEntries = async (): Promise<Uint8Array[]> => {
  const storage = openSqliteStorage(dataFolder(data).store, { mode: 'read' });
  return storage.entries(0, NEXT).finally(() => storage.close());
};

test('a head that none of the keys signed which the log names is reported', async () => {
  const { url, key } = await signedBySomebody(await storedEntries());
  const { code, text, report } = await audit(url, key);
  assert.is(code, 1, text);
  const [{ index, code: found }] = report.findings;
  assert.equal([report.findings.length, index, found], [1, 0, 'audit/other-keys']);
  assert.match(text, "none of the log's keys that this entry names signed the head");
});

test('keys of the log that are none are reported', async () => {
  const [charter] = await storedEntries();
  const record = decodeRecord(parseStatement(charter).payload) as RecordOf<'charter'>;
  const { url, key } = await signedBySomebody([await entryBy(admin, { ...record, log_keys: ['no key at all'] })]);
  const { code, report } = await audit(url, key);
  assert.equal([code, report.findings[0].index, report.findings[0].code], [1, 0, 'audit/other-keys']);
});

test('from an amendment of the keys on, the old ones alone are not enough', async () => {
  const folder = place.path('amended');
  await initLog(folder, { origin: ORIGIN });
  const config = parseConfig({ data: folder, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 });
  const served = await serveLog(config);
  const ada = party('admin', (await readKeyFile(dataFolder(folder).adminKey)).seed);
  const next = formatVerifierKey(createSigner(ORIGIN, KEY_TYPE.ed25519, randomBytes(32), nodeEd25519).key);
  await served.log.submit(await entryBy(ada, { ...EXAMPLES.amendment.minimal, log_keys: [next] }));
  await served.log.publisher.publish();
  const { code, report } = await audit(served.url, served.vkey);
  await served.close();
  assert.is(code, 1);
  assert.equal([report.findings[0].index, report.findings[0].code, report.log_keys], [1, 'audit/other-keys', [next]]);
});

test('a log that is away cannot be audited: exit code 3', async () => {
  assert.is((await treering(['audit', 'http://127.0.0.1:1'])).code, 3);
});

test.run();
