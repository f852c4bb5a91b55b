import { formatVerifierKey, KEY_TYPE } from '@treering/note';
import { encodeCoseKey } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, holds, isPack, type PackItem, type PackReport, type Question } from '../src/index.js';
import { noteSigner, policyWith, verdicts, witnesses } from './fixture.js';
import { itemsOf, packOf, readRecord } from './pack-items.js';
import { admin, engineer, hospital, logKeys, PackLog, packPolicy, person, START, verified } from './pack-log.js';

const DEPLOYMENT: Question = { subjects: ['deploy/prod/triage'], attachments: 'restricted' };
const ward = await hospital();
const { log } = ward;
const honest = await log.pack(DEPLOYMENT);

const claimOf = ({ claims }: PackReport, name: string): Claim => {
  const claim = claims.find((one) => one.name === name);
  if (claim === undefined) throw new Error(`there is no claim ${name}`);
  return claim;
};

/** Fails unless a claim has this verdict and its sentence reads so. */
function expectClaim(report: PackReport, name: string, verdict: Claim['verdict'], text: RegExp): void {
  const claim = claimOf(report, name);
  assert.is(claim.verdict, verdict, `${name}: ${claim.text}`);
  assert.match(claim.text, text);
  if (verdict === 'failed') assert.not(holds(report.claims, report.required));
}

/** Type of a record, with what tells it from others of its type. */
function recordOf(entry: Uint8Array): string {
  const { type, version, phase } = readRecord(entry) as { type: string; version?: string; phase?: string };
  return [type, version ?? phase].filter((part) => part !== undefined).join(' ');
}

test('a pack proves what it holds, and says what it does not prove', async () => {
  assert.ok(isPack(honest));
  const { claims, required, entries } = await verified(honest);
  assert.equal(verdicts(claims), {
    'head-signed': 'proved',
    quorum: 'proved',
    included: 'proved',
    answered: 'proved',
    'heads-agree': 'proved',
    'statements-signed': 'proved',
    'rules-of-the-log': 'proved',
    admitted: 'proved',
    complete: 'not proved',
    time: 'proved',
    dates: 'proved',
    approvals: 'proved',
    chain: 'proved',
    attachments: 'proved',
    question: 'not proved',
    'logged-completely': 'not proved',
  });
  assert.ok(holds(claims, required));
  assert.ok(entries < log.entries.length);
});

test('the same question gives the same bytes, and byte by byte the same claims', async () => {
  assert.equal(await log.pack(DEPLOYMENT), honest);
  const bytewise = async function* (): AsyncGenerator<Uint8Array> {
    for (const byte of honest) yield Uint8Array.of(byte);
  };
  assert.equal((await verified(bytewise())).claims, (await verified(honest)).claims);
});

test('it holds what the records that were asked for refer to, and what decides about them', async () => {
  const types = (await itemsOf(honest)).flatMap((item) => (item.kind === 'entry' ? [recordOf(item.entry)] : []));
  assert.equal(types, [
    'charter',
    'identity',
    'identity',
    'model 1.0',
    'approval',
    'config 1',
    'deployment intent',
    'deployment active',
    'model 2.0',
    'approval',
    'config 2',
    'evaluation',
    'deployment active',
  ]);
});

test('a period takes what was signed in it, and what was the newest when it began', async () => {
  const spring = (START + 60 * 86_400) * 1000;
  const later = await log.pack({ ...DEPLOYMENT, from: spring });
  const report = await verified(later);
  assert.ok(holds(report.claims, report.required));
  expectClaim(report, 'question', 'not proved', /from 2026-03-02T00:00:00.000Z; 1 of its entries do.*0 earlier and 0 later/);
  const earlier = await verified(await log.pack({ ...DEPLOYMENT, to: spring }));
  assert.ok(holds(earlier.claims, earlier.required));
  expectClaim(earlier, 'question', 'not proved', /to 2026-03-02.*; 2 of its entries do.*0 earlier and 1 later records/);
  expectClaim(
    earlier,
    'time',
    'proved',
    /all were recorded before 2026-01-01T00:09:09Z, according to w1.test, w2.test. Until 2026-01-01T00:03:05Z, w1.test, w2.test had been shown the log without them/,
  );
});

test('everything in the log proves that nothing is missing', async () => {
  const pack = await log.pack({ subjects: ['deploy/**'], attachments: 'none', everything: true });
  const report = await verified(pack);
  assert.ok(holds(report.claims, report.required));
  expectClaim(report, 'complete', 'proved', /holds all 37 entries of this head, as witnesses saw it by 2026-04-01/);
  expectClaim(report, 'attachments', 'not proved', /No attachment is in the file; 4 others are left out/);
});

