import { createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from '@treering/server';

/** Seconds by which the time in a delivery may differ from the clock. */
const FRESH = 300;

/** The headers of a delivery (https://mlflow.org/docs/latest/ml/webhooks, MLflow 3.3 and later). */
export interface DeliveryHeaders {
  /** X-MLflow-Delivery-Id */
  readonly id: string | undefined;
  /** X-MLflow-Timestamp: seconds since the epoch, decimal. */
  readonly timestamp: string | undefined;
  /** X-MLflow-Signature: `v1,` and the HMAC-SHA256 in base64. */
  readonly signature: string | undefined;
}

/**
 * The signature that MLflow sends: HMAC-SHA256 over `<delivery id>.<timestamp>.<body>` under the webhook's secret, as UTF-8.
 */
export function signDelivery(secret: string, id: string, timestamp: string, body: Uint8Array): string {
  const hmac = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body);
  return `v1,${hmac.digest('base64')}`;
}

/**
 * Checks who sent a delivery, and that it is not an old one.
 * @param now seconds since the epoch
 * @returns the delivery's id
 * @throws Problem 401 when it is not signed, signed by somebody else, or not fresh
 */
export function verifyDelivery(secret: string, headers: DeliveryHeaders, body: Uint8Array, now: number): string {
  const { id, timestamp, signature } = headers;
  if (id === undefined || timestamp === undefined || signature === undefined)
    throw new Problem(
      401,
      'recorder/unsigned',
      'a delivery carries its id, its time and a signature: give the webhook a secret',
    );
  // A dot in one of them would leave open where it ends: the same bytes could be signed for something else.
  if (!/^[0-9A-Za-z_-]{1,100}$/.test(id) || !/^[1-9][0-9]{0,11}$/.test(timestamp))
    throw new Problem(401, 'recorder/bad-signature', 'the id or the time of this delivery is not as MLflow writes it');
  const expected = Buffer.from(signDelivery(secret, id, timestamp, body));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new Problem(401, 'recorder/bad-signature', 'this delivery is not signed with the secret of the webhook');
  if (Math.abs(now - Number(timestamp)) > FRESH)
    throw new Problem(
      401,
      'recorder/not-fresh',
      `this delivery was sent more than ${FRESH} seconds from now; compare the clocks`,
    );
  return id;
}
