import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configDigest, type RecordOf } from '../src/index.js';
import { digestOf, EXAMPLES } from './examples.js';

const digest = (config: Partial<RecordOf<'config'>>): string =>
  Buffer.from(configDigest({ ...EXAMPLES.config.minimal, ...config })).toString('hex');

/** A CBOR item of less than 256 bytes: its head for this major type, then the bytes. */
const item = (major: number, length: number, ...content: Uint8Array[]): Buffer =>
  Buffer.concat([length < 24 ? Uint8Array.of((major << 5) | length) : Uint8Array.of((major << 5) | 24, length), ...content]);
const text = (value: string): Buffer => item(3, value.length, Buffer.from(value));
const bytes = (value: Uint8Array): Buffer => item(2, value.length, value);

test('the digest of a configuration is SHA-256 over context and what it sets, in deterministic CBOR', () => {
  const [a, b] = [text('a.yaml'), text('b/c.yaml')].map((path, i) => item(4, 2, path, bytes(digestOf(i))));
  const guardrail = item(5, 3, text('id'), text('pii'), text('action'), text('block'), text('setting'), text('strict'));
  const content = item(
    5,
    4,
    text('files'),
    item(4, 2, a, b),
    text('guardrails'),
    item(4, 1, guardrail),
    text('parameters'),
    item(5, 1, text('temperature'), text('0.2')),
    text('system_prompt'),
    bytes(digestOf(7)),
  );
  const expected = createHash('sha256').update('treering/config/v1').update(content).digest('hex');
  const files = ['b/c.yaml', 'a.yaml'].map((path, i) => ({ path, digest: digestOf(1 - i), canonical: digestOf(9) }));
  const guardrails = [{ id: 'pii', setting: 'strict', action: 'block' }];
  assert.is(digest({ files, guardrails, parameters: { temperature: '0.2' }, system_prompt: digestOf(7) }), expected);
});

test('what is not said is nothing', () => {
  const files = item(4, 1, item(4, 2, text('config.yaml'), bytes(digestOf(0xd1))));
  const none = [text('guardrails'), item(4, 0), text('parameters'), item(5, 0), text('system_prompt'), Buffer.of(0xf6)];
  const content = item(5, 4, text('files'), files, ...none);
  assert.is(digest({}), createHash('sha256').update('treering/config/v1').update(content).digest('hex'));
  assert.is(digest({ guardrails: [], parameters: {} }), digest({}));
});

test('name, version, git and ticket are no part of it; everything that is set is', () => {
  const { full } = EXAMPLES.config;
  const same = { name: 'x', version: '9', reason: 'Another reason for it.', git: undefined, ticket: 'A', attachments: [] };
  assert.is(digest({ ...full, ...same }), digest(full));
  const [first, ...others] = full.files;
  for (const change of [
    { files: [{ ...first, path: 'x' }, ...others] },
    { files: [{ ...first, digest: digestOf(0) }, ...others] },
    { files: others },
    { guardrails: [] },
    { parameters: { ...full.parameters, top_p: '1' } },
    { parameters: undefined },
    { system_prompt: undefined },
  ])
    assert.is.not(digest({ ...full, ...change }), digest(full), Object.keys(change)[0]);
});

test.run();
