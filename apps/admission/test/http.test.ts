import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Cluster } from './cluster.js';
import { permit } from './permits.js';
import { pod, review, UID } from './reviews.js';

const cluster = await Cluster.open({ timeout: 400 });
const sockets: TLSSocket[] = [];
test.after(() => {
  for (const socket of sockets) socket.destroy();
  return cluster.close();
});
await cluster.put('deploy-prod-triage.permit', await permit());
const good = review(pod());
const { port } = new URL(cluster.served.url);

/** A connection of a client that knows the authority, and the serial number that it was shown. */
function dial({ served, authority } = cluster): Promise<{ socket: TLSSocket; serial: string }> {
  return new Promise((resolve, reject) => {
    const address = { host: '127.0.0.1', port: Number(new URL(served.url).port) };
    const socket = connectTls({ ...address, ca: authority.certificate }, () =>
      resolve({ socket, serial: socket.getPeerCertificate().serialNumber }),
    );
    socket.once('error', reject);
    sockets.push(socket);
  });
}

/** The first bytes that come on a connection after something was written to it. */
function say(socket: TLSSocket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1')));
    socket.once('close', () => resolve(''));
    socket.once('error', reject);
    socket.write(text);
  });
}

const GET = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';

test('/healthz, /readyz, and nothing else', async () => {
  assert.equal((await cluster.get('/healthz')).json(), { status: 'alive' });
  assert.equal((await cluster.get('/readyz')).json(), { status: 'ready' });
  const nothing = await cluster.get('/validate');
  assert.is(nothing.status, 404);
  assert.match(nothing.json().detail, 'POST /validate takes an AdmissionReview');
});

test('400: what is no AdmissionReview, or one of another version', async () => {
  for (const body of [
    '',
    'no JSON',
    '[]',
    'null',
    '"AdmissionReview"',
    new Uint8Array([0x22, 0xff, 0x22]),
    {},
    { ...good, apiVersion: 'admission.k8s.io/v1beta1' },
    { ...good, kind: 'Pod' },
    { ...good, request: undefined },
    { ...good, request: { ...(good.request as object), uid: undefined } },
    { ...good, request: { ...(good.request as object), uid: '' } },
    { ...good, request: { ...(good.request as object), uid: 7 } },
  ]) {
    const { status, json } = await cluster.post(body);
    assert.is(status, 400, JSON.stringify(body));
    assert.is(json().code, 'admission/no-review');
  }
});

