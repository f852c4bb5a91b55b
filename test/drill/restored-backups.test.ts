import { createSigner, formatAddCheckpoint, formatCheckpoint, formatNote, KEY_TYPE, parseNote } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { incident, LOG_SIGNERS, ORIGIN, SimulatedLog, seedOf } from './simulation.js';
import { setUp } from './witnessed-log.js';

// An older copy of a log's store: what its anchor and its witnesses know, and what must come of it.

/** A log whose store and anchor were set back from 7 entries, cosigned by all, to 4. */
async function setBack() {
  const { world, log, witnesses, policyText } = await setUp(3);
  await log.grow(1);
  await log.publish();
  const oldest = witnesses.map(({ store }) => store.head(ORIGIN)?.note);
  await log.grow(2);
  await log.publish();
  const backup = await log.snapshot();
  await log.grow(3, 'the first history');
  assert.ok(await log.publish());
  log.stop();
  const restored = new SimulatedLog(world, 'log.world', policyText);
  await restored.restore(backup);
  return { world, witnesses, restored, oldest };
}

test('a restored backup: a witness shows a head that the store does not have, and the log stops for good', async () => {
  const { world, restored } = await setBack();
  const refused = await restored.start().catch((error: Error & { code?: string }) => error);
  assert.is((refused as { code?: string }).code, 'sequencer/rolled-back');
  assert.match((refused as Error).message, /old copy of the store/);
  // The anchor knows now: with all witnesses gone, it is refused as well.
  world.hosts.clear();
  const again = await restored.start().catch((error: Error & { code?: string }) => error);
  assert.is((again as { code?: string }).code, 'sequencer/rolled-back');
  world.close();
});

test('a restored backup takes nothing before enough witnesses were reached, and stops for good at the first answer', async () => {
  const { world, witnesses, restored } = await setBack();
  world.interference.set('log.world', () => Promise.reject(new TypeError('fetch failed')));
  await restored.start();
  const submit = () => restored.submit(incident('A second history.')).catch((error: { code?: string }) => error.code);
  assert.is(await submit(), 'log/unwitnessed-start');
  await restored.publish();
  assert.is(await submit(), 'log/unwitnessed-start');
  assert.match(restored.log.witnesses?.silence ?? '', /may know a newer head than the store has/);
  assert.is(restored.log.sequencer.head?.size, 4, 'nothing was signed');
  assert.is(restored.fatal, undefined);
  world.interference.delete('log.world');
  assert.is(await restored.publish(), false);
  assert.is((restored.fatal as { code?: string } | undefined)?.code, 'sequencer/rolled-back');
  assert.is(await submit(), 'sequencer/stopped');
  assert.is(await restored.publish(), false);
  assert.is(restored.log.publisher.published?.size, 4);
  for (const { store } of witnesses) assert.is(store.head(ORIGIN)?.size, 7n);
  // Nobody can be reached any more, and the anchor tells.
  world.hosts.clear();
  const again = await restored.start().catch((error: Error & { code?: string }) => error);
  assert.is((again as { code?: string }).code, 'sequencer/rolled-back');
  world.close();
});

test('a start takes entries as soon as those who are still silent could not have made a quorum', async () => {
  const { world, log, witnesses } = await setUp(3);
  await log.grow(2);
  await log.publish();
  log.stop();
  // Of three witnesses two make a quorum.
  const [first, second] = witnesses.map(({ host }) => host);
  world.interference.set('log.world', (request) =>
    [first, second].includes(new URL(request.url).host) ? Promise.reject(new TypeError('fetch failed')) : undefined,
  );
  await log.start();
  const submit = () => log.submit(incident('After the start.')).catch((error: { code?: string }) => error.code);
  assert.is(await submit(), 'log/unwitnessed-start');
  world.interference.set('log.world', (request) =>
    new URL(request.url).host === first ? Promise.reject(new TypeError('fetch failed')) : undefined,
  );
  await log.publish();
  assert.type(await submit(), 'number');
  assert.is(log.log.witnesses?.silence, undefined);
  world.close();
});

