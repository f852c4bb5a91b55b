import { encodeUtf8, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LogHttp } from '../src/http.js';
import { readKeptHeads } from '../src/kept-heads.js';
import { alterJson, codeOf, type Lie, lying, refusal, startLog } from './fixture.js';

const log = await startLog();
const { publisher, storage, trust } = log.served.log;
type Head = NonNullable<typeof publisher.published>;
/** What the honest log keeps: more than a page, with two heads of a size at the end of the first one. */
const kept: Head[] = [];
await log.client().submit(await log.statement(), 'witnessed');
kept.push(...(await storage.keptHeads(0, 100)));
while (kept.length < 106) await keep();

test.after(() => log.served.close());

/** Keeps the head after one more entry; the hundredth is also kept as it is published anew. */
async function keep(): Promise<void> {
  await log.served.log.submit((await log.statement()).entry);
  const head = (await publisher.publish()) as Head;
  const again = kept.length === 99 ? [{ ...head, time: head.time + 1 }] : [];
  for (const each of [head, ...again]) {
    await storage.publish(each, true);
    kept.push(each);
  }
}

async function read(heads: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const out: Uint8Array[] = [];
  for await (const note of heads) out.push(note);
  return out;
}

/** What a client reads of the list through a liar. */
const deceived = (lie: Lie, from = 0): Promise<Uint8Array[]> =>
  read(log.client({ fetch: lying(log.url, lie), timeout: 2000 }).keptHeads(from));

/** A log that has this list, whatever it is asked. */
const list = (...answers: unknown[]): Lie => {
  let next = 0;
  return ({ path }) => (path.startsWith('/v1/checkpoints') ? Response.json(answers[next++] ?? {}) : undefined);
};
/** A page of one head for each size in [from, to). */
const page = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ size: from + i, time: 0, checkpoint: `head ${from + i}` }));

test('all kept heads are read, page by page, as they were published', async () => {
  const asked: string[] = [];
  const notes = await deceived(({ path }) => void asked.push(path));
  assert.equal(
    notes,
    kept.map(({ note }) => note),
  );
  assert.equal(asked, ['/v1/checkpoints?from=0&limit=100', `/v1/checkpoints?from=${kept[101].size}&limit=100`]);
  for (const [i, note] of notes.entries())
    assert.is(openCheckpoint(note, trust, nodeEd25519).checkpoint.size, BigInt(kept[i].size));
});

test('the list is read from a size on, and only as far as somebody reads', async () => {
  const { size } = kept[103];
  assert.equal(
    await deceived(() => undefined, size),
    kept.slice(103).map(({ note }) => note),
  );
  assert.equal(await deceived(() => undefined, 1_000_000), []);
  let asked = 0;
  for await (const note of log.client({ fetch: lying(log.url, () => void asked++) }).keptHeads()) {
    assert.equal(note, kept[0].note);
    break;
  }
  assert.is(asked, 1);
});

test('another log, which has no such list, keeps nothing', async () => {
  assert.equal(await deceived(() => new Response('not found', { status: 404 })), []);
});

test('what is refused is told', async () => {
  for (const status of [400, 403, 429, 500, 503, 204])
    assert.is(await codeOf(deceived(() => new Response(null, { status }))), 'client/refused', String(status));
  const second: Lie = ({ path }) => (path.includes('from=0&') ? undefined : new Response('', { status: 404 }));
  assert.is(await codeOf(deceived(second)), 'client/refused', 'a list that ends with its first page in that way');
});

const full = page(1, 101);
const alterations: Readonly<Record<string, unknown>> = {
  'no list': {},
  'a list that is none': { checkpoints: { length: 1 } },
  'a list of nothing': { checkpoints: [null] },
  'a head without a size': { checkpoints: [{ time: 0, checkpoint: 'x' }] },
  'a size as text': { checkpoints: [{ size: '1', checkpoint: 'x' }] },
  'a size with a fraction': { checkpoints: [{ size: 1.5, checkpoint: 'x' }] },
  'a size beyond 2^53': { checkpoints: [{ size: 2 ** 53, checkpoint: 'x' }] },
  'a head without a note': { checkpoints: [{ size: 1 }] },
  'a note that is a number': { checkpoints: [{ size: 1, checkpoint: 7 }] },
  'falling sizes': { checkpoints: [...page(2, 3), ...page(1, 2)] },
  'three heads of a size': { checkpoints: [...page(1, 2), ...page(1, 2), ...page(1, 2)] },
  'more than a page': { checkpoints: page(1, 103) },
  'a next page after an empty one': { checkpoints: [], next: 5 },
  'a next page after one that is not full': { checkpoints: page(1, 3), next: 3 },
  'a next page that is the same one': { checkpoints: full, next: 0 },
  'a next page that begins with the last size': { checkpoints: full, next: 100 },
  'a next page that is no size': { checkpoints: full, next: '101' },
  'a next page that is null': { checkpoints: full, next: null },
};
for (const [name, answer] of Object.entries(alterations)) {
  test(`a list with ${name} is not followed`, async () => {
    assert.is(await codeOf(deceived(list(answer))), 'client/bad-answer');
  });
}

test('a page that goes back behind the one before it is not followed', async () => {
  const error = await refusal(deceived(list({ checkpoints: full, next: 101 }, { checkpoints: page(100, 102) })));
  assert.is(error.code, 'client/bad-answer');
  assert.match(error.message, /100 entries come after 101/);
  const below = alterJson(/^\/v1\/checkpoints/, (j) => void j.checkpoints.unshift({ size: 2, checkpoint: 'x' }));
  assert.is(await codeOf(deceived(below, 3)), 'client/bad-answer');
});

test('what came before a page that does not hold was read', async () => {
  const notes: Uint8Array[] = [];
  const reading = (async () => {
    const lie = list({ checkpoints: full, next: 101 });
    for await (const note of log.client({ fetch: lying(log.url, lie) }).keptHeads()) notes.push(note);
  })();
  assert.is(await codeOf(reading), 'client/bad-answer');
  assert.equal(
    notes,
    full.map(({ checkpoint }) => encodeUtf8(checkpoint)),
  );
});

test('a list that never ends is given up', async () => {
  let requests = 0;
  const endless: Lie = ({ path }) => {
    // An answer of another kind ends a client that goes on for ever, so that this test can fail.
    if (++requests > 200) return new Response('enough', { status: 418 });
    const from = Number(/from=(\d+)/.exec(path)?.[1]);
    return Response.json({ checkpoints: page(from, from + 100), next: from + 100 });
  };
  const http = new LogHttp(log.url, { fetch: lying(log.url, endless) });
  const error = await refusal(read(readKeptHeads(http, 0, 1000)));
  assert.is(error.code, 'client/bad-answer');
  assert.match(error.message, /no end after 1000 heads; the rest can be read from 1000 on/);
  assert.is(requests, 11);
});

test.run();
