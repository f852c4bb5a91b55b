import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { explainPolicy, ruleFor } from '@treering/governance';
import {
  type ChangeRecord,
  diffRecords,
  type PolicyBody,
  printable,
  type RecordOf,
  recordSchemas,
  recordToJson,
} from '@treering/record';
import type { Json } from '@treering/statement';
import { stringify } from 'yaml';
import { z } from 'zod';
import { EXIT, UsageError } from '../exit.js';
import { readPolicyFile } from '../policy-file.js';
import { provedRules } from '../replay.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { parseYaml } from '../yaml.js';

/** `policy show`: the policy in force, in plain language or as YAML. */
export async function showPolicy(session: Session, flags: { yaml?: boolean }): Promise<void> {
  const { index, policy } = await policyInForce(session);
  const { terminal } = session;
  if (flags.yaml) terminal.line(stringify(toJson(policy), { lineWidth: 0 }).trimEnd());
  else {
    terminal.line(terminal.bold(`The policy of entry ${index}`));
    for (const sentence of explainPolicy(policy).sentences) terminal.line(`  ${printable(sentence)}`);
  }
  terminal.result({ index, policy: toJson(policy) });
}

/** `policy check`: reads a policy file to people, before anybody signs it. */
export async function checkPolicy(session: Session, path: string): Promise<number> {
  const { terminal } = session;
  const { sentences, mistakes, remarks } = explainPolicy(await readPolicyFile(resolve(session.cwd, path)));
  for (const sentence of sentences) terminal.line(printable(sentence));
  for (const remark of remarks) terminal.line(`${terminal.colour('dim', '?')} ${printable(remark)}`);
  for (const mistake of mistakes) terminal.line(`${terminal.colour('bad', '✗')} ${printable(mistake)}`);
  terminal.result({ sentences, mistakes, remarks });
  return mistakes.length === 0 ? EXIT.ok : EXIT.failed;
}

const cases = z.strictObject({
  cases: z
    .array(
      z.strictObject({
        name: z.string().optional(),
        who: z.strictObject({ id: z.string().default('somebody'), roles: z.array(z.string()).default([]) }),
        records: z.enum(Object.keys(recordSchemas) as [ChangeRecord['type'], ...ChangeRecord['type'][]]),
        on: z.string(),
        expect: z.enum(['allowed', 'refused']),
        rule: z.string().optional(),
      }),
    )
    .min(1),
});

/** `policy test`: tries a policy out on a table of cases. */
export async function testPolicy(session: Session, path: string, table: string): Promise<number> {
  const { terminal, cwd } = session;
  const policy = await readPolicyFile(resolve(cwd, path));
  const parsed = cases.safeParse(parseYaml(await readFile(resolve(cwd, table), 'utf8')));
  if (!parsed.success)
    throw new UsageError(`${table}: ${parsed.error.issues[0].path.join('.')} ${parsed.error.issues[0].message}`);
  let failed = 0;
  const results = parsed.data.cases.map((one) => {
    const rule = ruleFor(policy, one.who, one.records, one.on)?.name;
    const good = (rule !== undefined) === (one.expect === 'allowed') && (one.rule === undefined || one.rule === rule);
    if (!good) failed++;
    const name = one.name ?? `${one.who.id} (${one.who.roles.join(', ') || 'no role'}) records ${one.records} on ${one.on}`;
    const outcome = rule === undefined ? 'refused by default' : `allowed by ${rule}`;
    const mark = good ? terminal.colour('good', '✓') : terminal.colour('bad', '✗');
    terminal.line(
      `${mark} ${printable(name)}: ${outcome}${good ? '' : `, expected ${one.expect}${one.rule === undefined ? '' : ` by ${one.rule}`}`}`,
    );
    return { name, good, rule: rule ?? null };
  });
  terminal.line(`${results.length - failed} of ${results.length} cases are as expected`);
  terminal.result({ passed: results.length - failed, failed, results });
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

/** `policy diff`: what a policy file changes of the policy in force, or of another file. */
export async function diffPolicy(session: Session, path: string, other: string | undefined): Promise<void> {
  const { terminal, cwd } = session;
  const after = await readPolicyFile(resolve(cwd, path));
  const before = other === undefined ? (await policyInForce(session)).policy : await readPolicyFile(resolve(cwd, other));
  const differences = changesBetween(before, after);
  for (const { path: member, before: old, after: now } of differences) {
    const name = printable(member);
    terminal.line(
      old === undefined ? `+ ${name}: ${now}` : now === undefined ? `- ${name}: ${old}` : `~ ${name}: ${old} → ${now}`,
    );
  }
  if (differences.length === 0) terminal.line('no difference');
  terminal.result({ differences });
}

/** Flags of `policy set`. */
export interface SetPolicyFlags {
  readonly reason: string;
  readonly out?: string;
  readonly wait: boolean;
}

/** `policy set`: signs a policy and records it. */
export async function setPolicy(session: Session, path: string, flags: SetPolicyFlags): Promise<void> {
  const { terminal, cwd } = session;
  const policy = await readPolicyFile(resolve(cwd, path));
  const client = session.client();
  const prev = await previousLeaf(client, 'policy');
  const record: RecordOf<'policy'> = {
    v: 1,
    type: 'policy',
    subject: 'policy',
    reason: flags.reason,
    policy,
    ...(prev === undefined ? {} : { prev }),
  };
  const proof = flags.out === undefined ? join(cwd, 'policy.tlog-proof') : resolve(cwd, flags.out);
  // Nobody's change of the rules is put on top of another one that its signer has not seen.
  const logged = await submitRecord(session, client, record, { proof, wait: flags.wait, rebase: false });
  const { threshold } = await client.about();
  if (typeof threshold === 'number' && threshold > 1)
    terminal.remark(
      `${threshold} administrators must agree: the others run "treering approve ${logged.index} --role administrator --reason ..."`,
    );
}

/** The policy in force, proved by a replay: it is not only what the log says. */
export async function policyInForce(session: Session): Promise<{ index: number; policy: PolicyBody }> {
  const { state } = await provedRules(session, session.client());
  if (state.policy === undefined) throw new UsageError('the log has no charter, and so no policy');
  return { index: state.policyIndex, policy: state.policy };
}

function changesBetween(before: PolicyBody, after: PolicyBody) {
  const wrap = (policy: PolicyBody): RecordOf<'policy'> => ({
    v: 1,
    type: 'policy',
    subject: 'policy',
    reason: 'To be compared.',
    policy,
  });
  return diffRecords(wrap(before), wrap(after));
}

function toJson(policy: PolicyBody): Json {
  const record = recordToJson({ v: 1, type: 'policy', subject: 'policy', reason: 'To be shown to people.', policy });
  return (record as { policy: Json }).policy;
}
