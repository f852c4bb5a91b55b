import type { PolicyBody } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EXAMPLES, RECORD_TYPES } from '../../record/test/examples.js';
import { type Candidate, type Decision, saveState } from '../src/index.js';
import { approvalDraft, configDraft, deploymentDraft, modelDraft } from './drafts.js';
import { decideForeign, foreignOf } from './foreign-statement.js';
import {
  candidateOf,
  type Draft,
  enrolment,
  type GovernedLog,
  governedLog,
  NOW,
  ORIGIN,
  party,
  revocation,
} from './governed-log.js';

// Who may record what under a policy as a bank would have it. A word is the rule of the policy that allows, or one of OUTCOMES.
const TABLE = `
                 ada         rolf        emil        anna        maschine    rita     nobody      revoked  expired
charter          exists      exists      exists      exists      exists      exists      unknown     exists   exists
amendment        by-charter  no-charter  no-charter  no-charter  no-charter  no-charter  unknown     revoked  expired
policy           by-charter  no-charter  no-charter  no-charter  no-charter  no-charter  unknown     revoked  expired
map-head         log-only    log-only    log-only    log-only    log-only    log-only    unknown     revoked  expired
enrol-engineer   by-charter  -           -           -           -           registrars  unknown     revoked  expired
enrol-approver   by-charter  -           -           -           -           no-grant    unknown     revoked  expired
enrol-admin      by-charter  -           -           -           -           no-charter  unknown     revoked  expired
enrol-as-ada     by-charter  -           -           -           -           no-charter  unknown     revoked  expired
revoke-emil      by-charter  -           -           -           -           registrars  unknown     revoked  expired
revoke-ada       locks-out   -           -           -           -           no-charter  unknown     revoked  expired
system           -           wardens     -           -           -           -           unknown     revoked  expired
model            -           -           engineers   -           -           -           unknown     revoked  expired
config           -           -           engineers   -           -           -           unknown     revoked  expired
evaluation       -           -           engineers   -           machines    -           unknown     revoked  expired
change-plan      -           -           planners    -           -           -           unknown     revoked  expired
assessment       -           -           -           assessors   -           -           unknown     revoked  expired
approval         -           -           -           approvers   -           -           unknown     revoked  expired
deployment       -           -           engineers   -           machines    -           unknown     revoked  expired
break-glass      -           -           limits      -           limits      -           unknown     revoked  expired
attestation      -           -           -           -           machines    -           unknown     revoked  expired
verification     -           -           -           -           machines    -           unknown     revoked  expired
incident         -           everybody   everybody   everybody   everybody   -           unknown     revoked  expired
decision-batch   -           -           -           -           counters    -           unknown     revoked  expired
correction       -           wardens     engineers   -           -           -           unknown     revoked  expired
freeze           -           wardens     -           -           -           -           unknown     revoked  expired
freeze-all       -           -           -           -           -           -           unknown     revoked  expired
foreign          not-taken   not-taken   imports     not-taken   not-taken   not-taken   no-issuer   revoked  expired
foreign-map      reserved    reserved    reserved    reserved    reserved    reserved    no-issuer   reserved reserved
`;

const POLICY: PolicyBody = {
  rules: [
    {
      name: 'engineers',
      who: { roles: ['engineer'] },
      may: ['model', 'config', 'evaluation', 'deployment', 'correction'],
      on: ['model/*', 'config/*', 'deploy/**'],
    },
    { name: 'planners', who: { ids: ['emil'] }, may: ['change-plan'], on: ['system/*'] },
    { name: 'assessors', who: { roles: ['approver'] }, may: ['assessment'], on: ['system/*'] },
    { name: 'approvers', who: { roles: ['approver'] }, may: ['approval'], on: ['model/*', 'config/*', 'deploy/**'] },
    {
      name: 'machines',
      who: { roles: ['machine'] },
      may: ['evaluation', 'deployment', 'attestation', 'verification'],
      on: ['model/*', 'deploy/**'],
    },
    {
      name: 'wardens',
      who: { roles: ['administrator'], ids: ['rolf'] },
      may: ['system', 'correction', 'freeze'],
      on: ['system/*', 'model/*', 'freeze/*', 'deploy/**'],
    },
    {
      name: 'registrars',
      who: { roles: ['registrar'] },
      may: ['identity'],
      on: ['identity/*'],
      grants: ['engineer', 'machine'],
    },
    {
      name: 'everybody',
      who: { roles: ['engineer', 'approver', 'machine', 'administrator'], ids: ['rolf', 'emil', 'anna', 'maschine'] },
      may: ['incident'],
      on: ['**'],
    },
    { name: 'counters', who: { roles: ['machine'] }, may: ['decision-batch'], on: ['decisions/*'] },
    { name: 'imports', who: { roles: ['engineer'] }, may: ['foreign'], on: ['model/*'] },
  ],
  approvals: [{ on: 'deploy/production/**', need: 1, roles: ['approver'], not_author: true }],
};

