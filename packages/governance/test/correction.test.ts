import type { PolicyBody } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Audit, type Candidate, restoreState, saveState } from '../src/index.js';
import { modelDraft } from './drafts.js';
import { candidateOf, type Draft, enrolment, type GovernedLog, governedLog, incident, NOW, party } from './governed-log.js';

// Two teams with a subject each, and a registrar whose enrolments name evidence.

const [ada, alice, mallory, rita, guest] = ['ada', 'alice', 'mallory', 'rita', `ci-${'a'.repeat(26)}`].map((id, i) =>
  party(id, 160 + i),
);
const POLICY: PolicyBody = {
  rules: [
    { name: 'team-a', who: { roles: ['team-a'] }, may: ['model', 'incident', 'correction'], on: ['model/a'] },
    {
      name: 'team-b',
      who: { roles: ['team-b'] },
      may: ['model', 'incident', 'correction'],
      on: ['model/b', 'identity/mallory'],
    },
    { name: 'registrars', who: { roles: ['registrar'] }, may: ['identity', 'correction'], on: ['identity/*'] },
  ],
  oidc: [
    {
      name: 'ci',
      issuer: 'https://ci.example',
      audience: 'log',
      kind: 'workload',
      prefix: 'ci',
      binding: 'audience',
      grants: [{ claims: { ref: 'main' }, roles: ['machine'] }],
      valid_for: 3600,
    },
  ],
};
const digestOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const naming = (...fills: number[]) => ({
  attachments: fills.map((fill) => ({
    name: `${fill}`,
    media_type: 'text/plain',
    size: 1,
    digest: digestOf(fill),
    access: 'public' as const,
  })),
});
const correction = (subject: string, { leaf }: Pick<Candidate, 'leaf'>, ...erased: number[]): Draft => ({
  type: 'correction',
  subject,
  supersedes: leaf,
  ...(erased.length === 0 ? {} : { erased: erased.map(digestOf) }),
});

async function teams(): Promise<GovernedLog> {
  const log = await governedLog([ada], POLICY);
  for (const [who, role] of [
    [alice, 'team-a'],
    [mallory, 'team-b'],
    [rita, 'registrar'],
  ] as const)
    await log.log(ada, enrolment(who, [role]));
  return log;
}

const TARGET = ['governance/correction-target', 'correction'] as const;
const OWNER = ['governance/not-its-attachment', 'correction'] as const;

test('an attachment is erased through the entry that named it first, and through no other', async () => {
  const log = await teams();
  const first = await log.log(alice, { ...modelDraft('a'), ...naming(1, 2) });
  const theirs = await log.log(mallory, { ...modelDraft('b'), ...naming(2, 3) });
  const again = await log.log(alice, incident('model/a', naming(1)));
  const { message } = await log.refuses(mallory, correction('model/b', theirs, 3, 2), ...OWNER);
  assert.match(message, /named by entry 4 first/);
  await log.refuses(alice, correction('model/a', again, 1), ...OWNER);
  await log.refuses(alice, correction('model/a', first, 1, 9), ...OWNER);
  await log.refuses(mallory, correction('model/a', first, 1), 'governance/not-allowed', 'default deny');
  await log.log(mallory, correction('model/b', theirs, 3), 'policy@0/team-b');
  await log.log(alice, correction('model/a', first, 1, 2), 'policy@0/team-a');
});

test('a correction is about an entry of its own subject', async () => {
  const log = await teams();
  const first = await log.log(alice, modelDraft('a'));
  for (const target of [first, { leaf: digestOf(7) }]) await log.refuses(mallory, correction('model/b', target), ...TARGET);
  await log.log(alice, correction('model/a', first));
});

test('the evidence of an enrolment is erased by who may correct identities, and not by naming it elsewhere', async () => {
  const log = await teams();
  const evidence = { digest: digestOf(5), access: 'restricted' as const };
  const oidc = { provider: 'ci', token: digestOf(6) };
  const attachments = naming(5).attachments.map((one) => ({ ...one, access: 'restricted' as const }));
  const enrolled = enrolment(guest, ['machine'], { kind: 'workload', valid_until: NOW + 60, oidc, evidence, attachments });
  const entry = await log.log(rita, enrolled, 'policy@0/registrars');
  const theirs = await log.log(mallory, { ...modelDraft('b'), ...naming(5) });
  await log.refuses(mallory, correction('model/b', theirs, 5), ...OWNER);
  await log.refuses(mallory, correction('identity/mallory', entry, 5), ...TARGET);
  await log.log(rita, correction(enrolled.subject, entry, 5), 'policy@0/registrars');
});

test('whose an attachment is survives a snapshot, and what is taken back leaves it to nobody', async () => {
  const log = await teams();
  const before = saveState(log.state);
  const theirs = await candidateOf(mallory, { ...modelDraft('b'), ...naming(1, 1, 2) });
  const undo = log.state.apply(log.size, theirs);
  assert.is(log.state.namedBy(digestOf(1)), log.size);
  undo();
  assert.equal(saveState(log.state), before);
  await log.log(alice, { ...modelDraft('a'), ...naming(1) });
  assert.is(restoreState(saveState(log.state)).namedBy(digestOf(1)), 4);
});

test('an audit finds a correction that the log should not have taken', async () => {
  const audit = new Audit();
  const log = await teams();
  const found: string[] = [];
  const take = async (by: typeof ada, draft: Draft): Promise<Candidate> => {
    const candidate = await candidateOf(by, draft);
    const result = await audit.next(candidate.statement.entry);
    if (!result.admitted) found.push(result.finding.code);
    return candidate;
  };
  const charter = log.state.charter as NonNullable<typeof log.state.charter>;
  await take(ada, charter);
  await take(ada, enrolment(alice, ['team-a']));
  await take(ada, enrolment(mallory, ['team-b']));
  await take(alice, { ...modelDraft('a'), ...naming(1) });
  const theirs = await take(mallory, { ...modelDraft('b'), ...naming(1) });
  assert.equal(found, []);
  await take(mallory, correction('model/b', theirs, 1));
  await take(mallory, correction('model/b', { leaf: digestOf(0) }));
  assert.equal(found, ['governance/not-its-attachment', 'governance/correction-target']);
});

test.run();
