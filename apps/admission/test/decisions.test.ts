import { nodeEd25519 } from '@treering/note/node';
import { createStatementSigner } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { noteSigner, ORIGIN } from '../../../packages/evidence/test/fixture.js';
import { Cluster } from './cluster.js';
import { IMAGE, now, OTHER, permit } from './permits.js';
import { connect, container, pod, REPOSITORY, review, UID, update } from './reviews.js';

// Every decision is asked for over TLS, as an API server does, with the reviews that it sends.

const SIDECAR = `registry.example/istio/proxyv2@sha256:${'e5'.repeat(32)}`;
const cluster = await Cluster.open({
  max_age: 3600,
  allow_images: [SIDECAR, 'registry.example/tools/*@sha256:*'],
  namespaces: { clinic: 'prod', trials: 'staging' },
});
test.after(() => cluster.close());
await cluster.put('deploy-prod-triage.permit', await permit());
await cluster.put('deploy-prod-old.permit', await permit({ service: 'old', iat: now() - 3600 }));
await cluster.put('deploy-prod-ended.permit', await permit({ service: 'ended', phase: 'ended' }));
await cluster.put('deploy-prod-bare.permit', await permit({ service: 'bare', image: null }));
const stranger = createStatementSigner(new Uint8Array(32).fill(9), nodeEd25519);
await cluster.put('deploy-prod-stranger.permit', await permit({ service: 'stranger', signer: stranger }));
const forger = noteSigner(ORIGIN, 1, 66);
await cluster.put('deploy-prod-forged.permit', await permit({ service: 'forged', proof: { signer: forger } }));
await cluster.put('deploy-prod-alone.permit', await permit({ service: 'alone', proof: { cosigners: [] } }));
await cluster.put('deploy-prod-shared.permit', await permit({ service: 'shared', phase: 'active' }));

const triage = pod();
const serviceOf = (service: string) => review(pod({ annotations: { 'treering.dev/service': service } }));
const annotated = (annotations: Record<string, string | undefined>) => review(pod({ annotations }));
const base64 = async (...args: Parameters<typeof permit>): Promise<string> =>
  Buffer.from(await permit(...args)).toString('base64');

const LET_IN: Readonly<Record<string, unknown>> = {
  'a pod with a permit': review(triage),
  'a pod whose permit says that it is active': serviceOf('shared'),
  'a pod that brings its permit along': annotated({ 'treering.dev/permit': await base64({}) }),
  'an image with a tag beside its digest': review(pod({ image: `${REPOSITORY}:1.8.1@sha256:${IMAGE}` })),
  'a dry run': review(triage, { dryRun: true }),
  'a sidecar and an init container that are allowed': review(
    pod({
      containers: [container('server', `${REPOSITORY}@sha256:${IMAGE}`), container('istio-proxy', SIDECAR)],
      initContainers: [container('permit', `registry.example/tools/treering@sha256:${OTHER}`)],
    }),
  ),
  'a container that is named and not the first': review(
    pod({
      annotations: { 'treering.dev/container': 'server' },
      containers: [container('istio-proxy', SIDECAR), container('server', `${REPOSITORY}@sha256:${IMAGE}`)],
    }),
  ),
  'an update of labels': update(pod({ labels: { version: '2' } }), triage),
  'an update of labels, of a pod that was there before': update(
    pod({ image: 'nginx:latest', annotations: { 'treering.dev/model': undefined }, labels: { version: '2' } }),
    pod({ image: 'nginx:latest', annotations: { 'treering.dev/model': undefined } }),
  ),
  'a status': update({ ...triage, status: { phase: 'Running' } }, triage, { subResource: 'status' }),
  'an update to the permitted image': update(triage, pod({ image: `${REPOSITORY}@sha256:${OTHER}` })),
  'an ephemeral container that is allowed': update(
    pod({ ephemeralContainers: [container('debug', `registry.example/tools/debug@sha256:${OTHER}`)] }),
    triage,
    { subResource: 'ephemeralcontainers' },
  ),
  'the end of a pod': review(null, { operation: 'DELETE', oldObject: triage, name: 'triage-6d4b75cb6d-9x2lq' }),
  'a forwarded port': connect('portforward', 'PodPortForwardOptions'),
};
for (const [what, body] of Object.entries(LET_IN))
  test(`let in: ${what}`, async () => {
    assert.equal(await cluster.decide(body), { allowed: true, code: undefined, message: '', uid: UID });
  });

