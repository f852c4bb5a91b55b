import type { Fetch } from '@treering/client';
import type { Delivery } from './delivery-queue.js';
import type { Monitor } from './monitor.js';
import type { Alarm } from './store.js';

/** Posts to one webhook at once. */
const AT_ONCE = 100;
/** Milliseconds in which further posts are begun: a webhook that is slow, or dead, does not hold up what is looked at next. */
const TELLING = 5000;

/** How webhooks are reached. */
export interface DeliveryOptions {
  readonly fetch?: Fetch;
  /** Milliseconds */
  readonly timeout?: number;
  /** Milliseconds after which no further post is begun. */
  readonly within?: number;
}

/**
 * Posts to webhooks what they have not been told yet, the gravest first, until nothing is due or the time is over; one of which no
 * post succeeds has its next turn in the next call. The body is signed with the monitor's Ed25519 key: the header
 * `Treering-Signature` is `t=<seconds>,ed25519=<base64>`, over `treering-webhook/v1\n<seconds>\n<body>`.
 */
export async function deliver(monitor: Monitor, options: DeliveryOptions = {}): Promise<void> {
  const { fetch: send = fetch, timeout = 5000, within = TELLING } = options;
  const { store } = monitor;
  const until = performance.now() + within;
  const seconds = (): number => Math.floor(monitor.clock() / 1000);
  const tell = async (delivery: Delivery): Promise<boolean> => {
    const alarm = store.alarm(delivery.alarm);
    const told = alarm === undefined || (await post(monitor, delivery, alarm, seconds(), send, timeout));
    if (told) store.deliveries.remove(delivery.id);
    else store.deliveries.failed(delivery);
    return told;
  };
  const drain = async (url: string): Promise<void> => {
    for (;;) {
      const told = await Promise.all(store.deliveries.claim(url, seconds(), AT_ONCE).map(tell));
      if (!told.includes(true) || performance.now() >= until) return;
    }
  };
  await Promise.all(store.deliveries.urls(seconds()).map(drain));
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
