import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RecorderStore } from '../src/index.js';
import { body, created, NOW, recorder, signed } from './fixture.js';

test('a signed delivery is kept, on disk, before it is answered', async () => {
  const { store, post, path, arrivals } = recorder();
  const bytes = created('Wink', '1', 'models:/m-1');
  const { status, json } = await post(bytes, signed('a-1', bytes));
  assert.equal([status, json], [202, { delivery: 'a-1', status: 'accepted' }]);
  assert.is(arrivals(), 1);
  // Another connection sees it while this one is open: it is in the file.
  const other = RecorderStore.open(path, { mode: 'read' });
  assert.equal(
    other.list(9).map(({ delivery, state, event }) => [delivery, state, event]),
    [['a-1', 'waiting', 'model_version.created']],
  );
  other.close();
  store.close();
});

test('what is not signed, signed by somebody else, or old, is refused and changes nothing', async () => {
  const { store, post, arrivals } = recorder();
  const bytes = created('Wink', '1', 'models:/m-1');
  const { 'X-MLflow-Signature': _, ...unsigned } = signed('a-1', bytes);
  for (const [headers, code] of [
    [unsigned, 'recorder/unsigned'],
    [signed('a-1', bytes, NOW / 1000, 'another secret of a webhook'), 'recorder/bad-signature'],
    [signed('a-1', created('Wink', '2', 'models:/m-1')), 'recorder/bad-signature'],
    [signed('a-1', bytes, NOW / 1000 - 301), 'recorder/not-fresh'],
  ] as const) {
    const { status, json } = await post(bytes, headers);
    assert.equal([status, json.code], [401, code]);
  }
  assert.equal([store.list(9).length, arrivals()], [0, 0]);
  store.close();
});

test('the same delivery is answered again and kept once; another one under its id is refused', async () => {
  const { store, post, arrivals } = recorder();
  const bytes = created('Wink', '1', 'models:/m-1');
  await post(bytes, signed('a-1', bytes));
  const again = await post(bytes, signed('a-1', bytes));
  assert.equal([again.status, again.json.status], [200, 'known']);
  const other = created('Wink', '2', 'models:/m-1');
  const refused = await post(other, signed('a-1', other));
  assert.equal([refused.status, refused.json.code], [409, 'recorder/other-delivery']);
  assert.equal([store.list(9).length, arrivals()], [1, 1]);
  assert.equal(store.source('Wink', '2'), undefined);
  store.close();
});

test('events that announce no content of a model are answered, and nothing is recorded for them', async () => {
  const { store, post, arrivals } = recorder();
  const events = [
    'registered_model.created',
    'model_version_alias.deleted',
    'model_version_tag.deleted',
    'prompt.created',
    'new.thing',
  ];
  for (const [i, event] of events.entries()) {
    const bytes = body(event, { name: 'Wink' });
    const { status, json } = await post(bytes, signed(`b-${i}`, bytes));
    assert.equal([status, json.status], [200, 'ignored'], event);
  }
  assert.equal([store.counts().ignored, store.counts().waiting, arrivals()], [events.length, 0, 0]);
  store.close();
});

test('aliases and tags lead to the version that they are about', async () => {
  const { store, post } = recorder();
  for (const [i, bytes] of [
    body('model_version_alias.created', { name: 'Wink', alias: 'champion', version: '3' }),
    body('model_version_tag.set', { name: 'Wink', version: '3', key: 'k', value: 'v' }),
  ].entries())
    assert.is((await post(bytes, signed(`c-${i}`, bytes))).status, 202);
  assert.is(store.counts().waiting, 2);
  store.close();
});

test('a signed body that MLflow would not write is refused and not kept', async () => {
  const { store, post } = recorder();
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  for (const bytes of [
    text(''),
    text('no JSON'),
    text('[]'),
    text('{"entity":"model_version"}'),
    new Uint8Array([0xff]),
    body('model_version.created', { name: 'Wink', version: '1' }),
    body('model_version.created', { name: 'Wink', version: 1, source: 'models:/m-1' }),
    body('model_version.created', { name: '', version: '1', source: 'models:/m-1' }),
    body('model_version.created', { name: 'Wink', version: '../1', source: 'models:/m-1' }),
    body('model_version_alias.created', { name: 'Wink', version: '1' }),
  ]) {
    const { status, json } = await post(bytes, signed('d-1', bytes));
    assert.equal([status, json.code], [400, 'recorder/malformed']);
  }
  assert.is(store.list(9).length, 0);
  store.close();
});

test('a body that is too large, or of another type, is refused unread', async () => {
  const { store, post } = recorder();
  const large = created('W'.repeat(300_000), '1', 'models:/m-1');
  assert.is((await post(large, signed('e-1', large))).status, 413);
  const bytes = created('Wink', '1', 'models:/m-1');
  assert.is((await post(bytes, { ...signed('e-2', bytes), 'Content-Type': 'text/plain' })).status, 415);
  assert.is(store.list(9).length, 0);
  store.close();
});

test('the health of a recorder says what waits and what is refused', async () => {
  const { store, app, post } = recorder();
  const bytes = created('Wink', '1', 'models:/m-1');
  await post(bytes, signed('f-1', bytes));
  assert.equal(await (await app.request('/healthz')).json(), {
    status: 'alive',
    waiting: 1,
    refused: 0,
    not_uploaded: 0,
  });
  assert.is((await app.request('/mlflow')).status, 404);
  store.close();
});

test.run();