test('what was done to a file before it was handed over shows', async () => {
  const items = await itemsOf(honest);
  const asks = (question: Question): PackItem[] =>
    items.map((item) => (item.kind === 'header' ? { ...item, header: { ...item.header, question } } : item));
  // The question is another one, which nothing in the file is about.
  for (const subjects of [['nothing/here'], []])
    expectClaim(await verified(packOf(asks({ ...DEPLOYMENT, subjects }))), 'answered', 'failed', /Nothing in the file answers/);
  const all = await itemsOf(await log.pack({ subjects: [], attachments: 'none', everything: true, to: 9e15 }));
  expectClaim(await verified(packOf(all)), 'complete', 'not proved', /the period that was asked for goes on after that/);
});

test('what goes on is not approved again, and an emergency before the period is seen', async () => {
  const service = await PackLog.begin();
  const digest = new Uint8Array(32).fill(1);
  const named = { environment: 'prod', service: 'x', model: digest, config: digest, state: digest, approvals: [] };
  const deploy = (more: object = {}): Promise<Uint8Array> =>
    service.add(engineer, {
      type: 'deployment',
      subject: 'deploy/prod/x',
      phase: 'active',
      ...named,
      break_glass: true,
      ...more,
    });
  await deploy();
  service.head();
  service.now += 86_400;
  const from = service.now * 1000;
  await service.add(engineer, { type: 'incident', subject: 'deploy/prod/x', severity: 'low', aware_at: 1, affected: [] });
  service.head();
  const report = await verified(await service.pack({ subjects: ['deploy/prod/x'], attachments: 'none', from }));
  expectClaim(report, 'approvals', 'failed', /entry 3 put into service had no approvals/);
});

test('only keys of the reader count', async () => {
  const strangers = policyWith('both', [noteSigner('log.test/evidence', KEY_TYPE.ed25519, 77)]);
  const report = await verified(honest, strangers);
  expectClaim(report, 'head-signed', 'failed', /carries? no signature|not trusted|no known/);
  assert.not(holds(report.claims, report.required));
  const proved = report.claims.filter(({ verdict }) => verdict === 'proved').map(({ name }) => name);
  assert.equal(proved, [], 'without a head nothing is proved');
  const elsewhere = policyWith('both', [noteSigner('another.log', KEY_TYPE.ed25519, 1)]);
  expectClaim(await verified(honest, elsewhere), 'head-signed', 'failed', /no key of the log "log.test\/evidence" is trusted/);
});

test('the quorum is that of the reader', async () => {
  const alone = await PackLog.begin();
  alone.head([witnesses[0]]);
  const pack = await alone.pack({ subjects: ['charter'], attachments: 'none' });
  expectClaim(await verified(pack), 'quorum', 'failed', /"both" is not met; not cosigned by w2.test/);
  const one = await verified(pack, packPolicy('w1.test'));
  assert.ok(holds(one.claims, one.required));
  const none = await verified(pack, packPolicy('none'));
  expectClaim(none, 'quorum', 'proved', /No witness is asked for/);
  expectClaim(none, 'time', 'not proved', /No witness that you named says when/);
});

test('a head among the entries has to be of the same history', async () => {
  const items = await itemsOf(honest);
  const other = await PackLog.begin();
  other.now += 5;
  await other.enrol(person('mallory', 66), 'engineer');
  const foreign = other.head();
  const at = items.findIndex((item) => item.kind === 'head');
  const size = 3;
  assert.is(foreign.size, size + 1);
  const swapped = items.map((item, i): PackItem => (i === at ? { kind: 'head', note: foreign.note } : item));
  expectClaim(await verified(packOf(swapped)), 'heads-agree', 'failed', /not of this history/);
});

test('what is left out of the rules is found where it decides', async () => {
  const without = async (type: string): Promise<PackReport> => {
    const { entries } = log.index.select(DEPLOYMENT);
    const drop = entries.find((index) => recordOf(log.entries[index]) === type) as number;
    return verified(await log.pack(DEPLOYMENT, [], new Set([drop])));
  };
  const unapproved = await without('approval');
  expectClaim(unapproved, 'included', 'proved', /All 12 entries/);
  expectClaim(unapproved, 'admitted', 'failed', /do not admit entries 7, 8, .*entry 3 .*needs 1 approvals by approver/);
  expectClaim(unapproved, 'approvals', 'failed', /did not admit entries 7, 8 and 34/);
  const nobody = await without('identity');
  expectClaim(nobody, 'statements-signed', 'failed', /does not hold, or is of nobody whom the log knew/);
  const lawless = await without('charter');
  expectClaim(lawless, 'rules-of-the-log', 'failed', /does not begin with the charter/);
  const broken = await without('deployment intent');
  expectClaim(broken, 'chain', 'failed', /entry 8 names as the record before is not the one in the file/);
});

test('a record that names none before it leaves the chain open', async () => {
  const loose = await PackLog.begin();
  for (const n of [1, 2]) {
    const facts = { subject: 'incident/x', severity: 'low', aware_at: n, affected: [], prev: undefined };
    await loose.add(engineer, { type: 'incident', ...facts });
  }
  loose.head();
  const report = await verified(await loose.pack({ subjects: ['incident/x'], attachments: 'none' }));
  expectClaim(report, 'chain', 'not proved', /entry 4 names no record before/);
  assert.ok(holds(report.claims, report.required));
  assert.not(holds(report.claims, [...report.required, 'chain']));
});

