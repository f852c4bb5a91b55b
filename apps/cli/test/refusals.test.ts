import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { enrol, recordModel, refuses } from './people.js';

// What somebody sees who is refused: a sentence that says why, the rule that decided, and exit code 4.

const desk = await deskWithLog();
test.after(() => desk.served.close());

desk.write(
  'policy.yaml',
  `rules:
  - { name: engineers, who: { roles: [engineer] }, may: [model, incident, correction, freeze], on: ['model/*', 'freeze/*'] }
  - { name: approvers, who: { roles: [approver] }, may: [approval], on: ['model/*'] }
  - { name: registrars, who: { roles: [registrar] }, may: [identity], on: ['identity/*'], grants: [engineer] }
approvals:
  - { on: 'model/*', need: 1, roles: [approver], not_author: true }
limits: { attachments: 0 }
`,
);
const [eve, rita] = [await enrol(desk, 'eve', 'engineer', 'approver'), await enrol(desk, 'rita', 'registrar')];
const left = await enrol(desk, 'left', 'engineer');
const revoked = await desk.result(['revoke', 'left', '--reason', 'Left has left the company.']);
await desk.result(['keygen', 'friend', '--role', 'approver']);
await desk.result(['keygen', 'stranger', '--role', 'engineer']);
const model = await recordModel(desk, 'wink', '1', 'data/keys/admin.key');
const { index: policy } = await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'Each team has its own subjects.']);

const incident = (name: string, subject: string, more = ''): string => {
  const facts = 'reason: Something went wrong here.\nseverity: low\naware_at: 1767225600000\naffected: []\n';
  desk.write(name, `subject: ${subject}\n${facts}${more}`);
  return name;
};
const attached = `attachments: [{ name: a, media_type: text/plain, size: 1, digest: ${'ab'.repeat(32)}, access: withheld }]\n`;
const record = (type: string, file: string, key: string): string[] => ['record', type, '--file', file, '--key', key];
desk.write('threshold.yaml', 'subject: charter\nreason: More than there are.\nthreshold: 2\n');
desk.write(
  'erase.yaml',
  `subject: model/wink\nreason: It names no such thing.\nsupersedes: ${model.leaf}\nerased: [${'cd'.repeat(32)}]\n`,
);

const DECIDED: Record<string, { args: string[]; rule: string; code: string; says: RegExp }> = {
  'a type that no rule allows': {
    args: record('incident', incident('other.yaml', 'system/wink'), eve),
    rule: 'default deny',
    code: 'governance/not-allowed',
    says: /no rule of the policy lets eve \(engineer, approver\) record incident on system\/wink/,
  },
  'a role that the rule does not grant': {
    args: record('identity', 'friend.identity.yaml', rita),
    rule: `policy@${policy}/registrars`,
    code: 'governance/not-allowed',
    says: /gives engineer, and not approver/,
  },
  'more attachments than the limit': {
    args: record('incident', incident('attached.yaml', 'model/wink', attached), eve),
    rule: `policy@${policy}/limits`,
    code: 'governance/limit',
    says: /allows 0 attachments, this record names 1/,
  },
  'a key that is revoked': {
    args: record('incident', incident('revoked.yaml', 'model/wink'), left),
    rule: `identity@${revoked.index}`,
    code: 'governance/revoked-key',
    says: /was revoked by entry/,
  },
  'a key that nobody enrolled': {
    args: record('incident', incident('stranger.yaml', 'model/wink'), 'stranger.key'),
    rule: 'identities',
    code: 'governance/unknown-key',
    says: /no identity is enrolled/,
  },
  'a change of the rules by somebody else': {
    args: record('amendment', 'threshold.yaml', eve),
    rule: 'charter/administrators',
    code: 'governance/not-allowed',
    says: /only an administrator/,
  },
  'a threshold that nobody reaches': {
    args: ['record', 'amendment', '--file', 'threshold.yaml'],
    rule: 'charter/administrators',
    code: 'governance/locks-out',
    says: /only 1 would have keys that do not expire/,
  },
  'an erasure of what no entry names': {
    args: record('correction', 'erase.yaml', eve),
    rule: 'correction',
    code: 'governance/not-its-attachment',
    says: /no entry names an attachment/,
  },
};

for (const [what, { args, rule, code, says }] of Object.entries(DECIDED)) {
  test(`${what}: the message says why and names the rule, in text and in JSON`, async () => {
    const json = await refuses(desk, args, 4, code);
    const { message } = json.json().error;
    const text = await desk.call(args);
    assert.is(text.code, 4);
    for (const seen of [message, text.stderr]) {
      assert.match(seen, says);
      assert.ok(seen.includes(`(decided by: ${rule})`), seen);
    }
  });
}

test.run();
