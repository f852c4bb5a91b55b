import { fileURLToPath } from 'node:url';
import { RecordError, validateRecord } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bundle } from '../../../.tools/build-page.mjs';
import { ALL_EXAMPLES } from '../../record/test/examples.js';
import { generateTestKey } from '../../statement/test/ec-keys.js';

// What is left out of the page's verifier must change nothing that it says about records.

/** A package as the page has it. */
async function inPage<T>(name: string): Promise<T> {
  const entry = fileURLToPath(new URL(`../../${name}/src/index.ts`, import.meta.url));
  const script = await bundle(entry, { format: 'esm' });
  return import(`data:text/javascript,${encodeURIComponent(script)}`);
}

const page = await inPage<typeof import('@treering/record')>('record');

type Path = readonly (string | number)[];

const NOT_THERE = Symbol('not there');

/** What stands instead of each member, one after the other. */
const WRONG: readonly unknown[] = [
  NOT_THERE,
  null,
  true,
  -1,
  0.5,
  2 ** 53,
  7,
  '',
  'x',
  'x'.repeat(5000),
  [],
  {},
  new Uint8Array(3),
];

function* paths(value: unknown, path: Path = []): Generator<Path> {
  if (path.length > 0) yield path;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  for (const [name, item] of Object.entries(value)) yield* paths(item, [...path, Array.isArray(value) ? Number(name) : name]);
}

/** A copy of a record with something else in one place. */
function changed(value: unknown, [name, ...rest]: Path, wrong: unknown): unknown {
  if (name === undefined) return wrong;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string | number, unknown>;
  if (rest.length === 0 && wrong === NOT_THERE) delete copy[name];
  else copy[name] = changed(copy[name], rest, wrong);
  return Array.isArray(copy) ? copy.filter(() => true) : copy;
}

function outcome(validate: typeof validateRecord, value: unknown): unknown {
  try {
    return validate(value);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== RecordError.name) throw error;
    return `${(error as RecordError).code}: ${error.message}`;
  }
}

test('the page reads and refuses the same records, for the same reasons', () => {
  let compared = 0;
  for (const { name, record } of ALL_EXAMPLES) {
    assert.equal(outcome(page.validateRecord, record), outcome(validateRecord, record), name);
    for (const path of paths(record)) {
      for (const wrong of WRONG) {
        const value = changed(record, path, wrong);
        assert.equal(outcome(page.validateRecord, value), outcome(validateRecord, value), `${name} ${path.join('.')}`);
        compared++;
      }
    }
  }
  assert.ok(compared > 5000, `${compared} records were compared`);
});

test('the page checks ECDSA signatures, for which nothing draws a nonce', async () => {
  const { checkSignature } = await inPage<typeof import('@treering/statement')>('statement');
  for (const curve of ['P-256', 'P-384'] as const) {
    const { key, algorithm, sign } = generateTestKey(curve);
    const message = new TextEncoder().encode('What is signed.');
    const signature = sign(message);
    assert.ok(checkSignature({ key, algorithm, message, signature }), curve);
    signature[5] ^= 1;
    assert.not(checkSignature({ key, algorithm, message, signature }), curve);
  }
});

test('what was left out throws when it is called', () => {
  assert.throws(() => page.recordSchemas.model.toJSONSchema());
});

test.run();
