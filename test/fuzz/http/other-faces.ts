import { ByteBudget } from '@treering/server';
import { pino } from 'pino';
import { allowedImages, createApp, createMetrics } from '../../../apps/admission/src/index.js';
import { permit } from '../../../apps/admission/test/permits.js';
import { connect, pod, review, update } from '../../../apps/admission/test/reviews.js';
import { watchedWorld } from '../../../apps/monitor/test/fixture.js';
import { created, body as eventBody, NOW, recorder, signed } from '../../../apps/recorder/test/fixture.js';
import { originHash } from '../../../apps/witness/src/index.js';
import { author, policyWith } from '../../../packages/evidence/test/fixture.js';
import { ORIGIN } from '../../drill/simulation.js';
import { mutateBytes } from '../mutate-bytes.js';
import { mutateJson } from '../mutate-json.js';
import { mutateLines } from '../mutate-lines.js';
import { bytesOf } from '../target.js';
import type { Face } from './face.js';

/** A monitor that follows one log. */
export async function monitorFace(): Promise<Face> {
  const { ask, log, watcher, world } = await watchedWorld();
  const hash = originHash(ORIGIN);
  const head = new Uint8Array(await (await ask(`/gossip/${hash}`)).arrayBuffer());
  return {
    name: 'monitor',
    answer: async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = request.body === null ? {} : { body: await request.arrayBuffer() };
      return ask(`${pathname}${search}`, { method: request.method, headers: request.headers, ...body });
    },
    paths: [
      '/v1/monitor',
      '/v1/alarms',
      '/v1/alarms/1',
      '/v1/alarms/1/proof',
      `/gossip/${hash}`,
      `/gossip/${hash}/consistency`,
      '/gossip/checkpoint',
      '/healthz',
      '/readyz',
      '/metrics',
    ],
    refusals: [],
    state: async () =>
      `${watcher.monitor.store.alarms().length} ${Buffer.from(watcher.monitor.log(hash)?.followed?.note ?? []).toString('hex')}`,
    submission: (random) => ({
      method: 'POST',
      path: '/gossip/checkpoint',
      body: random.oneIn(2) ? mutateBytes(head, random) : mutateLines(head, random),
    }),
    async close() {
      await watcher.stop();
      log.stop();
      world.close();
    },
  };
}

/** A webhook for pods that bring their permit. */
export async function admissionFace(): Promise<Face> {
  const metrics = createMetrics(undefined, () => undefined);
  const rules = {
    trust: { policy: policyWith('both'), signerKeys: [author.key] },
    book: undefined,
    annotated: true,
    allowed: allowedImages(['registry.test/*@sha256:*']),
    namespaces: new Map([['clinic', 'prod']]),
    connect: new Set<'exec' | 'attach'>(),
    maxAge: undefined,
    clock: Date.now,
  };
  const app = createApp({ rules, metrics, bodies: new ByteBudget(1 << 28), logger: pino({ level: 'silent' }), timeout: 5000 });
  const text = Buffer.from(await permit()).toString('base64');
  const good = pod({ annotations: { 'treering.dev/permit': text } });
  const seeds = [review(good), update(good, good), connect('exec', 'PodExecOptions')].map((one) =>
    bytesOf(JSON.stringify(one)),
  );
  return {
    name: 'admission',
    answer: async (request) => app.request(request),
    paths: ['/validate', '/healthz', '/readyz', '/metrics'],
    refusals: [],
    state: () => '',
    submission: (random) => {
      const seed = random.pick(seeds);
      const body = random.oneIn(4) ? mutateBytes(seed, random) : mutateJson(seed, random);
      return { method: 'POST', path: '/validate?timeout=10s', headers: { 'Content-Type': 'application/json' }, body };
    },
  };
}

/** A recorder; most of what it gets is signed with its secret. */
export async function recorderFace(): Promise<Face> {
  const { app, store } = recorder();
  const seeds = [
    created('triage', '7', 's3://models/triage/7?token=x'),
    eventBody('model_version_tag.set', { name: 'triage', version: '7', key: 'k', value: 'v' }),
    eventBody('model_version_alias.created', { name: 'triage', version: '7', alias: 'a' }),
  ];
  let deliveries = 0;
  return {
    name: 'recorder',
    answer: async (request) => app.request(request),
    paths: ['/mlflow', '/healthz'],
    refusals: [],
    state: () => JSON.stringify(store.counts()),
    submission: (random) => {
      const seed = random.pick(seeds);
      const body = random.oneIn(4) ? mutateBytes(seed, random) : mutateJson(seed, random);
      const headers = signed(
        random.oneIn(10) ? 'again' : `delivery-${deliveries++}`,
        body,
        NOW / 1000,
        random.oneIn(10) ? 'another secret' : undefined,
      );
      return { method: 'POST', path: '/mlflow', headers, body };
    },
    close: () => store.close(),
  };
}
