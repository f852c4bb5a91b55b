import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type ChangeRecord, encodeRecord, isSubject, type RecordOf, validateRecord } from '../src/index.js';
import { digestOf, EXAMPLES } from './examples.js';
import { refuses } from './expect-error.js';

const incident = EXAMPLES.incident.minimal;
const about = (subject: string): unknown => ({ ...incident, subject });
const because = (reason: string): unknown => ({ ...incident, reason });
const hexCode = (text: string): string => `U+${(text.codePointAt(0) as number).toString(16)}`;

const SUBJECTS = [
  'a',
  'model/wink',
  'deploy/prod-eu/credit.api',
  'identity/trainer@ci',
  '0',
  '-',
  '_',
  '...',
  'a/b/c/d/e/f/g/h',
  `m/${'a'.repeat(198)}`,
];
const NO_SUBJECTS = [
  '',
  '/',
  'model/',
  '/model',
  'model//wink',
  'Model/wink',
  'model/wink one',
  'model/wïnk',
  'model/ｗink',
  'model/..',
  '../model',
  'model/./wink',
  '.',
  '..',
  'a/b/c/d/e/f/g/h/i',
  `m/${'a'.repeat(199)}`,
  'model/wink\n',
  '\nmodel',
  'model\0',
  'model%2fwink',
  'model:wink',
  'model\\wink',
  'model/*',
  'model?x',
  'model#x',
];

test('a subject is 1 to 8 segments of [a-z0-9._@-] within 200 bytes', () => {
  for (const subject of SUBJECTS) {
    assert.ok(isSubject(subject), subject);
    assert.is(validateRecord(about(subject)).subject, subject);
  }
  for (const subject of NO_SUBJECTS) {
    assert.not.ok(isSubject(subject), JSON.stringify(subject));
    refuses(() => validateRecord(about(subject)), 'record/invalid', JSON.stringify(subject), /subject/);
  }
});

test('the records of these types stand under the subject that their members name', () => {
  const wanted: readonly [ChangeRecord, string][] = [
    [EXAMPLES.charter.minimal, 'charter'],
    [EXAMPLES.policy.minimal, 'policy'],
    [EXAMPLES.identity.minimal, 'identity/p-17'],
    [EXAMPLES.model.minimal, 'model/credit-score'],
    [EXAMPLES.config.minimal, 'config/credit-api'],
    [EXAMPLES.system.minimal, 'system/credit'],
    [EXAMPLES.deployment.minimal, 'deploy/production/credit'],
  ];
  for (const [record, subject] of wanted) {
    assert.is(record.subject, subject);
    for (const other of ['x', 'policy/x', `${subject}x`, `${subject}/x`, subject.split('/').slice(0, -1).join('/') || 'y']) {
      refuses(() => validateRecord({ ...record, subject: other }), 'record/invalid', `${record.type} on ${other}`, /subject/);
    }
  }
  assert.is(validateRecord({ ...EXAMPLES.freeze.minimal, subject: 'freeze/a/b' }).subject, 'freeze/a/b');
  for (const subject of ['freeze', 'policy', 'freezes/a', 'deploy/freeze/a']) {
    refuses(() => validateRecord({ ...EXAMPLES.freeze.minimal, subject }), 'record/invalid', `freeze on ${subject}`);
  }
});

test('a name that becomes a segment of the subject cannot hold another one', () => {
  for (const name of ['a/b', '..', '.', '', 'A', 'a b']) {
    const record = { ...EXAMPLES.model.minimal, name, subject: `model/${name}` };
    refuses(() => validateRecord(record), 'record/invalid', JSON.stringify(name));
    const deployment = { ...EXAMPLES.deployment.minimal, environment: name, subject: `deploy/${name}/credit` };
    refuses(() => validateRecord(deployment), 'record/invalid', `environment ${JSON.stringify(name)}`);
    const identity = { ...EXAMPLES.identity.minimal, id: name, subject: `identity/${name}` };
    refuses(() => validateRecord(identity), 'record/invalid', `id ${JSON.stringify(name)}`);
  }
});

test('a reason has 10 to 2,000 characters, however many bytes they take', () => {
  for (const unit of ['a', 'é', '樹', '🌲']) {
    for (const count of [10, 11, 1999, 2000]) validateRecord(because(unit.repeat(count)));
    for (const count of [0, 1, 9, 2001, 4000]) {
      refuses(() => validateRecord(because(unit.repeat(count))), 'record/invalid', `${count} times ${unit}`, /10 to 2000/);
    }
  }
});

