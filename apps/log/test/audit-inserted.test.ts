import { nodeMeans } from '@treering/foreign/node';
import { Audit, type AuditFinding, GovernanceError, prepareAhead } from '@treering/governance';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519 } from '@treering/note/node';
import type { ChangeRecord } from '@treering/record';
import { type SignedStatement, signStatement } from '@treering/statement';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LogClient } from '../../../packages/client/src/index.js';
import { createSnapshotFile, dataFolder, fsck, type LogConfig, openAnchor, serveLog } from '../src/index.js';
import { identityRecord, makeStatement, ORIGIN, rejection, servedLog, signerFrom } from './fixture.js';
import { copyOf, insert, removeAtExit, stateOf, storedEntries } from './tampering.js';

const TEXT = new TextEncoder().encode('not a record');
const engineer = signerFrom();
const former = signerFrom();
const expired = signerFrom();
const now = Math.floor(Date.now() / 1000);

// One entry more, and the first tile is full.
const FULL = 256;
const honest = await servedLog();
removeAtExit(honest.data);
for (const record of [
  identityRecord('enrol', 'eve', engineer, ['engineer']),
  identityRecord('enrol', 'former', former, ['engineer']),
  identityRecord('revoke', 'former', former, []),
  { ...identityRecord('enrol', 'expired', expired, ['engineer']), valid_until: now - 1000 } as ChangeRecord,
])
  await honest.served.log.submit((await honest.statement({ record })).entry);
const incidents = await Promise.all(Array.from({ length: FULL - 1 - 5 }, () => honest.statement()));
for (const outcome of await honest.served.log.submitBatch(incidents.map(({ entry }) => entry)))
  assert.is(outcome.status, 'fulfilled');
const trust = { origin: ORIGIN, logKeys: [honest.served.log.signer.key] };
await honest.served.close();
const AT = FULL - 1;

const settingsOf = (data: string): LogConfig => ({ ...honest.settings, data });

/** Entries that the log never admitted, and what is to be said of each. */
const cases: Record<string, { entry: Uint8Array; code: string; rule: string }> = {
  'a key that nobody enrolled': {
    entry: (await makeStatement({ signer: signerFrom(), id: 'nobody' })).entry,
    code: 'governance/unknown-key',
    rule: 'identities',
  },
  'an engineer who enrols somebody': {
    entry: (
      await makeStatement({
        signer: engineer,
        id: 'eve',
        record: identityRecord('enrol', 'friend', signerFrom(), ['engineer']),
      })
    ).entry,
    code: 'governance/not-allowed',
    rule: 'default deny',
  },
  'a key that was revoked': {
    entry: (await makeStatement({ signer: former, id: 'former' })).entry,
    code: 'governance/revoked-key',
    rule: 'identity@3',
  },
  "somebody else's name": {
    entry: (await makeStatement({ signer: engineer, id: 'admin' })).entry,
    code: 'governance/wrong-issuer',
    rule: 'header',
  },
  'a record that goes on from none': {
    entry: (await makeStatement({ signer: engineer, id: 'eve', prev: new Uint8Array(32) })).entry,
    code: 'governance/prev-conflict',
    rule: 'prev',
  },
  'a foreign statement that no rule allows': {
    entry: (
      await signStatement({ iss: 'https://a.test', sub: 'model/x', iat: 1, contentType: 'text/plain' }, TEXT, signerFrom())
    ).entry,
    code: 'governance/unknown-key',
    rule: 'identities',
  },
  'what an expired key signs for the time when it was valid': {
    entry: (await makeStatement({ signer: expired, id: 'expired', iat: now - 1001 })).entry,
    code: 'governance/clock',
    rule: 'clock',
  },
  'a changed signature': { entry: broken(await honest.statement()), code: 'cose/bad-signature', rule: 'signature' },
};

function broken({ entry }: SignedStatement): Uint8Array {
  const bytes = entry.slice();
  bytes[bytes.length - 1] ^= 1;
  return bytes;
}

/** A copy of the honest log with something written into it, and an honest entry after that. */
async function tampered(entry: Uint8Array, topic?: string): Promise<string> {
  const data = copyOf(honest.data);
  const last = await honest.statement();
  await insert(data, [entry, last.entry], topic === undefined ? undefined : [topic, last.sub]);
  return data;
}

/** An audit of what a server gives out, with nothing but the log's key. */
async function audited(url: string): Promise<{ size: number; findings: AuditFinding[] }> {
  const client = new LogClient({ url, trust, hasher: nodeHasher, ed25519: nodeEd25519 });
  const audit = new Audit(nodeMeans);
  const findings: AuditFinding[] = [];
  for await (const { prepared } of prepareAhead(audit, client.follower().follow(await client.head()))) {
    await audit.decide(prepared, {
      onDecided: (result) => {
        if (!result.admitted) findings.push(result.finding);
      },
    });
  }
  return { size: audit.size, findings };
}

/** Makes the log believe that it has examined everything, so that it serves what was inserted. */
async function withForgedSnapshot(data: string, entries: readonly Uint8Array[], root: Uint8Array): Promise<void> {
  const size = (await storedEntries(data)).length;
  await createSnapshotFile(dataFolder(data).snapshot).write({ size, root, state: stateOf(entries) });
}