test('415 and 413: another media type, a coding, more than 3 MiB', async () => {
  assert.is((await cluster.post(good, { 'Content-Type': 'text/plain' })).status, 415);
  assert.is((await cluster.post(good, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })).status, 415);
  const large = review(pod({ labels: { padding: 'a'.repeat(3 * 1024 * 1024) } }));
  assert.is((await cluster.post(large)).status, 413);
  assert.is((await cluster.post(large, { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' })).status, 413);
  const fitting = review(pod({ labels: { padding: 'a'.repeat(3 * 1024 * 1024 - 8192) } }));
  assert.is((await cluster.decide(fitting)).allowed, true);
});

test('a body that is nested without end is refused, and nobody else is kept waiting', async () => {
  const nested = '['.repeat(500_000) + ']'.repeat(500_000);
  const text = JSON.stringify(review(pod({ spec: { nested: 'HERE' } }))).replace('"HERE"', nested);
  const [deep, usual] = await Promise.all([cluster.post(text), cluster.decide(good)]);
  assert.ok(deep.status === 400 || (deep.status === 200 && deep.json().response.allowed === true), deep.text.slice(0, 300));
  assert.is(usual.allowed, true);
  const old = JSON.stringify({ ...good, request: { ...(good.request as object), operation: 'UPDATE', oldObject: 'OLD' } });
  const both = old.replace('"OLD"', JSON.stringify(pod({ spec: { nested: 'HERE' } })).replace('"HERE"', nested));
  assert.is((await cluster.post(both)).status < 500, true);
});

test('408: a body that does not come', async () => {
  const { socket } = await dial();
  const head = 'POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{';
  assert.match(await say(socket, head), /^HTTP\/1\.1 408 /);
  socket.destroy();
  assert.is((await cluster.decide(good)).allowed, true);
});

test('a client that does not know the authority is not answered, nor is one without TLS', async () => {
  const stranger = new Agent();
  const failure = await new Promise<string>((resolve) => {
    request(`${cluster.served.url}/healthz`, { agent: stranger }, () => resolve('answered'))
      .on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'))
      .end();
  });
  assert.not.equal(failure, 'answered');
  await fetch(`http://127.0.0.1:${port}/healthz`).then(
    () => assert.unreachable(),
    () => undefined,
  );
  assert.is((await cluster.decide(good)).uid, UID);
});

test('a certificate that is replaced is shown to whoever connects, and open connections go on', async () => {
  const before = await dial();
  assert.match(await say(before.socket, GET), /^HTTP\/1\.1 200 /);
  cluster.authority.issue(cluster.folder, 2);
  await cluster.served.reload();
  const after = await dial();
  assert.equal([before.serial, after.serial], ['01', '02']);
  assert.match(await say(before.socket, GET), /^HTTP\/1\.1 200 /);
  assert.match(await say(after.socket, GET), /^HTTP\/1\.1 200 /);

  // A key that is not that of the certificate: half of what is replaced. The certificate before stays.
  writeFileSync(join(cluster.folder, 'tls.key'), 'no key');
  await cluster.served.reload();
  assert.is((await dial()).serial, '02');
  cluster.authority.issue(cluster.folder, 3);
  for (let i = 0; i < 200 && (await dial()).serial !== '03'; i++) await new Promise((done) => setTimeout(done, 20));
  assert.is((await dial()).serial, '03', 'it is seen without being told');
  before.socket.destroy();
});

test('permits that come and go', async () => {
  await cluster.remove('deploy-prod-triage.permit');
  assert.match((await cluster.decide(good)).message, 'there is no permit for triage in prod');
  writeFileSync(join(cluster.permits, 'other.permit'), await permit());
  for (let i = 0; i < 200 && !(await cluster.decide(good)).allowed; i++) await new Promise((done) => setTimeout(done, 20));
  assert.is((await cluster.decide(good)).allowed, true, 'it is seen without being told');
  await cluster.put('notes.txt', 'no permit');
  await cluster.put('broken.permit', 'no permit');
  assert.is((await cluster.decide(good)).allowed, true, 'a broken file takes nothing from the others');
});

test('of several permits of a service, that of the state counts, whichever is the newest', async () => {
  const proof = { index: 7, size: 20 };
  await cluster.put('newer.permit', await permit({ image: 'ff'.repeat(32), proof }));
  assert.is((await cluster.decide(good)).allowed, true);
  const other = await cluster.decide(review(pod({ annotations: { 'treering.dev/config': 'ff'.repeat(32) } })));
  assert.match(other.message, 'It permits another image', 'the newest one says what is wrong');
});

test('a folder that cannot be read lets nothing in, and is not ready', async () => {
  rmSync(cluster.permits, { recursive: true });
  await cluster.served.reload();
  const { allowed, code, message } = await cluster.decide(good);
  assert.equal([allowed, code], [false, 403]);
  assert.match(message, 'the permits cannot be read now');
  assert.is((await cluster.get('/readyz')).status, 503);
  assert.is((await cluster.get('/healthz')).status, 200);
});

test('/metrics tell what was decided, and when the certificate ends', async () => {
  const { text } = await cluster.get('/metrics');
  assert.match(text, /^treering_admission_decisions_total\{outcome="allowed"\} \d+$/m);
  assert.match(text, /^treering_admission_decisions_total\{outcome="no-permit"\} \d+$/m);
  assert.match(text, /^treering_http_request_seconds_count\{route="\/validate",status="400"\} \d+$/m);
  assert.match(text, /^treering_admission_permits 0$/m);
  const [, expires] = /^treering_admission_certificate_expires_seconds (\d+)$/m.exec(text) ?? [];
  assert.ok(Math.abs(Number(expires) - Date.now() / 1000 - 86_400) < 600);
});

test('it does not start without what it needs', async () => {
  const fails = async (config: Readonly<Record<string, unknown>>, code: string, message: RegExp): Promise<void> => {
    const error = await Cluster.open(config).then(
      () => undefined,
      (caught: unknown) => caught as Error & { code: string },
    );
    assert.is(error?.code, code);
    assert.match(error?.message ?? '', message);
  };
  await fails({ permits: undefined, annotated: false }, 'admission/config', /nothing could ever be let in/);
  await fails({ cert: join(cluster.folder, 'none') }, 'admission/certificate', /cannot be used/);
  await fails({ key: join(cluster.authority.folder, 'ca.key') }, 'admission/certificate', /cannot be used/);
  for (const mode of [0o604, 0o644, 0o602, 0o666]) {
    const key = join(cluster.folder, `open-${mode.toString(8)}.key`);
    writeFileSync(key, readFileSync(join(cluster.folder, 'tls.key')));
    chmodSync(key, mode);
    await fails({ key }, 'admission/certificate', new RegExp(`open to everybody \\(mode ${mode.toString(8)}\\)`));
  }
  for (const pattern of ['registry.example/istio/*', '*', 'a@sha256:12', '@sha256:*', 'a/*@sha256:*@sha256:*', 'a b@sha256:*'])
    await fails({ allow_images: [pattern] }, 'admission/config', /is no pattern of images/);
});

test('permits from pods only, and from the folder only', async () => {
  const text = Buffer.from(await permit()).toString('base64');
  const brought = review(pod({ annotations: { 'treering.dev/permit': text } }));
  const pods = await Cluster.open({ permits: undefined });
  assert.is((await pods.decide(brought)).allowed, true);
  assert.match((await pods.decide(good)).message, 'the pod brings no permit: set treering.dev/permit');
  assert.is((await pods.get('/readyz')).status, 200);
  await pods.close();
  const folder = await Cluster.open({ annotated: false });
  await folder.put('a.permit', await permit());
  assert.is((await folder.decide(good)).allowed, true);
  assert.match((await folder.decide(brought)).message, 'this cluster takes no permits from annotations');
  await folder.close();
});

test('when all connections are taken, the one that has been idle for the longest makes way, over TLS as well', async () => {
  const few = await Cluster.open({ connections: 3 });
  const [used, idle, later] = [await dial(few), await dial(few), await dial(few)];
  const closed = new Promise((resolve) => idle.socket.once('close', resolve));
  assert.match(await say(used.socket, GET), /^HTTP\/1\.1 200 /);
  const next = await dial(few);
  await closed;
  for (const { socket } of [used, later, next]) assert.match(await say(socket, GET), /^HTTP\/1\.1 200 /);
  for (const { socket } of [used, later, next]) socket.destroy();
  await few.close();
});

test.run();
