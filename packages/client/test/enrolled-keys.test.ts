import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSigner, KEY_TYPE, parseVerifierKey } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { type ChangeRecord, encodeRecord } from '@treering/record';
import { createStatementSigner, encodeCoseKey, type StatementSigner, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { dataFolder, initLog, parseConfig, serveLog } from '../../../apps/log/src/index.js';
import { EnrolledKeys, LogClient, type ReadEntry } from '../src/index.js';

const data = mkdtempSync(join(tmpdir(), 'treering-enrolled-'));
await initLog(data, { origin: 'log.test/enrolled' });
const served = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 20 }));
const key = parseVerifierKey(served.vkey);
const client = new LogClient({ url: served.url, trust: { origin: key.name, logKeys: [key] } });
const admin = createStatementSigner((await readKeyFile(dataFolder(data).adminKey)).seed, nodeEd25519);
const alice = createStatementSigner(new Uint8Array(32).fill(5), nodeEd25519);
assert.is(createSigner('alice', KEY_TYPE.ed25519, new Uint8Array(32).fill(5)).key.publicKey.length, 32);

async function log(record: ChangeRecord, id: string, signer: StatementSigner): Promise<number> {
  const claims = { iss: `${key.name}/identity/${id}`, sub: record.subject, iat: Math.floor(Date.now() / 1000) };
  return (await client.submit(await signStatement(claims, encodeRecord(record), signer))).index;
}
const reason = 'A record for a test of signers.';
const enrolment: ChangeRecord = {
  v: 1,
  type: 'identity',
  subject: 'identity/alice',
  reason,
  action: 'enrol',
  id: 'alice',
  key: encodeCoseKey(alice.key),
  kind: 'person',
  roles: ['engineer'],
  valid_until: 4_000_000_000,
};
const incident = (severity: 'low' | 'high'): ChangeRecord => ({
  v: 1,
  type: 'incident',
  subject: 'incident/1',
  reason,
  severity,
  aware_at: 1,
  affected: [],
});

test('the signer of an entry is checked under the key that the log enrolled', async () => {
  const enrolled = await log(enrolment, 'admin', admin);
  const byAlice = await log(incident('high'), 'alice', alice);
  const keys = new EnrolledKeys(client, key.name, nodeEd25519);
  assert.is(await keys.verifySigner(await client.entry(byAlice)), enrolled);
  assert.is(await keys.verifySigner(await client.entry(enrolled)), 0);
  assert.is(await keys.verifySigner(await client.entry(0)), 0);
});

test('a signature that does not hold, another issuer, an unknown key and a key enrolled later are refused', async () => {
  const entry = await client.entry(2);
  const { sign1 } = entry.statement;
  const forged = { ...sign1, signature: sign1.signature.map((byte, i) => (i === 9 ? byte ^ 1 : byte)) };
  const lies: ReadEntry[] = [
    { ...entry, statement: { ...entry.statement, sign1: forged } },
    { ...entry, statement: { ...entry.statement, iss: `${key.name}/identity/admin` } },
    { ...entry, statement: { ...entry.statement, iss: `${key.name}/identity/nobody` } },
    { ...entry, statement: { ...entry.statement, iss: 'log.other/identity/alice' } },
    { ...entry, statement: { ...entry.statement, kid: new Uint8Array(32) } },
    { ...entry, index: 0 },
  ];
  for (const [i, lie] of lies.entries()) {
    const outcome = await new EnrolledKeys(client, key.name)
      .verifySigner(lie)
      .then(String, (error: { code?: string }) => error.code);
    assert.is(outcome, 'client/not-verified', `lie ${i}`);
  }
});

test.after(async () => {
  await served.close();
  rmSync(data, { recursive: true });
});
test.run();