for (const [what, shown] of [
  ['nothing', 'that it has cosigned nothing'],
  ['an older head', 'a head of 2 entries as its newest'],
]) {
  test(`a restored backup takes nothing while witnesses show ${what}, and their lines on its checkpoint stand for more`, async () => {
    const { world, witnesses, restored, oldest } = await setBack();
    const known = witnesses.map(({ store }) => store.head(ORIGIN)?.size);
    const inItsPlace = (request: Request): Promise<Response> | undefined => {
      if (request.method !== 'GET') return undefined;
      const note = oldest[witnesses.findIndex(({ host }) => host === new URL(request.url).host)];
      return Promise.resolve(what === 'nothing' ? new Response('', { status: 404 }) : new Response(note as BodyInit));
    };
    world.interference.set('log.world', inItsPlace);
    await restored.start();
    const submit = () => restored.submit(incident('A second history.')).catch((error: { code?: string }) => error.code);
    assert.is(await submit(), 'log/unwitnessed-start');
    assert.is(restored.fatal, undefined, 'it may be the network');
    for (const { trouble } of restored.log.witnesses?.status() ?? [])
      assert.is(
        trouble,
        `shows ${shown}, and its cosignature of 4 is published: it has lost its store, or something else answers in its place`,
      );
    assert.is(await restored.publish(), false);
    assert.match(restored.log.witnesses?.objection ?? '', /says that it knows 7, more entries than this log has \(4\)/);
    assert.is(await submit(), 'log/contradicted');
    assert.is(restored.log.sequencer.head?.size, 4, 'nothing was signed');
    world.interference.delete('log.world');
    assert.is(await restored.publish(), false);
    assert.is((restored.fatal as { code?: string } | undefined)?.code, 'sequencer/rolled-back');
    assert.equal(
      witnesses.map(({ store }) => store.head(ORIGIN)?.size),
      known,
    );
    const again = await restored.start().catch((error: Error & { code?: string }) => error);
    assert.is((again as { code?: string }).code, 'sequencer/rolled-back');
    world.close();
  });
}

for (const [old, silent] of [
  [59, false],
  [61, true],
  [86_400, true],
] as const)
  test(`a cosignature that is ${old} s old ${silent ? 'says nothing about what its witness has cosigned since' : 'is fresh'}`, async () => {
    const { world, witnesses, restored } = await setBack();
    const published = (await restored.storage.published())?.note as Uint8Array;
    const { signatures } = parseNote(published);
    // In the place of the witnesses is somebody who has what was published, and none of their keys.
    world.interference.set('log.world', (request) => {
      if (request.method === 'GET') return Promise.resolve(new Response('', { status: 404 }));
      const own = signatures.filter(({ name }) => name === new URL(request.url).host);
      const lines = own.map(({ name, id, signature }) => {
        const blob = Buffer.concat([Buffer.from(id, 'hex'), signature]).toString('base64');
        return `\u2014 ${name} ${blob}\n`;
      });
      return Promise.resolve(lines.length === 0 ? new Response('', { status: 500 }) : new Response(lines.join('')));
    });
    world.advance(old);
    await restored.start();
    assert.ok(await restored.publish(), 'the published head has its quorum still');
    const submitted = await restored.submit(incident('A second history.')).catch((error: { code?: string }) => error.code);
    assert.is(submitted === 'log/unwitnessed-start', silent);
    const troubles = restored.log.witnesses?.status().filter(({ trouble }) => trouble?.includes('from before it was asked'));
    assert.is((troubles?.length ?? 0) > 0, silent);
    if (silent) assert.is(restored.log.sequencer.head?.size, 4, 'nothing was signed');
    assert.is(witnesses.length, 3);
    world.close();
  });

for (const grown of [3, 5]) {
  test(`a restored backup from before any witness, grown by ${grown}, is refused by witnesses that show nothing`, async () => {
    const { world, log, policyText } = await setUp(3);
    await log.grow(3);
    const backup = await log.snapshot();
    await log.grow(3, 'the first history');
    assert.ok(await log.publish());
    log.stop();
    const restored = new SimulatedLog(world, 'log.world', policyText);
    await restored.restore(backup);
    const showNothing = (request: Request) =>
      request.method === 'GET' ? Promise.resolve(new Response('', { status: 404 })) : undefined;
    world.interference.set('log.world', showNothing);
    await restored.start();
    await restored.grow(grown, 'a second history');
    assert.is(await restored.publish(), false);
    assert.is(restored.fatal, undefined, 'a refusal alone is no proof');
    assert.match(restored.log.witnesses?.objection ?? '', /refuses the head of this log as inconsistent/);
    const submitted = await restored.submit(incident('While they refuse.')).catch((error: { code?: string }) => error.code);
    assert.is(submitted, 'log/contradicted');
    world.interference.delete('log.world');
    assert.is(await restored.publish(), false);
    assert.is((restored.fatal as { code?: string } | undefined)?.code, 'sequencer/rolled-back');
    const again = await restored.start().catch((error: Error & { code?: string }) => error);
    assert.is((again as { code?: string }).code, 'sequencer/rolled-back');
    world.close();
  });
}

