import type { Fetch } from '@treering/client';
import type { Monitor } from './monitor.js';
import type { Alarm, Delivery } from './store.js';

/** Seconds before a delivery is tried again: doubled each time, up to an hour. */
const FIRST_WAIT = 10;
const LONGEST_WAIT = 3600;
/** After so many attempts a delivery is given up; the alarm itself stays. */
const MOST_ATTEMPTS = 40;

/** How webhooks are reached. */
export interface DeliveryOptions {
  readonly fetch?: Fetch;
  /** Milliseconds */
  readonly timeout?: number;
}

/**
 * Posts to webhooks what they have not been told yet. The body is signed with the monitor's Ed25519 key: the header
 * `Treering-Signature` is `t=<seconds>,ed25519=<base64>`, over `treering-webhook/v1\n<seconds>\n<body>`.
 */
export async function deliver(monitor: Monitor, { fetch: send = fetch, timeout = 5000 }: DeliveryOptions = {}): Promise<void> {
  const now = Math.floor(monitor.clock() / 1000);
  await Promise.all(
    monitor.store.due(now).map(async (delivery) => {
      const alarm = monitor.store.alarm(delivery.alarm);
      if (alarm === undefined || (await post(monitor, delivery, alarm, now, send, timeout)))
        monitor.store.delivered(delivery.id);
      else if (delivery.attempts + 1 >= MOST_ATTEMPTS) monitor.store.delivered(delivery.id);
      else monitor.store.postpone(delivery.id, now + Math.min(FIRST_WAIT * 2 ** delivery.attempts, LONGEST_WAIT));
    }),
  );
}

async function post(
  { name, signer }: Monitor,
  { id, event, url }: Delivery,
  alarm: Alarm,
  now: number,
  send: Fetch,
  timeout: number,
): Promise<boolean> {
  const body = JSON.stringify({ delivery: id, event, monitor: name, alarm: alarmView(alarm) });
  const signature = await signer.sign(new TextEncoder().encode(`treering-webhook/v1\n${now}\n${body}`));
  try {
    const { status } = await send(url, {
      method: 'POST',
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeout),
      headers: {
        'Content-Type': 'application/json',
        'Treering-Signature': `t=${now},ed25519=${Buffer.from(signature).toString('base64')}`,
      },
    });
    return status >= 200 && status < 300;
  } catch {
    // It is tried again.
    return false;
  }
}

/** An alarm in answers and webhooks. */
export function alarmView({ id, origin, kind, about, message, raised, cleared }: Alarm) {
  return { id, origin, kind, about, message, raised, cleared, proof: `/v1/alarms/${id}/proof` };
}
