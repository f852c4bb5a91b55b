import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LogHttp } from '../src/http.js';
import { readSubjects } from '../src/subject-list.js';
import { codeOf, type Lie, lying, refusal, startLog } from './fixture.js';

const log = await startLog();
test.after(() => log.served.close());

/** More than a page of subjects of one kind, and others before and behind them. */
const names = Array.from({ length: 103 }, (_, i) => `incident/${String(i).padStart(3, '0')}`);
for (const subject of [...names, 'config/x', 'incident', 'model/wink'])
  await log.served.log.submit((await log.statement({ subject })).entry);
// A subject with two records stands there once.
await log.served.log.submit((await log.statement({ subject: names[5] })).entry);

async function read(subjects: AsyncIterable<string>): Promise<string[]> {
  const out: string[] = [];
  for await (const subject of subjects) out.push(subject);
  return out;
}

const deceived = (lie: Lie, prefix = 'incident/'): Promise<string[]> =>
  read(log.client({ fetch: lying(log.url, lie) }).subjects(prefix));

/** A log that has this list, whatever it is asked. */
const list = (...answers: unknown[]): Lie => {
  let next = 0;
  return ({ path }) => (path.startsWith('/v1/subjects') ? Response.json(answers[next++] ?? {}) : undefined);
};
const page = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => ({ subject: `incident/${String(from + i).padStart(6, '0')}` }));

test('all subjects that begin so are read, page by page, and no others', async () => {
  const asked: string[] = [];
  assert.equal(await deceived(({ path }) => void asked.push(path)), names);
  assert.equal(asked, ['/v1/subjects?prefix=incident%2F', '/v1/subjects?prefix=incident%2F&after=incident%2F099']);
  assert.equal(await read(log.client().subjects('model/')), ['model/wink']);
  assert.equal(await read(log.client().subjects('freeze/')), []);
});

test('what no record can be about is left out, and the list goes on behind it', async () => {
  const odd = [{ subject: 'incident/\u{1f600}' }, { subject: 'incident/\ufb01' }];
  const first = { subjects: [...page(0, 98), ...odd], next: 'incident/\ufb01' };
  assert.equal(
    await deceived(list(first, { subjects: [] })),
    page(0, 98).map(({ subject }) => subject),
  );
  assert.is(await codeOf(deceived(list({ subjects: [...odd, ...page(1, 2)] }))), 'client/bad-answer');
});

test('what is refused is told', async () => {
  for (const status of [400, 403, 404, 500]) {
    const lie: Lie = ({ path }) => (path.startsWith('/v1/subjects') ? new Response(null, { status }) : undefined);
    assert.is(await codeOf(deceived(lie)), 'client/refused', String(status));
  }
});

const full = page(0, 100);
const alterations: Readonly<Record<string, unknown>> = {
  'no list': {},
  'a list that is none': { subjects: { length: 1 } },
  'a list of nothing': { subjects: [null] },
  'a subject that is a number': { subjects: [{ subject: 7 }] },
  'a subject that begins otherwise': { subjects: [{ subject: 'model/wink' }] },
  'falling subjects': { subjects: [...page(2, 3), ...page(1, 2)] },
  'a subject twice': { subjects: [...page(1, 2), ...page(1, 2)] },
  'more than a page': { subjects: page(0, 101) },
  'a next page after an empty one': { subjects: [], next: 'incident/000001' },
  'a next page after one that is not full': { subjects: page(0, 3), next: 'incident/000002' },
  'a next page from elsewhere': { subjects: full, next: 'incident/000050' },
  'a next page that is null': { subjects: full, next: null },
};
for (const [name, answer] of Object.entries(alterations)) {
  test(`a list with ${name} is not followed`, async () => {
    assert.is(await codeOf(deceived(list(answer))), 'client/bad-answer');
  });
}

test('a page that goes back behind the one before it is not followed', async () => {
  const error = await refusal(deceived(list({ subjects: full, next: 'incident/000099' }, { subjects: page(99, 101) })));
  assert.match(error.message, /do not rise/);
});

test('a list that never ends is given up', async () => {
  let requests = 0;
  const endless: Lie = ({ path }) => {
    // An answer of another kind ends a client that goes on for ever, so that this test can fail.
    if (++requests > 200) return new Response('enough', { status: 418 });
    const from = Number(/after=incident%2F(\d+)/.exec(path)?.[1] ?? -1) + 1;
    return Response.json({ subjects: page(from, from + 100), next: page(from + 99, from + 100)[0].subject });
  };
  const http = new LogHttp(log.url, { fetch: lying(log.url, endless) });
  const error = await refusal(read(readSubjects(http, 'incident/', 1000)));
  assert.is(error.code, 'client/bad-answer');
  assert.match(error.message, /no end after 1000 subjects/);
  assert.is(requests, 11);
});

test.run();
