import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { signDelivery, verifyDelivery } from '../src/index.js';
import { NOW, SECRET } from './fixture.js';

const seconds = NOW / 1000;
const id = '0b54c2a8-3d0c-4c0f-9d53-1f1b5f8b7c11';
const bytes = new TextEncoder().encode('{"a": 1}');
const headers = (over: object = {}, secret = SECRET) => ({
  id,
  timestamp: String(seconds),
  signature: signDelivery(secret, id, String(seconds), bytes),
  ...over,
});

/** Fails unless it is refused with this code. */
function refused(code: string, work: () => unknown): void {
  assert.throws(work, (error: { code: string; status: number }) => error.code === code && error.status === 401);
}

test('a signature that Python made over a body of MLflow verifies', () => {
  // hmac.new(secret, f"{id}.{timestamp}.{json.dumps(...)}", sha256) in base64.
  const body =
    '{"entity": "model_version", "action": "created", "timestamp": "2026-01-02T03:04:05+00:00", "data": {"name": "Wink Tri\\u00e4ge", "version": "3", "source": "models:/m-1", "run_id": null, "tags": {}, "description": null}}';
  const vector = { id, timestamp: '1767323045', signature: 'v1,ubSjXxc/Dt2CvNcK+sab3EXZSA5uOZRAxuMiowmMl44=' };
  assert.is(verifyDelivery('schlüssel für den Haken', vector, new TextEncoder().encode(body), seconds), id);
});

test('a delivery without one of the three headers is not signed', () => {
  assert.is(verifyDelivery(SECRET, headers(), bytes, seconds), id);
  for (const name of ['id', 'timestamp', 'signature'])
    refused('recorder/unsigned', () => verifyDelivery(SECRET, headers({ [name]: undefined }), bytes, seconds));
});

test('another secret, body, id, time or version of the scheme is refused', () => {
  const { signature } = headers();
  for (const [given, body] of [
    [headers({}, 'another secret of a webhook'), bytes],
    [headers(), new TextEncoder().encode('{"a": 2}')],
    [headers({ id: id.replace('0', '1') }), bytes],
    [headers({ timestamp: String(seconds + 1) }), bytes],
    [headers({ signature: signature.replace('v1,', 'v2,') }), bytes],
    [headers({ signature: signature.replace('v1,', '') }), bytes],
    [headers({ signature: `${signature} ${signature}` }), bytes],
    [headers({ signature: '' }), bytes],
    [headers({ signature: 'v1,é' }), bytes],
  ] as const)
    refused('recorder/bad-signature', () => verifyDelivery(SECRET, given, body, seconds));
});

test('the same signed bytes cannot be cut into other headers', () => {
  // What was signed for `<id>.<time>.<body>` would verify for another id, time and body when dots were allowed in them.
  const body = new TextEncoder().encode(`${seconds}.{"a": 1}`);
  const signature = signDelivery(SECRET, 'a', '5', body);
  assert.is(signature, signDelivery(SECRET, 'a.5', String(seconds), bytes));
  refused('recorder/bad-signature', () =>
    verifyDelivery(SECRET, { id: 'a.5', timestamp: String(seconds), signature }, bytes, seconds),
  );
});

test('a delivery is fresh for five minutes, in both directions', () => {
  for (const by of [-300, 0, 300]) assert.is(verifyDelivery(SECRET, headers(), bytes, seconds + by), id);
  for (const by of [-301, 301, 1e6])
    refused('recorder/not-fresh', () => verifyDelivery(SECRET, headers(), bytes, seconds + by));
});

test('any flipped bit of a signed body is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.nat(), (body, at) => {
      const signature = signDelivery(SECRET, id, String(seconds), body);
      const other = new Uint8Array(body);
      other[(at >> 3) % body.length] ^= 1 << (at & 7);
      assert.is(verifyDelivery(SECRET, headers({ signature }), body, seconds), id);
      refused('recorder/bad-signature', () => verifyDelivery(SECRET, headers({ signature }), other, seconds));
    }),
  );
});

test.run();