/** Outcomes that no rule of the policy brings. */
const OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  'by-charter': ['admitted', 'charter/administrators'],
  '-': ['governance/not-allowed', 'default deny'],
  'no-charter': ['governance/not-allowed', 'charter/administrators'],
  'log-only': ['governance/not-allowed', 'charter'],
  'no-grant': ['governance/not-allowed', 'policy@0/registrars'],
  'locks-out': ['governance/locks-out', 'charter/administrators'],
  exists: ['governance/charter-exists', 'charter'],
  limits: ['governance/limit', 'policy@0/limits'],
  unknown: ['governance/unknown-key', 'identities'],
  'no-issuer': ['governance/unknown-key', 'identities'],
  'not-taken': ['governance/foreign', 'default deny'],
  reserved: ['governance/foreign', 'subject'],
  revoked: ['governance/revoked-key', 'identity@8'],
  expired: ['governance/expired-key', 'identity@7'],
};

const PARTIES = ['ada', 'rolf', 'emil', 'anna', 'maschine', 'rita', 'nobody', 'revoked', 'expired'].map((id, i) =>
  party(id, 81 + i),
);
const [ada, rolf, emil, anna, maschine, rita, , revoked, expired] = PARTIES;

async function staffed(): Promise<{ log: GovernedLog; model: Candidate; config: Candidate }> {
  const log = await governedLog([ada], POLICY);
  await log.log(ada, enrolment(rolf, ['administrator']));
  await log.log(ada, enrolment(emil, ['engineer']));
  await log.log(ada, enrolment(anna, ['approver']));
  await log.log(ada, enrolment(maschine, ['machine'], { kind: 'workload' }));
  await log.log(ada, enrolment(rita, ['registrar']));
  const everything = ['administrator', 'engineer', 'approver', 'machine', 'registrar'];
  await log.log(ada, enrolment(revoked, everything));
  await log.log(ada, enrolment(expired, everything, { valid_until: NOW - 1 }));
  await log.log(ada, revocation('revoked'));
  const model = await log.log(emil, modelDraft('credit-score'));
  return { log, model, config: await log.log(emil, configDraft('credit-api')) };
}

const { log, model, config } = await staffed();
const stranger = party('stranger', 99);
const freeze = (on: string): Draft => ({ type: 'freeze', subject: 'freeze/year-end', on });

/** What is recorded in a row that is not simply the example of its type. */
const DRAFTS: Readonly<Record<string, Draft>> = {
  'enrol-engineer': enrolment(stranger, ['engineer']),
  'enrol-approver': enrolment(stranger, ['engineer', 'approver']),
  'enrol-admin': enrolment(stranger, ['administrator']),
  'enrol-as-ada': enrolment(stranger, ['engineer'], { id: 'ada' }),
  'revoke-emil': revocation('emil'),
  'revoke-ada': revocation('ada', ada.key),
  approval: approvalDraft('model/credit-score', model),
  deployment: deploymentDraft(model, config),
  'break-glass': { ...EXAMPLES.deployment.minimal, break_glass: true },
  correction: { ...EXAMPLES.correction.minimal, supersedes: model.leaf },
  freeze: freeze('deploy/production/*'),
  'freeze-all': freeze('**'),
};

const foreignBy = (by: typeof ada, sub: string): Promise<Candidate> =>
  foreignOf(by.signer, { iss: `${ORIGIN}/identity/${by.id}`, sub });

async function decide(by: typeof ada, row: string): Promise<Decision> {
  if (row === 'foreign') return decideForeign(log, await foreignBy(by, 'model/credit-score'));
  if (row === 'foreign-map') return decideForeign(log, await foreignBy(by, 'map'));
  const draft = DRAFTS[row] ?? EXAMPLES[row as keyof typeof EXAMPLES].minimal;
  return decideForeign(log, await candidateOf(by, draft));
}

const [head, ...rows] = TABLE.trim()
  .split('\n')
  .map((line) => line.trim().split(/ +/));

test('the table has a column for everybody and a row for every record type', () => {
  assert.equal(
    head,
    PARTIES.map(({ id }) => id),
  );
  const names = rows.map(([name]) => name);
  for (const type of RECORD_TYPES) {
    if (type === 'identity') continue;
    assert.ok(names.includes(type), type);
  }
  assert.ok(names.some((name) => name.startsWith('enrol-')));
  for (const row of rows) assert.is(row.length, PARTIES.length + 1, row[0]);
});

for (const [name, ...cells] of rows) {
  test(`who may record ${name} is what the table says`, async () => {
    const before = saveState(log.state);
    for (const [i, cell] of cells.entries()) {
      const decision = await decide(PARTIES[i], name);
      if (!decision.admitted) {
        // What the command prints: why, with the name of whoever asked, or of what is in the way, and then the rule.
        assert.match(decision.message, /^.{20,}$/, `${PARTIES[i].id}: ${name}`);
        const speaks = cell !== '-' || decision.message.includes(`lets ${PARTIES[i].id} (`);
        assert.ok(speaks, `${PARTIES[i].id}: ${name}: ${decision.message}`);
      }
      const outcome = [decision.admitted ? 'admitted' : decision.code, decision.rule];
      assert.equal(outcome, OUTCOMES[cell] ?? ['admitted', `policy@0/${cell}`], `${PARTIES[i].id}: ${name}`);
    }
    assert.equal(saveState(log.state), before);
  });
}

test.run();