const REFUSED: readonly [string, unknown, RegExp][] = [
  ...['service', 'environment', 'model', 'config'].map((name): [string, unknown, RegExp] => [
    `no annotation ${name}`,
    annotated({ [`treering.dev/${name}`]: undefined }),
    new RegExp(`no annotation treering\\.dev/${name}: set it to`),
  ]),
  ['a pod that says nothing', review({ ...triage, metadata: { namespace: 'clinic' } }), /no annotation treering\.dev\/service/],
  ['a model that is no digest', annotated({ 'treering.dev/model': 'wink' }), /has to be the root of the model's manifest/],
  ['a tag instead of a digest', review(pod({ image: `${REPOSITORY}:1.8.1` })), /container server runs .*name it by its digest/],
  ['no image', review(pod({ containers: [{ name: 'server' }] })), /container server runs no image/],
  ['another image', review(pod({ image: `${REPOSITORY}@sha256:${OTHER}` })), /It permits another image/],
  ['another model', annotated({ 'treering.dev/model': OTHER }), /model or the configuration .* are not those/],
  ['another configuration', annotated({ 'treering.dev/config': OTHER }), /model or the configuration .* are not those/],
  ['an expired permit', serviceOf('old'), /It was signed 36\d\d seconds ago, and may be 3600 seconds old/],
  ['a forged permit', serviceOf('forged'), /The head does not hold/],
  ['a permit without witnesses', serviceOf('alone'), /The witnesses do not suffice/],
  ['a permit for no image', serviceOf('bare'), /It permits no image/],
  ['an unknown signer', serviceOf('stranger'), /to check the signature, give the signer's public key/],
  ['an ended deployment', serviceOf('ended'), /It says that a deployment of ended in prod ended/],
  [
    'a service without a permit',
    serviceOf('unknown'),
    /there is no permit for unknown in prod: deploy it with "treering gate"/,
  ],
  [
    'a permit of another service',
    annotated({ 'treering.dev/permit': await base64({ service: 'billing' }) }),
    /It permits billing in prod, and not triage in prod/,
  ],
  [
    'a permit of another environment',
    annotated({ 'treering.dev/permit': await base64({ environment: 'staging' }) }),
    /It permits triage in staging, and not triage in prod/,
  ],
  ['a permit that is no base64', annotated({ 'treering.dev/permit': 'a permit' }), /has to be a permit in base64/],
  ['a permit that is something else', annotated({ 'treering.dev/permit': 'aGVsbG8=' }), /It cannot be read/],
  [
    'a permit that was changed',
    annotated({
      'treering.dev/permit': Buffer.from(
        Buffer.from(await permit({ image: OTHER }))
          .toString('latin1')
          .replace(/^index 5$/m, 'index 6'),
        'latin1',
      ).toString('base64'),
    }),
    /It permits another image/,
  ],
  [
    'a sidecar that is not allowed',
    review(
      pod({
        containers: [
          container('server', `${REPOSITORY}@sha256:${IMAGE}`),
          container('proxy', `other.example/p@sha256:${OTHER}`),
        ],
      }),
    ),
    /container proxy runs other\.example\/p@.*, which the permit is not for/,
  ],
  [
    'the permitted image once more, beside itself',
    review(pod({ initContainers: [container('again', `${REPOSITORY}@sha256:${IMAGE}`)] })),
    /init container again runs/,
  ],
  [
    'a sidecar of an allowed repository with another digest',
    review(
      pod({
        containers: [
          container('server', `${REPOSITORY}@sha256:${IMAGE}`),
          container('proxy', `registry.example/istio/proxyv2@sha256:${OTHER}`),
        ],
      }),
    ),
    /container proxy runs/,
  ],
  [
    'an init container by its tag',
    review(pod({ initContainers: [container('permit', 'registry.example/tools/treering:1')] })),
    /init container permit runs .*name it by its digest/,
  ],
  [
    'an image below what is allowed',
    review(pod({ initContainers: [container('permit', `registry.example/tools/a/b@sha256:${OTHER}`)] })),
    /init container permit runs/,
  ],
  [
    'an ephemeral container that is not allowed',
    update(pod({ ephemeralContainers: [container('debug', `other.example/sh@sha256:${OTHER}`)] }), triage, {
      subResource: 'ephemeralcontainers',
    }),
    /ephemeral container debug runs/,
  ],
  [
    'a volume of an image that is not allowed',
    review(
      pod({ volumes: [{ name: 'weights', image: { reference: `other.example/w@sha256:${OTHER}`, pullPolicy: 'Always' } }] }),
    ),
    /volume weights runs/,
  ],
  [
    'a container of a kind to come',
    review(pod({ spec: { futureContainers: [] } })),
    /does not know what spec\.futureContainers/,
  ],
  [
    'two containers of one name',
    review(pod({ containers: [container('server', `${REPOSITORY}@sha256:${IMAGE}`), container('server', SIDECAR)] })),
    /two containers have the name server/,
  ],
  [
    'a container that is named and not there',
    annotated({ 'treering.dev/container': 'nobody' }),
    /container names nobody, which is no container/,
  ],
  [
    'an update that changes the image',
    update(pod({ image: `${REPOSITORY}@sha256:${OTHER}` }), triage),
    /It permits another image/,
  ],
  [
    'an update that takes an annotation away',
    update(pod({ annotations: { 'treering.dev/model': undefined } }), triage),
    /no annotation treering\.dev\/model/,
  ],
  ['an update of nobody knows what', update(pod({ image: 'nginx:latest' }), null), /name it by its digest/],
  [
    'a namespace that is bound to another environment',
    review({ ...triage, metadata: { ...(triage.metadata as object), namespace: 'trials' } }, { namespace: 'trials' }),
    /the namespace trials is staging, and the annotation treering\.dev\/environment says prod/,
  ],
  ["a namespace that is not the pod's", review(triage, { namespace: 'trials' }), /does not say in which namespace/],
  ['no namespace', review(triage, { namespace: undefined }), /does not say in which namespace/],
  ['a shell in a pod', connect('exec', 'PodExecOptions'), /pods\/exec can start what no permit is for/],
  ['a terminal of a pod', connect('attach', 'PodAttachOptions'), /pods\/attach can start/],
  [
    'another kind',
    review(
      { kind: 'Deployment', apiVersion: 'apps/v1', metadata: { name: 'triage' } },
      {
        kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
        resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      },
    ),
    /decides about pods, and not about CREATE of deployments: take that out of its rules/,
  ],
  [
    'a node that is reached through the cluster',
    review(null, { operation: 'CONNECT', subResource: 'proxy', resource: { group: '', version: 'v1', resource: 'nodes' } }),
    /not about CONNECT of nodes\/proxy/,
  ],
  [
    'a binding',
    review(
      { kind: 'Binding', apiVersion: 'v1' },
      { subResource: 'binding', kind: { group: '', version: 'v1', kind: 'Binding' } },
    ),
    /not about CREATE of pods\/binding/,
  ],
  ['an object that is no pod', review({ kind: 'Pod', apiVersion: 'v1' }), /the object is no pod that can be read: metadata/],
  ['no object', review(null), /the object is no pod/],
  ['a pod without containers', review(pod({ containers: [] })), /spec\.containers/],
  ['an operation to come', review(triage, { operation: 'REPLACE' }), /the request of this review cannot be read/],
  ['a request without a resource', review(triage, { resource: undefined }), /the request of this review cannot be read/],
];
for (const [what, body, message] of REFUSED)
  test(`refused: ${what}`, async () => {
    const answer = await cluster.decide(body);
    assert.equal([answer.allowed, answer.code, answer.uid], [false, 403, UID], JSON.stringify(answer));
    assert.match(answer.message, message);
  });

test('a name with control characters is not passed on as it came', async () => {
  const { message } = await cluster.decide(review(pod({ initContainers: [container('a\u001b[31m\nb', 'x')] })));
  assert.not.match(message, /\p{Cc}/u);
});

test.run();