const CONTROLS = ['\0', '\t', '\n', '\r', '\x1b', '\x7f', '\x80', '\x85', '\x9b', '\x9f'];
const SEPARATORS = ['\u2028', '\u2029', '\ufeff'];
const DIRECTIONS = ['\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069'];

test('a reason holds no control characters, line separators, direction overrides and half pairs', () => {
  for (const character of [...CONTROLS, ...SEPARATORS, ...DIRECTIONS, '\ud800', '\udc00']) {
    for (const text of [`${character}retrained model`, `retrained${character} model`, `retrained model${character}`]) {
      refuses(() => validateRecord(because(text)), 'record/invalid', hexCode(character), /reason/);
    }
  }
  for (const text of [
    'retrained — “new” model',
    'modèle réentraîné',
    'モデルを再学習しました。',
    'نموذج أعيد تدريبه',
    '🌲🌲🌲🌲🌲🌲🌲🌲🌲🌲',
  ]) {
    assert.is(validateRecord(because(text)).reason, text);
  }
});

test('a reason holds no direction marks', () => {
  for (const mark of ['\u200e', '\u200f', '\u061c']) {
    refuses(() => validateRecord(because(`retrained${mark} model`)), 'record/invalid', hexCode(mark), /reason/);
  }
});

test('every other text of a record is one readable line, too', () => {
  const spoilt = 'x\u202ey';
  const records: readonly unknown[] = [
    { ...EXAMPLES.model.minimal, version: spoilt },
    { ...incident, ticket: spoilt },
    { ...incident, refs: [{ rel: spoilt, leaf: digestOf(1) }] },
    { ...EXAMPLES.config.full, parameters: { temperature: spoilt } },
    { ...EXAMPLES.config.full, parameters: { [spoilt]: '1' } },
    { ...EXAMPLES.config.full, files: [{ path: spoilt, digest: digestOf(1) }] },
    { ...EXAMPLES.system.minimal, purpose: `Scores ${spoilt} applications.` },
    { ...EXAMPLES.charter.minimal, origin: spoilt },
  ];
  for (const record of records) refuses(() => validateRecord(record), 'record/invalid', JSON.stringify(record));
});

test('a decimal has one spelling and no exponent', () => {
  const measured = (value: string): unknown => ({ ...EXAMPLES.evaluation.minimal, metrics: [{ name: 'auc', value }] });
  for (const value of ['0', '7', '0.7', '-0.25', '100', '0.0001', `1${'0'.repeat(30)}`, `0.${'1'.repeat(30)}`]) {
    const { metrics } = validateRecord(measured(value)) as RecordOf<'evaluation'>;
    assert.is(metrics[0].value, value);
  }
  const wrong = [
    '',
    '.5',
    '5.',
    '01',
    '-01',
    '+1',
    '1e3',
    'NaN',
    'Infinity',
    '1,5',
    '1_000',
    ' 1',
    '1 ',
    '1\n',
    '0x10',
    '--1',
    '-',
    '１',
    '1.2.3',
  ];
  for (const value of [...wrong, '1'.repeat(40), `0.${'1'.repeat(31)}`]) {
    refuses(() => validateRecord(measured(value)), 'record/invalid', JSON.stringify(value), /metrics\.0\.value/);
  }
});

test('paths of files are relative and stay below', () => {
  const file = (path: string): unknown => ({ ...EXAMPLES.config.minimal, files: [{ path, digest: digestOf(1) }] });
  for (const path of ['a', 'a/b.yaml', 'A b/ü', '...', '.env', '.']) validateRecord(file(path));
  for (const path of ['', '/a', 'a/', 'a//b', '../a', 'a/../b', './a', 'a/.', '..', 'a\0b', 'x'.repeat(1025)]) {
    refuses(() => validateRecord(file(path)), 'record/invalid', JSON.stringify(path), /files\.0\.path/);
  }
  const twice = { ...EXAMPLES.config.minimal, files: [1, 2].map((n) => ({ path: 'a', digest: digestOf(n) })) };
  refuses(() => validateRecord(twice), 'record/invalid', 'a path twice', /differ/);
});

test('an enrolment names a key, a kind, roles and an end; a revocation names none but the key', () => {
  const { minimal } = EXAMPLES.identity;
  const { key, kind, roles, valid_until, ...rest } = minimal;
  const revocation = { ...rest, action: 'revoke' as const };
  assert.equal(validateRecord(revocation), revocation);
  assert.equal(validateRecord({ ...revocation, key }), { ...revocation, key });
  for (const [name, extra] of Object.entries({ kind: { kind }, roles: { roles }, valid_until: { valid_until } })) {
    refuses(() => validateRecord({ ...revocation, ...extra }), 'record/invalid', `a revocation with ${name}`, /revocation/);
  }
  for (const size of [0, 257]) {
    refuses(
      () => validateRecord({ ...minimal, key: new Uint8Array(size) }),
      'record/invalid',
      `a key of ${size} bytes`,
      /COSE_Key/,
    );
  }
});

