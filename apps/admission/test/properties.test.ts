import { isDeepStrictEqual } from 'node:util';
import { ByteBudget } from '@treering/server';
import fc from 'fast-check';
import { pino } from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { author, policyWith } from '../../../packages/evidence/test/fixture.js';
import { allowedImages, createApp, createMetrics, type Rules } from '../src/index.js';
import { permit } from './permits.js';
import { pod, review } from './reviews.js';

// Whatever is sent, nothing is let in that no permit is for, and the webhook answers for itself: never with a status of 500 or more.

const rules: Rules = {
  trust: { policy: policyWith('both'), signerKeys: [author.key] },
  book: undefined,
  annotated: true,
  allowed: allowedImages([]),
  namespaces: new Map(),
  connect: new Set(),
  maxAge: undefined,
  clock: Date.now,
};
const logger = pino({ level: 'silent' });
const metrics = createMetrics(undefined, () => undefined);
const app = createApp({ rules, metrics, bodies: new ByteBudget(1 << 28), logger, timeout: 5000 });

/** Status, and whether something was let in. */
async function post(body: string | Uint8Array): Promise<{ status: number; allowed: boolean; message: string }> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await app.request('/validate', { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> });
  const answer = (await response.json()) as { response?: { allowed: boolean; status?: { message: string; code: number } } };
  if (response.status === 200 && answer.response?.allowed === false) assert.is(answer.response.status?.code, 403);
  const message = answer.response?.status?.message ?? '';
  return { status: response.status, allowed: answer.response?.allowed === true, message };
}

const text = Buffer.from(await permit()).toString('base64');
const good = review(pod({ annotations: { 'treering.dev/permit': text } }));

test('the review that the properties start from is let in', async () => {
  assert.is((await post(JSON.stringify(good))).allowed, true);
});

test('random bytes and random JSON let nothing in', async () => {
  const anything = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json(), fc.string({ unit: 'binary' }));
  await fc.assert(
    fc.asyncProperty(anything, async (body) => {
      assert.equal(await post(body), { status: 400, allowed: false, message: '' });
    }),
    { numRuns: 300 },
  );
});

test('a review of anything that is no pod lets nothing in', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (object, oldObject) => {
      for (const operation of ['CREATE', 'UPDATE']) {
        const { status, allowed } = await post(JSON.stringify(review(object, { operation, oldObject })));
        assert.equal([status, allowed], [200, false]);
      }
    }),
    { numRuns: 200 },
  );
});

type Path = readonly (string | number)[];

/** Every place in a value. */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, item]) => places(item, [...path, name]))];
}

/** The value with another one at a place. */
function replaced(value: unknown, [name, ...rest]: Path, by: unknown): unknown {
  if (name === undefined) return by;
  const copy = Array.isArray(value) ? [...value] : { ...(value as Record<string, unknown>) };
  (copy as Record<string, unknown>)[name] = replaced((value as Record<string, unknown>)[name], rest, by);
  return copy;
}

/** Whether nothing was changed that a permit is about: the image, the annotations, the place, what kind of request it is. */
const DECISIVE =
  /^(?:|kind|apiVersion|request|request\.(?:uid|kind.*|resource.*|namespace|operation|object|object\.(?:kind|apiVersion)|object\.metadata|object\.metadata\.(?:annotations|annotations\.treering\.dev\/.*|namespace)|object\.spec|object\.spec\.containers(?:\.0(?:\.(?:name|image))?)?))$/;

test('a review that is changed at any place is let in only when what the permit is about stayed the same', async () => {
  const all = places(good);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...all), fc.jsonValue(), async (path, by) => {
      const { status, allowed } = await post(JSON.stringify(replaced(good, path, by)) ?? 'null');
      assert.ok(status === 200 || status === 400, `${path.join('.')}: ${status}`);
      const at = path.join('.');
      const before = path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], good);
      // The id is the API server's own, and names of containers are for people.
      const harmless = ['request.uid', 'request.object.spec.containers.0.name'].includes(at) || isDeepStrictEqual(by, before);
      if (DECISIVE.test(at) && !harmless) assert.is(allowed, false, `${at} = ${JSON.stringify(by)}`);
    }),
    { numRuns: 800 },
  );
});

test('a permit with any bit changed lets nothing in', async () => {
  const bytes = await permit();
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
      const changed = Uint8Array.from(bytes);
      changed[at] ^= 1 << bit;
      const annotations = { 'treering.dev/permit': Buffer.from(changed).toString('base64') };
      const { status, allowed } = await post(JSON.stringify(review(pod({ annotations }))));
      assert.is(status, 200);
      // One of the lines of the head may be of a signer that nobody knows: such a line is not looked at.
      assert.is(allowed, false, `byte ${at}, bit ${bit}`);
    }),
    { numRuns: 250 },
  );
});

test.run();
