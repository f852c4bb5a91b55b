import { configDigest, type RecordOf, stateDigest } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, holds, type Question } from '../src/index.js';
import { admin, engineer, PackLog, person, verified } from './pack-log.js';

// Deployments whose approvals are given to what announces them: before they are given, nothing has them.

const SUBJECT = 'deploy/prod/x';
const reviewer = person('reviewer', 23);
const second = person('second', 24);
const digest = new Uint8Array(32).fill(1);
const files = [{ path: 'a', digest }];
const RULES: RecordOf<'policy'>['policy']['rules'] = [
  { name: 'administrators', who: { roles: ['administrator'] }, may: ['*'], on: ['**'], grants: ['engineer', 'approver'] },
  { name: 'engineers', who: { roles: ['engineer'] }, may: ['*'], on: ['**'] },
  { name: 'approvers', who: { roles: ['approver'] }, may: ['approval'], on: ['**'] },
];

/** A log whose deployments need approvals, with a model and a configuration. */
class Service {
  readonly log: PackLog;
  #members: object = {};

  private constructor(log: PackLog) {
    this.log = log;
  }

  static async begin(need = 1): Promise<Service> {
    const service = new Service(await PackLog.begin());
    const { log } = service;
    await service.policy(need);
    await log.enrol(second, 'approver');
    const model = await log.add(engineer, {
      ...{ type: 'model', subject: 'model/x', name: 'x', version: '1', digest, change: 'new', parents: [], training_data: [] },
    });
    const config = await log.add(engineer, { type: 'config', subject: 'config/x', name: 'x', version: '1', files });
    const state = stateDigest(digest, configDigest({ files } as unknown as RecordOf<'config'>));
    service.#members = { environment: 'prod', service: 'x', model, config, state, approvals: [] };
    return service;
  }

  policy(need: number, more: object = {}): Promise<Uint8Array> {
    const approvals = need === 0 ? [] : [{ on: 'deploy/**', need, roles: ['approver'], not_author: true, ...more }];
    const policy = { rules: RULES, approvals, limits: { break_glass: true } };
    return this.log.add(admin, { type: 'policy', subject: 'policy', policy });
  }

  deploy(phase: string, more: object = {}): Promise<Uint8Array> {
    return this.log.add(engineer, { type: 'deployment', subject: SUBJECT, phase, ...this.#members, ...more });
  }

  decide(target: Uint8Array, decision = 'approve', by = reviewer): Promise<Uint8Array> {
    return this.log.add(by, { type: 'approval', subject: SUBJECT, target, decision, role: 'approver' });
  }

  /** What a pack says of the approvals; undefined when it says nothing. */
  async claim(question: Partial<Question> = {}): Promise<Claim | undefined> {
    this.log.head();
    const { claims, required } = await verified(await this.log.pack({ subjects: [SUBJECT], attachments: 'none', ...question }));
    const claim = claims.find(({ name }) => name === 'approvals');
    assert.ok(holds(claims, required) === (claim?.verdict !== 'failed'), JSON.stringify(claims));
    assert.is(holds(claims, [...required, 'approvals']), claim?.verdict === 'proved');
    return claim;
  }

  /** Fails unless the claim has this verdict and its sentence reads so. */
  async expect(verdict: Claim['verdict'], text: RegExp, question: Partial<Question> = {}): Promise<string[]> {
    const claim = await this.claim(question);
    assert.is(claim?.verdict, verdict, claim?.text);
    assert.match(claim?.text ?? '', text);
    return [...(claim?.details ?? [])];
  }
}

test('what is announced has the approvals when they are there, and not before', async () => {
  const service = await Service.begin(2);
  const intent = await service.deploy('intent');
  const missing = /What entry 7 announced has not the approvals that it needs to go into service/;
  assert.equal(await service.expect('not proved', missing), ['entry 7, intent: no approval']);
  await service.decide(intent);
  const once = 'entry 7, intent: no approval; then approved by reviewer as approver (entry 8)';
  assert.equal(await service.expect('not proved', missing), [once]);
  await service.decide(intent, 'approve', second);
  const twice = `${once}; then approved by second as approver (entry 9)`;
  assert.equal(await service.expect('proved', /The deployment had the approvals/), [twice]);
  await service.decide(intent, 'reject', second);
  const details = await service.expect('not proved', missing);
  assert.equal(details, [`${twice}; then rejected by second as approver (entry 10)`]);
});

test('what went into service had them: its announcement counts with it', async () => {
  const service = await Service.begin();
  await service.decide(await service.deploy('intent'));
  await service.deploy('active');
  const details = await service.expect('proved', /Each of the 2 deployments had the approvals/);
  assert.match(details[1], 'entry 9, active: approved by reviewer as approver (entry 8)');
  // Another announcement afterwards is another matter.
  await service.deploy('intent');
  await service.expect('not proved', /What entry 10 announced has not/);
});

test('what came to nothing needed no approvals', async () => {
  const ended = await Service.begin();
  await ended.deploy('intent');
  await ended.deploy('ended');
  assert.is(await ended.claim(), undefined, 'nothing was deployed, and so nothing is said');
  const replaced = await Service.begin();
  await replaced.decide(await replaced.deploy('intent'), 'reject');
  await replaced.decide(await replaced.deploy('intent'));
  await replaced.deploy('active');
  await replaced.expect('proved', /Each of the 2 deployments had the approvals/);
});

test('what the rules did not admit counts as no announcement, and tells nothing about the one before', async () => {
  const service = await Service.begin();
  await service.deploy('intent');
  await service.deploy('active');
  service.log.head();
  const { claims } = await verified(await service.log.pack({ subjects: [SUBJECT], attachments: 'none' }));
  const claim = claims.find(({ name }) => name === 'approvals');
  assert.is(claim?.verdict, 'failed');
  assert.match(claim?.text ?? '', /did not admit entry 8/);
});

test('what is approved too long ago may not go into service any more', async () => {
  const service = await Service.begin();
  await service.policy(1, { within: 600 });
  await service.decide(await service.deploy('intent'));
  await service.expect('proved', /had the approvals/);
  service.log.now += 3600;
  await service.log.enrol(person('late', 25), 'engineer');
  await service.expect('not proved', /What entry 8 announced has not/, { everything: true, subjects: [] });
});

test('without the rule the announcement is not approved, and what goes into service is not said to be', async () => {
  const service = await Service.begin();
  await service.deploy('intent');
  await service.policy(0);
  await service.expect('not proved', /What entry 7 announced has not/, { everything: true, subjects: [] });
  await service.deploy('active');
  await service.expect('proved', /asked for no approvals/, { everything: true, subjects: [] });
});

test('an emergency has no approvals, nor has what announced it', async () => {
  const service = await Service.begin();
  await service.deploy('intent');
  await service.deploy('active', { break_glass: true });
  await service.expect('failed', /What entries 7 and 8 put into service had no approvals: it was declared an emergency/);
});

test('a period that ends before the approval does not know of it', async () => {
  const service = await Service.begin();
  const intent = await service.deploy('intent');
  const to = service.log.now * 1000 + 1;
  await service.decide(intent);
  await service.deploy('active');
  await service.expect('not proved', /What entry 7 announced has not/, { to });
  await service.expect('proved', /had the approvals/);
});

test.run();
