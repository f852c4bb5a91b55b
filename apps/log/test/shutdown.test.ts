import { Agent, request } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { serveLog } from '../src/index.js';
import { type Answer, servedLog, verifyAnswer } from './fixture.js';
import { rawConnection } from './raw-http.js';

/** Started first, because it waits for the whole grace: the close of a server with a request that never ends. */
const unfinished = (async () => {
  const one = await servedLog();
  const { socket, answer } = rawConnection(one.port);
  socket.write('POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/cose\r\nContent-Length: 100\r\n\r\nabc');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const started = performance.now();
  await one.close();
  await answer;
  return performance.now() - started;
})();

test('closing answers what was taken in, publishes it, and a restart has it', async () => {
  const one = await servedLog({ publish_interval: 3_600_000 });
  const statements = await Promise.all(Array.from({ length: 50 }, () => one.statement()));
  const answers = Promise.all(statements.map(({ entry }) => one.post(entry).catch((error: Error) => error)));
  // The first answer shows that the others are under way.
  await one.post((await one.statement()).entry);
  const started = performance.now();
  await one.served.close();
  const took = performance.now() - started;
  const acknowledged: { entry: Uint8Array; answer: Answer }[] = [];
  for (const [i, response] of (await answers).entries()) {
    if (!(response instanceof Response)) continue;
    assert.is(response.status, 201);
    acknowledged.push({ entry: statements[i].entry, answer: (await response.json()) as Answer });
  }
  assert.ok(acknowledged.length > 0);
  const again = await serveLog(one.settings);
  for (const { entry, answer } of acknowledged) {
    verifyAnswer(again.log, entry, answer);
    assert.equal((await again.log.storage.entries(answer.index, answer.index + 1))[0], entry);
  }
  assert.is(again.log.publisher.published?.size, again.log.sequencer.head?.size, 'everything was published');
  await again.close();
  assert.ok(took < 3000, `closing took ${Math.round(took)} ms`);
});

test('a listener to events does not hold a shutdown up', async () => {
  const one = await servedLog();
  const response = await fetch(`${one.url}/v1/events`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  await reader.read();
  const started = performance.now();
  const ended = (async () => {
    while (!(await reader.read()).done);
  })().catch(() => undefined);
  await one.close();
  const took = performance.now() - started;
  await ended;
  assert.ok(took < 3000, `closing took ${Math.round(took)} ms`);
});

test('a client that keeps its connection alive, busy or idle, does not hold a shutdown up', async () => {
  const one = await servedLog();
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  let going = true;
  const client = async (): Promise<void> => {
    while (going) {
      await new Promise<void>((resolve) => {
        const req = request(`${one.url}/healthz`, { agent }, (res) => res.resume().on('end', resolve));
        req.on('error', () => resolve()).end();
      });
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  const clients = [client(), client(), client(), client()];
  await new Promise((resolve) => setTimeout(resolve, 200));
  const started = performance.now();
  await one.close();
  const took = performance.now() - started;
  going = false;
  await Promise.all(clients);
  agent.destroy();
  assert.ok(took < 3000, `closing took ${Math.round(took)} ms`);
});

test('nothing is taken in after a close', async () => {
  const one = await servedLog();
  const { entry } = await one.statement();
  const { log } = one.served;
  await one.close();
  let refused = false;
  await one.post(entry).catch(() => {
    refused = true;
  });
  assert.ok(refused);
  let code: string | undefined;
  await log.submit(entry).catch((error: { code: string }) => {
    code = error.code;
  });
  assert.match(code ?? 'accepted', /^(sequencer\/stopped|storage\/io)$/);
});

test('a request that never ends is not waited for beyond the grace', async () => {
  const took = await unfinished;
  assert.ok(took < 12_000, `closing took ${Math.round(took)} ms`);
});

test.run();
