import { createCandidate } from '@treering/governance';
import { decodeUtf8 } from '@treering/note';
import { type Env, hex, Problem } from '@treering/server';
import { type Json, parseStatement } from '@treering/statement';
import type { StoredEntry, StoredHead } from '@treering/storage';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { Server } from './context.js';

/** One server-sent event. */
interface Event {
  readonly event: string;
  readonly data: Json;
  readonly id?: string;
}

/** Clients that listen at once. */
const MOST_LISTENERS = 256;
/** Events that wait for one client; beyond it the client is told where to read on. */
const MOST_WAITING = 1000;
/** Milliseconds without an event after which a client hears that the connection lives. */
const HEARTBEAT = 15_000;

/** New records and checkpoints as they come. */
export function eventRoutes(server: Server): Hono<Env> {
  const { log } = server;
  const app = new Hono<Env>();
  const listeners = new Set<Listener>();
  const tell = (events: readonly Event[]): void => {
    for (const listener of listeners) for (const event of events) listener.push(event);
  };
  log.publisher.onPublish(({ size, note }) => tell([{ event: 'checkpoint', data: { size, checkpoint: decodeUtf8(note) } }]));
  // Entries are decoded once for all who listen, and not at all when nobody does.
  let told = log.sequencer.head?.size ?? 0;
  log.sequencer.onCommit((head, entries) => {
    const missed = head.size - entries.length > told;
    told = head.size;
    if (listeners.size === 0) return;
    // A batch whose outcome was not known is found logged later, without its entries.
    if (missed) tell([{ event: 'gap', data: { size: head.size - entries.length } }]);
    tell(recordEvents(head, entries));
  });
  server.closing.addEventListener('abort', () => {
    for (const listener of listeners) listener.end();
  });

  app.get('/v1/events', (c) => {
    if (c.req.raw.method === 'HEAD') return c.body(null, 200, { 'Content-Type': 'text/event-stream' });
    if (listeners.size >= MOST_LISTENERS)
      throw new Problem(503, 'events/full', 'too many clients listen already', { retryAfter: 30 });
    return streamSSE(c, async (stream) => {
      const listener = new Listener(() => log.sequencer.head?.size ?? 0);
      listeners.add(listener);
      stream.onAbort(() => listener.end());
      if (server.closing.aborted) listener.end();
      try {
        await stream.writeSSE({
          event: 'hello',
          data: JSON.stringify({ origin: log.origin, size: log.sequencer.head?.size ?? 0 }),
        });
        for (let event = await listener.next(); event !== 'end'; event = await listener.next()) {
          if (event === 'heartbeat') await stream.write(': still here\n\n');
          else await stream.writeSSE({ ...event, data: JSON.stringify(event.data) });
        }
      } finally {
        listeners.delete(listener);
      }
    });
  });
  return app;
}

function recordEvents(head: StoredHead, entries: readonly StoredEntry[]): Event[] {
  return entries.map(({ bytes, leafHash }, i) => {
    const index = head.size - entries.length + i;
    const { statement, record } = createCandidate(parseStatement(bytes), leafHash);
    const about = { subject: statement.sub, issuer: statement.iss, type: record?.type ?? null, reason: record?.reason ?? null };
    return { event: 'record', id: String(index), data: { index, leaf: hex(leafHash), ...about } };
  });
}

/** What waits for one client, bounded: for one that does not keep up, the newest events give way to one that says so. */
class Listener {
  readonly #size: () => number;
  readonly #waiting: Event[] = [];
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(size: () => number) {
    this.#size = size;
  }

  push(event: Event): void {
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(event);
    else this.#waiting[MOST_WAITING - 1] = { event: 'gap', data: { size: this.#size() } };
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async next(): Promise<Event | 'heartbeat' | 'end'> {
    if (this.#waiting.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, HEARTBEAT);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#ended) return 'end';
    return this.#waiting.shift() ?? 'heartbeat';
  }
}
