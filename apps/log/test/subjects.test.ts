import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type MemoryLog, makeStatement, memoryLog } from './fixture.js';

/** Reads all pages of a list. */
async function allPages(one: MemoryLog, path: string, parameter: string, member: string) {
  const items = [];
  let pages = 0;
  for (let next: string | undefined; ; ) {
    const query = next === undefined ? '' : `${path.includes('?') ? '&' : '?'}${parameter}=${encodeURIComponent(next)}`;
    const response = await one.app.request(`${path}${query}`);
    assert.is(response.status, 200, `page ${pages} of ${path}`);
    const page = await response.json();
    items.push(...page[member]);
    pages++;
    if (page.next === undefined) return { items, pages };
    next = String(page.next);
  }
}

test('subjects are listed page by page, in order, by prefix', async () => {
  const one = await memoryLog();
  const subjects = Array.from({ length: 230 }, (_, i) => `model/m${i}`);
  for (const subject of [...subjects, 'config/a', 'modelling/b'])
    await one.log.submit((await makeStatement({ subject })).entry);
  await one.grow(2, { subject: 'model/m7' });
  const all = await allPages(one, '/v1/subjects', 'after', 'subjects');
  assert.is(all.pages, 3);
  assert.equal(
    all.items.map((item) => item.subject),
    ['charter', 'config/a', 'modelling/b', ...subjects].sort(),
  );
  const models = await allPages(one, '/v1/subjects?prefix=model/', 'after', 'subjects');
  assert.equal(
    models.items.map((item) => item.subject),
    [...subjects].sort(),
  );
  const seven = models.items.find((item) => item.subject === 'model/m7');
  assert.is(seven.count, 3);
  assert.is(seven.latest.index, one.size() - 1);
  assert.equal((await one.json('/v1/subjects?prefix=nothing')).subjects, []);
  assert.equal((await one.json('/v1/subjects?prefix=%25')).subjects, []);
});

for (const count of [1, 99, 100, 101, 200, 201]) {
  test(`the history of a subject with ${count} records is complete, newest first, however its pages fall`, async () => {
    const one = await memoryLog();
    const logged = await one.grow(count, { subject: 'model/wink' });
    await one.grow(3, { subject: 'model/other' });
    const { items } = await allPages(one, '/v1/subjects/model/wink', 'before', 'records');
    const expected = logged.map((entry) => entry.index).sort((a, b) => b - a);
    assert.equal(
      items.map((item) => item.index),
      expected,
    );
  });
}

test('the state of a subject as of a time is the newest record signed by then', async () => {
  const start = Date.parse('2026-06-01T00:00:00Z');
  let now = start;
  const one = await memoryLog({ clock: () => now });
  for (let day = 0; day < 130; day++) {
    now = start + day * 86_400_000;
    await one.log.submit(
      (await makeStatement({ subject: 'model/wink', iat: now / 1000, reason: `The state on day ${day}.` })).entry,
    );
  }
  const at = async (time: string) => one.json(`/v1/subjects/model/wink?at=${encodeURIComponent(time)}`);
  assert.is((await at('2026-06-01')).state.record.reason, 'The state on day 0.');
  assert.is((await at('2026-06-30T12:00:00Z')).state.record.reason, 'The state on day 29.');
  assert.is((await at('2026-07-01T00:30:00+01:00')).state.record.reason, 'The state on day 29.');
  assert.is((await at('2030-01-01')).state.record.reason, 'The state on day 129.');
  const before = await one.app.request('/v1/subjects/model/wink?at=2026-05-31');
  assert.is(before.status, 404);
  assert.is((await before.json()).code, 'subject/missing');
  for (const time of ['yesterday', '2026-13-01', '2026', '2026-06-30T12:00:00', '1e9', '']) {
    assert.is((await one.app.request(`/v1/subjects/model/wink?at=${time}`)).status, 400, time);
  }
});

test('what is no subject is 400, one without records 404', async () => {
  const one = await memoryLog();
  for (const subject of ['Model/x', 'a//b', 'a/../b%2f..', 'a%00b', 'a/b/c/d/e/f/g/h/i', 'x'.repeat(201)]) {
    assert.is((await one.app.request(`/v1/subjects/${subject}`)).status, 400, subject);
  }
  assert.is((await one.app.request('/v1/subjects/model/unknown')).status, 404);
  assert.is((await one.app.request('/v1/subjects/charter?before=x')).status, 400);
  assert.is((await one.app.request('/v1/subjects/charter?before=0')).status, 404);
});

test.run();