test('a charter can be governed', () => {
  const { minimal, full } = EXAMPLES.charter;
  const [ada] = minimal.administrators;
  refuses(() => validateRecord({ ...minimal, threshold: 2 }), 'record/invalid', '2 of 1', /threshold/);
  refuses(() => validateRecord({ ...minimal, threshold: 0 }), 'record/invalid', '0 of 1');
  refuses(() => validateRecord({ ...minimal, administrators: [] }), 'record/invalid', 'nobody');
  refuses(() => validateRecord({ ...full, administrators: [ada, ada] }), 'record/invalid', 'the same twice', /differ/);
});

test('a rule of a policy names somebody, something and where', () => {
  const { minimal, full } = EXAMPLES.policy;
  const [rule] = minimal.policy.rules;
  const withRule = (change: object): unknown => ({ ...minimal, policy: { rules: [{ ...rule, ...change }] } });
  validateRecord(withRule({ may: ['*'], on: ['**'] }));
  const wrong: readonly object[] = [
    { who: {} },
    { who: { roles: [] } },
    { who: { ids: [] } },
    { may: [] },
    { may: ['models'] },
    { on: [] },
    { on: [''] },
    { on: ['/model'] },
    { on: ['model/'] },
    { on: ['model/(a+)+'] },
    { on: ['model/[a]'] },
    { on: ['Model/*'] },
    { on: ['*'.repeat(201)] },
    { name: 'a/b' },
  ];
  for (const change of wrong)
    refuses(() => validateRecord(withRule(change)), 'record/invalid', JSON.stringify(change), /rules/);
  refuses(() => validateRecord({ ...minimal, policy: { rules: [rule, rule] } }), 'record/invalid', 'a name twice', /differ/);
  const limits = (change: object): unknown => ({ ...full, policy: { ...full.policy, limits: change } });
  for (const change of [
    { entry_bytes: 511 },
    { entry_bytes: 65_536 },
    { clock_skew: 4 },
    { clock_skew: 301 },
    { attachments: -1 },
  ]) {
    refuses(() => validateRecord(limits(change)), 'record/invalid', JSON.stringify(change), /limits/);
  }
});

test('keys of an identity provider are public, and may come with lists', () => {
  const { full } = EXAMPLES.policy;
  const [provider] = full.policy.oidc ?? [];
  const [jwk] = provider.jwks ?? [];
  const withKey = (change: object): unknown => ({
    ...full,
    policy: { ...full.policy, oidc: [{ ...provider, jwks: [{ ...jwk, ...change }] }] },
  });
  validateRecord(withKey({ key_ops: ['verify'], x5c: ['MIIB'] }));
  for (const change of [{ d: 'AAAA' }, { kty: 'oct' }, { k: 'AAAA' }, { oth: ['x'] }, { key_ops: [1] }, { e: 3 }])
    refuses(() => validateRecord(withKey(change)), 'record/invalid', JSON.stringify(change), /jwks/);
});

test('an attachment has a relative name, a media type and a size', () => {
  const [attachment] = EXAMPLES.incident.full.attachments ?? [];
  const withAttachment = (change: object): unknown => ({ ...incident, attachments: [{ ...attachment, ...change }] });
  validateRecord(withAttachment({}));
  const wrong = [
    { name: '../x' },
    { media_type: 'pdf' },
    { media_type: 'a/b; c=d' },
    { media_type: 'a/b\n' },
    { size: -1 },
    { access: 'secret' },
  ];
  for (const change of wrong) refuses(() => validateRecord(withAttachment(change)), 'record/invalid', JSON.stringify(change));
});

test('the message names what is wrong, at most five things', () => {
  const record = { ...incident, severity: 'huge', aware_at: -1, subject: 'A' } as unknown as ChangeRecord;
  refuses(() => encodeRecord(record), 'record/invalid', 'three wrong members', /subject: .*; severity: .*; aware_at: /);
  const many = { ...EXAMPLES.deployment.minimal, approvals: Array.from({ length: 9 }, () => 'x') };
  refuses(() => validateRecord(many), 'record/invalid', 'nine wrong items', /^(?:[^;]*;){4}[^;]*$/);
});

test.run();
