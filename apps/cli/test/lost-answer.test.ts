import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { download, hexOf } from './attachment.js';
import { deskWithLog } from './fixture.js';

// A proxy before the log loses the answer to a submission that the log has taken in.

const desk = await deskWithLog();
desk.write('prompt.txt', 'You are a careful assistant.\n');
const recordConfig = ['record', 'config', 'prompt.txt', '--version', '1', '--reason', 'A prompt whose answer is lost.'];

test.after(() => desk.served.close());

/** Forwards to the log; `lose` decides what becomes of the answer to the nth submission. */
async function lossyProxy(lose: (submission: number) => 'cut' | 504 | undefined) {
  let submissions = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = 'GET', url = '/' } = request;
    const headers = Object.fromEntries(
      ['content-type', 'accept'].flatMap((name) =>
        request.headers[name] === undefined ? [] : [[name, String(request.headers[name])]],
      ),
    );
    const answer = await fetch(`${desk.served.url}${url}`, {
      method,
      headers,
      ...(method === 'GET' ? {} : { body: Buffer.concat(chunks) }),
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const fate = method === 'POST' ? lose(++submissions) : undefined;
    if (fate === 'cut') request.socket.destroy();
    else if (fate === 504)
      response.writeHead(504, { 'Content-Type': 'application/problem+json' }).end('{"detail": "too late"}');
    else response.writeHead(answer.status, { 'Content-Type': answer.headers.get('content-type') ?? '' }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    submissions: () => submissions,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

for (const fate of ['cut', 504] as const) {
  test(`an answer that is lost (${fate}) does not lose the attachments, and nothing is logged twice`, async () => {
    const proxy = await lossyProxy((submission) => (submission === 1 ? fate : undefined));
    const name = `lost-${fate}`;
    const { code, stderr } = await desk.call([...recordConfig, '--name', name, '--url', proxy.url]);
    proxy.close();
    const { records } = await desk.result(['history', `config/${name}`]);
    assert.is(records.length, 1, 'the log took it in once');
    assert.is(code, 0, stderr);
    assert.is(proxy.submissions(), 2, 'the same statement was sent again');
    const digest = hexOf(records[0].record.attachments[0].digest);
    assert.is((await download(desk, digest, true)).status, 200, 'the content can be read with its salt');
  });
}

test('a log whose answers are always lost is given up: exit code 3', async () => {
  const proxy = await lossyProxy(() => 'cut');
  const { code } = await desk.call([...recordConfig, '--name', 'always', '--url', proxy.url]);
  proxy.close();
  assert.is(code, 3);
  assert.ok(proxy.submissions() <= 10);
});

test.run();
