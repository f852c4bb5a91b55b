import { createMemoryStorage, StorageError } from '@treering/storage';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type MemoryLog, makeStatement, memoryLog } from './fixture.js';

interface Event {
  readonly event: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each event has data of its own
  readonly data: any;
}

/** Listens to a log's events. */
async function listen(one: MemoryLog) {
  const response = await one.app.request('/v1/events');
  assert.is(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  return {
    async next(): Promise<Event> {
      while (!text.includes('\n\n')) {
        const { done, value } = await reader.read();
        if (done) throw new Error('the stream ended');
        text += decoder.decode(value, { stream: true });
      }
      const end = text.indexOf('\n\n');
      const fields = Object.fromEntries(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      text = text.slice(end + 2);
      return { ...fields, data: JSON.parse(fields.data) } as Event;
    },
    end: () => reader.cancel(),
  };
}

test('events come in the order of the log: hello, records, checkpoints', async () => {
  const one = await memoryLog();
  const stream = await listen(one);
  assert.equal((await stream.next()).data, { origin: one.log.origin, size: 1 });
  const subjects = ['model/a', 'config/b', 'model/c'];
  for (const subject of subjects) await one.log.submit((await makeStatement({ subject })).entry);
  await one.log.publisher.publish();
  await one.grow(5);
  for (const [i, subject] of subjects.entries()) {
    const { event, id, data } = await stream.next();
    assert.is(event, 'record');
    assert.is(id, String(i + 1));
    assert.is(data.index, i + 1);
    assert.is(data.subject, subject);
    assert.is(data.type, 'incident');
    assert.is(data.leaf, (await one.json(`/v1/entries/${i + 1}?view=json`)).leaf);
  }
  const published = await stream.next();
  assert.is(published.event, 'checkpoint');
  assert.is(published.data.size, 4);
  assert.is(published.data.checkpoint, Buffer.from(one.log.publisher.published?.note ?? []).toString());
  for (let index = 4; index < 9; index++) assert.is((await stream.next()).data.index, index);
  await stream.end();
});

test('two listeners hear the same, and one that leaves does not harm the other', async () => {
  const one = await memoryLog();
  const [a, b] = [await listen(one), await listen(one)];
  await Promise.all([a.next(), b.next()]);
  await one.grow(1);
  assert.equal(await a.next(), await b.next());
  await a.end();
  await one.grow(1);
  assert.is((await b.next()).data.index, 2);
  await b.end();
});

test('a listener that does not keep up is told that it missed something, and the log holds no more than it should', async () => {
  const one = await memoryLog();
  const stream = await listen(one);
  await one.grow(1500);
  assert.is((await stream.next()).event, 'hello');
  const seen: Event[] = [];
  while (seen.at(-1)?.event !== 'gap') seen.push(await stream.next());
  await one.grow(1);
  while (seen.at(-1)?.data.index !== 1501) seen.push(await stream.next());
  assert.ok(seen.length < 1010, `${seen.length} events`);
  // Whatever is left out, a listener knows where it has to read on.
  let expected = 1;
  for (const { event, data } of seen) {
    if (event === 'record') assert.is(data.index, expected++);
    else if (event === 'gap') expected = data.size;
  }
  await stream.end();
});

test('a batch that was logged though its commit failed is a gap: a listener reads it for itself', async () => {
  const memory = createMemoryStorage();
  let fails = false;
  const storage = {
    ...memory,
    async commit(...args: Parameters<typeof memory.commit>): Promise<void> {
      await memory.commit(...args);
      if (fails) throw new StorageError('storage/full', 'no space for the checkpoint');
    },
  };
  const one = await memoryLog({ storage });
  const stream = await listen(one);
  await stream.next();
  await one.grow(1);
  assert.is((await stream.next()).data.index, 1);
  fails = true;
  await one.grow(2).then(
    () => assert.unreachable('a lost batch was acknowledged'),
    () => undefined,
  );
  fails = false;
  await one.grow(1);
  const { event, data } = await stream.next();
  assert.equal([event, data], ['gap', { size: 4 }]);
  assert.is((await stream.next()).data.index, 4);
  assert.match(await (await one.app.request('/metrics')).text(), /^treering_commits_total 3$/m);
  await stream.end();
});

test('listeners are limited, and one that leaves makes room', async () => {
  const one = await memoryLog();
  const streams = [];
  for (let i = 0; i < 256; i++) streams.push(await listen(one));
  const full = await one.app.request('/v1/events');
  assert.is(full.status, 503);
  assert.is(full.headers.get('retry-after'), '30');
  assert.is((await full.json()).code, 'events/full');
  await streams[0].end();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const late = await listen(one);
  assert.is((await late.next()).event, 'hello');
  await Promise.all([late, ...streams.slice(1)].map((stream) => stream.end()));
});

test.run();