/** What an audit says of the inserted entry. */
async function reasonOf(data: string): Promise<string> {
  const audit = new Audit(nodeMeans);
  const reasons: string[] = [];
  for (const entry of await storedEntries(data)) {
    const result = await audit.next(entry);
    if (!result.admitted) reasons.push(result.finding.message);
  }
  assert.is(reasons.length, 1);
  return reasons[0];
}

async function rootOf(data: string): Promise<Uint8Array> {
  const storage = openSqliteStorage(dataFolder(data).store, { mode: 'read' });
  try {
    return (await storage.head())?.root as Uint8Array;
  } finally {
    await storage.close();
  }
}

test('what the tests insert with is good: an admitted entry written past the log changes nothing', async () => {
  const data = await tampered((await honest.statement()).entry);
  const served = await serveLog(settingsOf(data));
  assert.is(served.log.sequencer.head?.size, FULL + 1);
  assert.equal(await audited(served.url), { size: FULL + 1, findings: [] });
  await served.close();
});

for (const [what, { entry, code, rule }] of Object.entries(cases)) {
  test(`${what}: the log does not start, and says which entry and why`, async () => {
    const data = await tampered(entry);
    const before = await rootOf(data);
    const error = await rejection(serveLog(settingsOf(data)));
    assert.instance(error, GovernanceError);
    assert.match(error.code ?? '', /^governance\//);
    assert.match(error.message, new RegExp(`\\bentry ${AT}\\b`));
    assert.ok(error.message.includes(await reasonOf(data)), error.message);
    assert.match(error.message, /"treering fsck"/);
    assert.equal(await rootOf(data), before);
  });

  test(`${what}: an audit over HTTP finds it although the log was made to start`, async () => {
    const data = await tampered(entry);
    const entries = await storedEntries(data);
    await withForgedSnapshot(
      data,
      entries.filter((_, index) => index !== AT),
      await rootOf(data),
    );
    const served = await serveLog(settingsOf(data));
    const { size, findings } = await audited(served.url);
    await served.close();
    assert.is(size, FULL + 1);
    assert.equal(
      findings.map(({ message, ...finding }) => finding),
      [{ index: AT, code, rule }],
    );
  });

  test(`${what}: fsck finds it and reads no snapshot`, async () => {
    const data = await tampered(entry);
    const entries = await storedEntries(data);
    await withForgedSnapshot(
      data,
      entries.filter((_, index) => index !== AT),
      await rootOf(data),
    );
    const folder = dataFolder(data);
    const storage = openSqliteStorage(folder.store, { mode: 'read' });
    const { findings } = await fsck({ storage, anchor: openAnchor(folder), trust });
    await storage.close();
    assert.equal([...new Set(findings.map(({ where }) => where))], [`entry ${AT}`]);
    // Of somebody outside the log, fsck says that nothing vouches for the signature.
    const named = new RegExp(`\\((?:${rule}|default deny)\\)|signature does not hold`);
    assert.match(findings[0].what, named);
  });
}

test('bytes that are no statement: the log does not start and names the entry, and an audit names it', async () => {
  const data = await tampered(Uint8Array.of(1, 2, 3), 'model/wink');
  const error = await rejection(serveLog(settingsOf(data)));
  assert.match(error.code ?? '', /^governance\//);
  assert.match(error.message, new RegExp(`\\bentry ${AT}\\b`));
  const entries = await storedEntries(data);
  await withForgedSnapshot(
    data,
    entries.filter((_, index) => index !== AT),
    await rootOf(data),
  );
  const served = await serveLog(settingsOf(data));
  const { findings } = await audited(served.url);
  await served.close();
  assert.equal(
    findings.map(({ index, rule }) => ({ index, rule })),
    [{ index: AT, rule: 'format' }],
  );
});

test('an entry that comes a second time, as a hostile log may give it out, is found', async () => {
  const audit = new Audit(nodeMeans);
  const entries = await storedEntries(honest.data);
  for (const entry of [...entries, entries[10]]) {
    const result = await audit.next(entry);
    const found = result.admitted ? undefined : [result.finding.code, result.finding.rule];
    assert.equal(found, audit.size <= AT ? undefined : ['governance/logged-before', 'entry@10']);
  }
});

test('rights that an unauthorised entry would give are given to nobody', async () => {
  const friend = signerFrom();
  const enrol = await makeStatement({
    signer: engineer,
    id: 'eve',
    record: identityRecord('enrol', 'friend', friend, ['engineer']),
  });
  const data = copyOf(honest.data);
  await insert(data, [enrol.entry, (await makeStatement({ signer: friend, id: 'friend' })).entry]);
  const audit = new Audit(nodeMeans);
  const refused: [number, string][] = [];
  for (const entry of await storedEntries(data)) {
    const result = await audit.next(entry);
    if (!result.admitted) refused.push([result.finding.index, result.finding.code]);
  }
  assert.equal(refused, [
    [AT, 'governance/not-allowed'],
    [AT + 1, 'governance/unknown-key'],
  ]);
});

test.run();