test('an emergency is no approval', async () => {
  const urgent = await PackLog.begin();
  const digest = new Uint8Array(32).fill(1);
  const named = { environment: 'prod', service: 'x', model: digest, config: digest, state: digest, approvals: [] };
  await urgent.add(engineer, { type: 'deployment', subject: 'deploy/prod/x', phase: 'active', break_glass: true, ...named });
  urgent.head();
  const report = await verified(await urgent.pack({ subjects: ['deploy/**'], attachments: 'none' }));
  expectClaim(report, 'admitted', 'proved', /admitted by the rules/);
  expectClaim(report, 'approvals', 'failed', /entry 3 put into service had no approvals: it was declared an emergency/);
});

test('a date that does not fit the heads around it is found', async () => {
  const facts = { subject: 'incident/x', severity: 'low', affected: [], aware_at: 1 };
  const late = await PackLog.begin();
  late.head();
  late.now += 1000;
  await late.add(engineer, { type: 'incident', ...facts });
  late.now -= 1000;
  late.head();
  const question: Question = { subjects: ['incident/x'], attachments: 'none' };
  expectClaim(await verified(await late.pack(question)), 'dates', 'failed', /date of entry 3 does not fit/);
  const early = await PackLog.begin();
  early.now += 5000;
  early.head();
  early.now -= 4900;
  await early.add(engineer, { type: 'incident', ...facts });
  early.now += 5000;
  early.head();
  expectClaim(await verified(await early.pack(question)), 'dates', 'failed', /date of entry 3 does not fit/);
});

test('an anchor is a tree that the signer had seen', async () => {
  for (const [root, verdict] of [
    ['true', 'proved'],
    ['false', 'failed'],
  ] as const) {
    const anchored = await PackLog.begin();
    const anchor = { size: 2, root: root === 'true' ? anchored.rootAt(2) : new Uint8Array(32) };
    await anchored.add(engineer, {
      type: 'incident',
      subject: 'incident/x',
      severity: 'low',
      aware_at: 1,
      affected: [],
      anchor,
    });
    anchored.head();
    const report = await verified(await anchored.pack({ subjects: ['incident/x'], attachments: 'none' }));
    expectClaim(report, 'anchors', verdict, root === 'true' ? /1 record names a tree/ : /entry 3 names was never the log's/);
  }
});

test('a revocation that came later, and a correction, are in the file', async () => {
  const taken = await PackLog.begin();
  const facts = { subject: 'incident/x', severity: 'low', affected: [], aware_at: 1 };
  const leaf = await taken.add(engineer, { type: 'incident', ...facts });
  await taken.add(admin, { type: 'identity', subject: 'identity/engineer', action: 'revoke', id: 'engineer' });
  await taken.add(admin, { type: 'correction', subject: 'incident/x', supersedes: leaf });
  taken.head();
  const question: Question = { subjects: ['incident/x'], to: (START + 1000) * 1000, attachments: 'none' };
  const report = await verified(await taken.pack({ ...question, to: (taken.now - 100) * 1000 }));
  assert.is(report.entries, 5);
  expectClaim(report, 'corrected', 'proved', /1 record in the file is superseded/);
  assert.equal(claimOf(report, 'corrected').details, ['entry 3 is superseded by entry 5']);
});

test('a charter that the log slipped in later makes no rules', async () => {
  const slipped = await PackLog.begin();
  const own = { administrators: [{ id: 'engineer', key: encodeCoseKey(engineer.signer.key), roles: ['administrator'] }] };
  const policy = { rules: [{ name: 'all', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] }] };
  const keys = logKeys.map(({ key }) => formatVerifierKey(key));
  const charter = {
    subject: 'charter',
    origin: 'log.test/evidence',
    log_keys: keys,
    threshold: 1,
    witnesses: [],
    prev: undefined,
  };
  await slipped.add(engineer, { type: 'charter', ...charter, ...own, policy });
  await slipped.add(engineer, { type: 'incident', subject: 'incident/x', severity: 'low', aware_at: 1, affected: [] });
  slipped.head();
  const pack = await slipped.pack({ subjects: ['charter', 'incident/x'], attachments: 'none' }, [], new Set([0, 1, 2]));
  expectClaim(await verified(pack), 'rules-of-the-log', 'failed', /does not begin with the charter/);
});

test('another log with the same name is not this one', async () => {
  const twin = new PackLog();
  await twin.add(admin, {
    type: 'charter',
    subject: 'charter',
    origin: 'log.test/evidence',
    log_keys: ['log.test/evidence+00000000+AQ=='],
    administrators: [{ id: 'admin', key: encodeCoseKey(admin.signer.key), roles: ['administrator'] }],
    threshold: 1,
    policy: { rules: [] },
    witnesses: [],
  });
  twin.head();
  const report = await verified(await twin.pack({ subjects: ['charter'], attachments: 'none' }));
  expectClaim(report, 'rules-of-the-log', 'failed', /no key that the charter and its amendments name/);
});

test.run();
