import { isSubject } from '@treering/record';
import { decimalParam, type Env, hex, Problem } from '@treering/server';
import { parseStatement } from '@treering/statement';
import type { TopicInfo } from '@treering/storage';
import { Hono } from 'hono';
import type { Server } from './context.js';
import { entryView } from './entries.js';

const PAGE = 100;
/** Pages that one request for a time in the past goes through. */
const MOST_PAGES = 50;

/** What is recorded about what. A convenience over the entries: a client that must be sure replays the log. */
export function subjectRoutes({ log }: Server): Hono<Env> {
  const app = new Hono<Env>();

  app.get('/v1/subjects', async (c) => {
    const prefix = c.req.query('prefix') ?? '';
    const after = c.req.query('after') ?? '';
    const size = log.stored.size;
    const topics = await log.storage.topics(prefix, after, PAGE + 1);
    const page = topics.slice(0, PAGE);
    const shown = await Promise.all(page.map((topic) => (topic.latest.index < size ? topic : shownOf(topic, size))));
    return c.json({
      subjects: shown
        .filter((topic) => topic !== undefined)
        .map(({ topic, count, latest }) => ({
          subject: topic,
          count,
          latest: { index: latest.index, leaf: hex(latest.leafHash) },
        })),
      ...(topics.length > PAGE ? { next: page[PAGE - 1].topic } : {}),
    });
  });

  app.get('/v1/subjects/:subject{.+}', async (c) => {
    const subject = c.req.param('subject');
    if (!isSubject(subject)) throw new Problem(400, 'request/malformed', 'a subject is 1 to 8 segments of [a-z0-9._@-]');
    // What is stored beyond the head is shown to nobody yet.
    const before = Math.min(decimalParam(c.req.query('before'), 'before', Number.MAX_SAFE_INTEGER), log.stored.size);
    const at = c.req.query('at');
    if (at !== undefined) return c.json(await stateAt(subject, before, parseTime(at)));
    const found = await log.storage.entriesOf(subject, before, PAGE + 1);
    const records = [];
    for (const { index } of found.slice(0, PAGE)) {
      const entry = await log.stored.entry(index);
      records.push(entryView(index, entry));
    }
    const more = found.length > PAGE;
    if (records.length === 0) throw new Problem(404, 'subject/missing', `nothing is recorded about ${subject}`);
    return c.json({ subject, records, ...(more ? { next: records[PAGE - 1].index } : {}) });
  });
  /** A topic without what is stored beyond the head; undefined when that is all of it. */
  const shownOf = async (stored: TopicInfo, size: number): Promise<TopicInfo | undefined> => {
    const { topic, count } = stored;
    let beyond = 0;
    for (let before = stored.latest.index + 1; ; ) {
      const infos = await log.storage.entriesOf(topic, before, PAGE);
      const latest = infos.find(({ index }) => index < size);
      if (latest !== undefined) return { topic, count: count - beyond - infos.indexOf(latest), latest };
      if (infos.length < PAGE) return undefined;
      beyond += infos.length;
      before = infos[infos.length - 1].index;
    }
  };
  /** The newest record signed at or before a time. A request looks at so many records, and says where to go on. */
  const stateAt = async (subject: string, before: number, time: number) => {
    const at = new Date(time).toISOString();
    let next = before;
    for (let pages = 0; pages < MOST_PAGES; pages++) {
      const infos = await log.storage.entriesOf(subject, next, PAGE);
      for (const { index } of infos) {
        const entry = await log.stored.entry(index);
        // A foreign statement that does not say when it was signed counts as older than everything.
        if ((parseStatement(entry).iat ?? 0) * 1000 <= time) return { subject, at, state: entryView(index, entry) };
      }
      if (infos.length < PAGE) throw new Problem(404, 'subject/missing', `nothing is recorded about ${subject} at that time`);
      next = infos[infos.length - 1].index;
      // Others are answered meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { subject, at, next };
  };
  return app;
}

/** Milliseconds since the epoch from ISO 8601. @throws Problem 400 */
function parseTime(text: string): number {
  const time = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time))
    throw new Problem(400, 'request/malformed', 'at is a time such as 2026-06-30 or 2026-06-30T12:00:00Z');
  return time;
}
