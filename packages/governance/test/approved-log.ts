import type { ApprovalRule, PolicyBody } from '@treering/record';
import * as assert from 'uvu/assert';
import { type Candidate, saveState } from '../src/index.js';
import { configDraft, modelDraft } from './drafts.js';
import { enrolment, type GovernedLog, governedLog, party } from './governed-log.js';

/** The administrator. */
export const ada = party('ada', 1);
/** An engineer who also approves. */
export const eve = party('eve', 2);
/** Another one. */
export const bob = party('bob', 3);
/** An approver and auditor. */
export const carol = party('carol', 4);
/** A workload with the roles of an engineer and approver. */
export const bot = party('bot', 5);
/** What deployments are about. */
export const SUBJECT = 'deploy/production/credit';
/** What models are about. */
export const MODEL = 'model/score';

/** An approval rule. */
export const need = (on: string, count: number, change: Partial<ApprovalRule> = {}): ApprovalRule => ({
  on,
  need: count,
  roles: ['approver'],
  not_author: true,
  ...change,
});

/** A log of eve and bob, engineers who also approve, of carol, an approver and auditor, and of a workload with their roles. */
async function staffed(rules: Pick<PolicyBody, 'approvals' | 'gates'>): Promise<GovernedLog> {
  const policy: PolicyBody = {
    rules: [
      {
        name: 'all',
        who: { roles: ['engineer', 'approver', 'auditor'] },
        may: ['*'],
        on: ['model/*', 'config/*', 'deploy/**'],
      },
    ],
    ...rules,
    limits: { break_glass: true },
  };
  const log = await governedLog([ada], policy);
  await log.log(ada, enrolment(eve, ['engineer', 'approver']));
  await log.log(ada, enrolment(bob, ['engineer', 'approver']));
  await log.log(ada, enrolment(carol, ['approver', 'auditor']));
  await log.log(ada, enrolment(bot, ['engineer', 'approver'], { kind: 'workload' }));
  return log;
}

/** A log with a model by eve and a configuration by bob. */
export async function begun(
  ...rules: ApprovalRule[] | [Pick<PolicyBody, 'gates'>]
): Promise<{ log: GovernedLog; model: Candidate; config: Candidate }> {
  const [first] = rules;
  const log = await staffed(first !== undefined && 'gates' in first ? first : { approvals: rules as ApprovalRule[] });
  return { log, model: await log.log(eve, modelDraft('score')), config: await log.log(bob, configDraft('credit')) };
}

/** Fails unless a refusal leaves the state as it was. */
export async function refusesUnchanged(log: GovernedLog, ...args: Parameters<GovernedLog['refuses']>): Promise<string> {
  const before = saveState(log.state);
  const { message } = await log.refuses(...args);
  assert.equal(saveState(log.state), before);
  return message;
}

/** The name of an approval rule in a refusal. */
export const rule = (on: string): string => `policy@0/approvals/${on}`;
