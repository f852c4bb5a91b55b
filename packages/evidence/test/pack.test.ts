import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { holds, isPack, type Question } from '../src/index.js';
import { verdicts } from './fixture.js';
import { type Hospital, hospital, verified } from './pack-log.js';

const DEPLOYMENT: Question = { subjects: ['deploy/prod/triage'], attachments: 'restricted' };
const ward: Hospital = await hospital();
const { log } = ward;

test('a pack proves what it holds, and says what it does not prove', async () => {
  const pack = await log.pack(DEPLOYMENT);
  assert.ok(isPack(pack));
  const { claims, required, entries } = await verified(pack);
  assert.equal(verdicts(claims), {
    'head-signed': 'proved',
    quorum: 'proved',
    included: 'proved',
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

test.run();