test('a witness that was set back itself counts again as soon as it cosigns', async () => {
  const { world, log } = await setUp(2);
  await log.grow(2);
  assert.ok(await log.publish());
  const head = log.log.publisher.published?.size;
  log.stop();
  world.interference.set('log.world', (request: Request) =>
    request.method === 'GET' ? Promise.resolve(new Response('', { status: 404 })) : undefined,
  );
  await log.start();
  const submit = () => log.submit(incident('After its return.')).catch((error: { code?: string }) => error.code);
  assert.is(await submit(), 'log/unwitnessed-start');
  assert.ok(await log.publish(), 'the published head is cosigned anew');
  assert.is(log.log.publisher.published?.size, head);
  assert.is(log.log.witnesses?.silence, undefined);
  assert.not.type(await submit(), 'string');
  world.close();
});

test('a restored backup whose anchor is lost starts only when enough witnesses have been asked, and only if they know no more', async () => {
  const { world, witnesses, log } = await setUp(3);
  await log.grow(1);
  assert.ok(await log.publish());
  const old = await log.snapshot();
  await log.grow(1);
  assert.ok(await log.publish());
  const newest = await log.snapshot();
  log.stop();
  const code = (error: Error & { code?: string }): string | undefined => error.code;

  // Two of three cosign a head: two that are silent may have cosigned a newer one, whatever the third says.
  for (const witness of witnesses) witness.stop();
  for (const reachable of [0, 1]) {
    await log.restore({ ...old, anchor: null });
    if (reachable === 1) witnesses[0].start();
    assert.is(await log.start({ trustStore: true }).then(() => 'started', code), 'sequencer/no-anchor', `${reachable} answer`);
    // The refusal has not made the store the newest: the next attempt is refused as well.
    assert.is(await log.start().then(() => 'started', code), 'sequencer/no-anchor');
  }
  // What is answered in their place shows less than their lines on the published head stand for.
  world.interference.set('log.world', (request) =>
    request.method === 'GET' ? Promise.resolve(new Response('', { status: 404 })) : undefined,
  );
  for (const witness of witnesses.slice(1)) witness.start();
  await log.restore({ ...old, anchor: null });
  assert.is(await log.start({ trustStore: true }).then(() => 'started', code), 'sequencer/no-anchor');
  assert.is(await log.start().then(() => 'started', code), 'sequencer/no-anchor');
  world.interference.delete('log.world');
  for (const witness of witnesses.slice(1)) witness.stop();
  witnesses[1].start();
  await log.restore({ ...old, anchor: null });
  assert.is(await log.start({ trustStore: true }).then(() => 'started', code), 'sequencer/rolled-back');
  assert.is(await log.start({ trustStore: true }).then(() => 'started', code), 'sequencer/rolled-back');
  await log.restore({ ...newest, anchor: null });
  await log.start({ trustStore: true });
  await log.grow(1);
  assert.ok(await log.publish());
  world.close();
});

test('a restored backup from before a rotation: witnesses show a head that only the newer key signed, and nothing is taken', async () => {
  const { world, log, witnesses, policyText } = await setUp(3);
  await log.grow(3);
  await log.publish();
  const backup = await log.snapshot();
  await log.grow(3);
  // The log goes on with another key, which the witnesses know, and retires this one.
  const newer = createSigner(ORIGIN, KEY_TYPE.ed25519, seedOf('the newer key'), nodeEd25519);
  const { size, root } = log.log.sequencer.head as { size: number; root: Uint8Array };
  const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(size), root, extensions: [] });
  const checkpoint = formatNote({ text, signatures: [newer.sign(text)] });
  const body = formatAddCheckpoint({ oldSize: 4n, proof: await log.log.sequencer.proveConsistency(4, size), checkpoint });
  for (const { store, host } of witnesses) {
    store.addLogs([{ origin: ORIGIN, keys: [...LOG_SIGNERS.map(({ key }) => key), newer.key] }]);
    const answer = await world.fetchFrom('anybody')(`http://${host}/add-checkpoint`, {
      method: 'POST',
      body: body as Uint8Array<ArrayBuffer>,
    });
    assert.is(answer.status, 200);
  }
  // A store that has all of it may go on: a key alone is no contradiction.
  await log.start();
  assert.is(log.log.witnesses?.objection, undefined);
  log.stop();

  const restored = new SimulatedLog(world, 'log.world', policyText);
  await restored.restore(backup);
  await restored.start();
  assert.match(restored.log.witnesses?.objection ?? '', /a newer key of this log signed it/);
  const refuse = async () => restored.submit(incident('With the older key.')).catch((error: { code?: string }) => error.code);
  assert.is(await refuse(), 'log/contradicted');
  assert.is((await world.fetchFrom('anybody')('http://log.world/readyz')).status, 503);
  world.advance(700);
  assert.is(await restored.publish(), false);
  assert.is(await refuse(), 'log/contradicted');
  assert.is(restored.log.sequencer.head?.size, 4);
  world.close();
});

test.run();
