import { existsSync, readFileSync } from 'node:fs';
import { holds, REQUIRED_CLAIMS, verifyTlogProof } from '@treering/evidence';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { download, hexOf } from './attachment.js';
import { deskWithLog } from './fixture.js';

const desk = await deskWithLog();

test.after(() => desk.served.close());

/** The record in an entry, in its JSON view. */
const recordAt = async (index: number) => (await desk.result(['show', String(index)])).record;

test('a model is recorded with its digest and its size, and the proof file lies beside the folder', async () => {
  desk.write('models/small/weights.bin', 'weights');
  desk.write('models/small/config.json', '{}');
  const args = ['--name', 'small', '--version', '1.0', '--reason', 'First version of the model.'];
  const result = await desk.result(['record', 'model', 'models/small', ...args]);
  assert.is(result.proof, desk.path('models/small-1.0.tlog-proof'));
  const policy = { logs: [{ key: desk.served.log.signer.key }], witnesses: [], groups: [], quorum: 'none' };
  const report = verifyTlogProof(new Uint8Array(readFileSync(result.proof)), { policy });
  assert.ok(holds(report.claims, REQUIRED_CLAIMS));
  assert.is(report.index, BigInt(result.index));
  const record = await recordAt(result.index);
  assert.equal(record.size, { bytes: 9, files: 2 });
  assert.is(record.change, 'new');
  assert.is(record.attachments[0].name, 'manifest.json');
  const manifest = await download(desk, hexOf(record.attachments[0].digest), false);
  assert.match(
    Buffer.from(await manifest.arrayBuffer())
      .subarray(16)
      .toString('utf8'),
    'weights.bin',
  );
});

test('the digest of a model changes with a byte or a file, and with nothing else', async () => {
  const digestOf = async (files: Record<string, string>): Promise<string> => {
    const folder = `d${Math.random()}`;
    for (const [name, content] of Object.entries(files)) desk.write(`${folder}/${name}`, content);
    const args = ['--name', folder.replace('.', '-'), '--version', '1', '--reason', 'A model for its digest.'];
    return hexOf((await recordAt((await desk.result(['record', 'model', folder, ...args])).index)).digest);
  };
  const files = { 'a.bin': 'one', 'b/c.bin': 'two' };
  const digest = await digestOf(files);
  assert.is(await digestOf(files), digest);
  for (const changed of [
    { ...files, 'a.bin': 'onE' },
    { ...files, d: '' },
    { 'a.bin': 'two', 'b/c.bin': 'one' },
    { 'a.bin': 'one' },
  ])
    assert.is.not(await digestOf(changed as Record<string, string>), digest);
});

test('--out decides where the proof file is written, and --no-wait does not wait for publication', async () => {
  desk.write('m/w', 'w');
  const args = ['record', 'model', 'm', '--name', 'out', '--version', '1', '--reason', 'Proof goes elsewhere.'];
  const { proof } = await desk.result([...args, '--out', 'proofs/deep/p.tlog-proof', '--no-wait']);
  assert.is(proof, desk.path('proofs/deep/p.tlog-proof'));
  assert.ok(existsSync(proof));
});

test('any other record is taken from a file, with prev filled in, and refused when it is malformed', async () => {
  const incident =
    'subject: incident/1\nreason: Something happened to it.\nseverity: high\naware_at: 1767225600000\naffected: []\n';
  desk.write('incident.yaml', incident);
  const first = await desk.result(['record', 'incident', '--file', 'incident.yaml']);
  assert.is(first.proof, desk.path('incident-1.tlog-proof'));
  const second = await desk.result(['record', 'incident', '--file', 'incident.yaml', '--reason', 'We know more about it.']);
  const record = await recordAt(second.index);
  assert.is(hexOf(record.prev), first.leaf);
  assert.is(record.reason, 'We know more about it.');
  for (const [name, text, exit] of [
    ['another type', `type: approval\n${incident}`, 2],
    ['a member that does not exist', `${incident}colour: red\n`, 2],
    ['no severity', incident.replace('severity: high\n', ''), 2],
    ['no YAML', 'a: [', 2],
    ['a list', '- a\n', 2],
  ] as const) {
    desk.write('bad.yaml', text);
    const { code, stderr } = await desk.call(['record', 'incident', '--file', 'bad.yaml']);
    assert.is(code, exit, `${name}: ${stderr}`);
  }
});

test('a record on a newest one that has changed meanwhile is refused: exit code 4', async () => {
  desk.write(
    'stale.yaml',
    `subject: incident/1\nreason: This knows of no other one.\nseverity: low\naware_at: 1767225600000\naffected: []\nprev: "${'ab'.repeat(32)}"\n`,
  );
  const { code, stderr } = await desk.call(['record', 'incident', '--file', 'stale.yaml']);
  assert.is(code, 4, stderr);
});

test.run();
