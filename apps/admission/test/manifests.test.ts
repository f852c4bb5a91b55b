import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatVerifierKey, parsePolicy } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAllDocuments } from 'yaml';
import { author, noteSigner, policyWith } from '../../../packages/evidence/test/fixture.js';
import { main } from '../../cli/src/main.js';
import { PREFIX } from '../src/claim.js';
import { type AdmissionRequest, allowedImages, configSchema, decide, parseRequest, Refusal, type Rules } from '../src/index.js';
import { permit } from './permits.js';
import { connect, review, update } from './reviews.js';

// The manifests are examples, and are held to what the webhook and the command do.

// biome-ignore lint/suspicious/noExplicitAny: objects of a cluster have many shapes
type Manifest = any;

const FOLDER = fileURLToPath(new URL('../kubernetes/', import.meta.url));
const manifests: readonly Manifest[] = readdirSync(FOLDER).flatMap((name) => {
  assert.match(name, /\.yaml$/);
  return parseAllDocuments(readFileSync(`${FOLDER}${name}`, 'utf8'), { uniqueKeys: true }).map((document) => {
    assert.equal([document.errors, document.warnings], [[], []], name);
    return document.toJS();
  });
});

/** The only object of a kind with a name. */
function only(kind: string, name: string): Manifest {
  const found = manifests.filter((one) => one.kind === kind && one.metadata.name === name);
  assert.is(found.length, 1, `${kind} ${name}`);
  return found[0];
}

const configuration = only('ValidatingWebhookConfiguration', 'treering-admission');
const deployment = only('Deployment', 'treering-admission');
const service = only('Service', 'treering-admission');
const example = only('Deployment', 'triage');
const [webhook] = configuration.webhooks;
const [server] = deployment.spec.template.spec.containers;
const namespace = only('Namespace', 'treering').metadata.name;

/** What follows a flag. */
function valuesOf(args: readonly string[], flag: string): readonly string[] {
  return args.filter((_, i) => args[i - 1] === flag);
}

test('the webhook fails closed, in time, and without side effects', () => {
  assert.is(configuration.apiVersion, 'admissionregistration.k8s.io/v1');
  assert.is(configuration.webhooks.length, 1);
  assert.is(webhook.failurePolicy, 'Fail');
  assert.is(webhook.sideEffects, 'None');
  assert.is(webhook.matchPolicy, 'Equivalent');
  assert.equal(webhook.admissionReviewVersions, ['v1']);
  assert.not('objectSelector' in webhook, 'labels of a pod are set by whoever makes the pod');
  assert.not('matchConditions' in webhook);
  const { timeout } = configSchema.parse({ listen: ':1', cert: 'a', key: 'b' });
  assert.ok(
    webhook.timeoutSeconds * 1000 > timeout && webhook.timeoutSeconds <= 30,
    'the webhook answers before it is given up',
  );
});

test('its rules are what the webhook decides about', () => {
  const rules = new Set<string>();
  for (const { apiGroups, apiVersions, operations, resources, scope } of webhook.rules) {
    assert.equal([apiGroups, apiVersions, scope], [[''], ['v1'], 'Namespaced']);
    for (const operation of operations) for (const resource of resources) rules.add(`${operation} ${resource}`);
  }
  assert.equal([...rules].sort(), [
    'CONNECT pods/attach',
    'CONNECT pods/exec',
    'CREATE pods',
    'UPDATE pods',
    'UPDATE pods/ephemeralcontainers',
    'UPDATE pods/resize',
  ]);
});

test('only the namespaces without which the webhook cannot start are left out, by a label that nobody can set', () => {
  const { matchExpressions, matchLabels } = webhook.namespaceSelector;
  assert.is(matchLabels, undefined);
  assert.equal(matchExpressions, [
    { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [namespace, 'kube-system'] },
  ]);
  assert.not(matchExpressions[0].values.includes(example.metadata.namespace));
});

test('the API server finds the webhook', () => {
  const { name, namespace: where, path, port } = webhook.clientConfig.service;
  assert.equal([name, where, path], [service.metadata.name, service.metadata.namespace, '/validate']);
  const [exposed] = service.spec.ports;
  assert.is(exposed.port, port);
  const [listening] = server.ports;
  assert.is(exposed.targetPort, listening.name);
  assert.equal(valuesOf(server.args, '--listen'), [`0.0.0.0:${listening.containerPort}`]);
  assert.equal(service.spec.selector, deployment.spec.template.metadata.labels);
  assert.equal(deployment.spec.selector.matchLabels, deployment.spec.template.metadata.labels);
  for (const { kind, metadata } of manifests)
    if (!['Namespace', 'ValidatingWebhookConfiguration'].includes(kind))
      assert.is(metadata.namespace, kind === 'Deployment' && metadata.name === 'triage' ? 'clinic' : namespace);
});

test('two instances that are asked whether they are ready, and may do little', () => {
  assert.is(deployment.spec.replicas, 2);
  assert.is(deployment.spec.strategy.rollingUpdate.maxUnavailable, 0);
  assert.equal(server.readinessProbe.httpGet, { path: '/readyz', port: 'https', scheme: 'HTTPS' });
  assert.equal(server.livenessProbe.httpGet, { path: '/healthz', port: 'https', scheme: 'HTTPS' });
  for (const { spec } of [deployment.spec.template, example.spec.template]) {
    assert.is(spec.automountServiceAccountToken, false);
    assert.is(spec.securityContext.runAsNonRoot, true);
    assert.is(spec.securityContext.seccompProfile.type, 'RuntimeDefault');
    for (const { securityContext } of [...spec.containers, ...(spec.initContainers ?? [])])
      assert.equal(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
  }
});

test('what is mounted is there, and what a flag names is mounted', () => {
  for (const { spec } of [deployment.spec.template, example.spec.template])
    for (const { args = [], volumeMounts } of [...spec.containers, ...(spec.initContainers ?? [])]) {
      for (const { name, readOnly } of volumeMounts) {
        assert.is(readOnly, true, name);
        assert.is(spec.volumes.filter((volume: Manifest) => volume.name === name).length, 1, name);
      }
      for (const path of args.filter((arg: string) => arg.startsWith('/')))
        assert.ok(
          volumeMounts.some(({ mountPath }: Manifest) => path === mountPath || path.startsWith(`${mountPath}/`)),
          path,
        );
    }
  const volumes = new Map<string, Manifest>(deployment.spec.template.spec.volumes.map((one: Manifest) => [one.name, one]));
  assert.is(volumes.get('tls').secret.secretName, 'treering-admission-tls');
  const trust = only('ConfigMap', volumes.get('trust').configMap.name);
  assert.equal(Object.keys(trust.data), ['trust-policy.txt']);
  assert.ok(only('ConfigMap', volumes.get('permits').configMap.name));
});

const vkey = formatVerifierKey(noteSigner('pipeline', 1, 7).key);

/** Placeholders by keys. */
const filled = (text: string): string => text.replace(/<verifier key of the (?:log|pipeline)>/g, vkey);

test('the trust policy is one, when its keys are filled in', () => {
  const text: string = only('ConfigMap', 'treering-trust').data['trust-policy.txt'];
  assert.throws(() => parsePolicy(text), 'nothing is trusted that nobody filled in');
  const witness = (name: string): string => formatVerifierKey(noteSigner(`witness.test/${name}`, 4, name.length).key);
  const policy = parsePolicy(
    filled(text).replace(/<verifier key of the witness (north|south)>/g, (_, name: string) =>
      witness(`${name}${name === 'north' ? 'x' : ''}`),
    ),
  );
  assert.equal([policy.logs.length, policy.witnesses.length, policy.quorum], [1, 2, 'both']);
});

/** Calls the command in this process; it ends before it does anything when a file is not there. */
async function call(args: readonly string[]): Promise<{ code: number; out: string }> {
  const out: string[] = [];
  const stream = { write: (text: string) => out.push(text) };
  const code = await main(args, { stdout: stream, stderr: stream, env: {}, cwd: FOLDER });
  return { code, out: out.join('') };
}

test('the command takes these flags, and stops at the first file that is not there', async () => {
  const [check] = example.spec.template.spec.initContainers;
  for (const { command, args } of [server, check]) {
    assert.equal(command, ['treering']);
    const help = (await call([args[0], args[1], '--help'])).out;
    for (const flag of args.filter((arg: string) => arg.startsWith('--'))) assert.match(help, new RegExp(`^ +${flag} `, 'm'));
    const { code, out } = await call(args.map(filled));
    assert.is(code, 2, out);
    assert.match(out, /ENOENT: no such file or directory, open '\/[a-z/]+\/trust-policy\.txt'/);
    assert.match((await call(args)).out, /^treering: .*key/, 'a placeholder is no key');
  }
});

test('images are pinned', () => {
  const images = [deployment, example].flatMap(({ spec }) =>
    [...spec.template.spec.containers, ...(spec.template.spec.initContainers ?? [])].map(({ image }: Manifest) => image),
  );
  assert.is(images.length, 3);
  for (const image of images) assert.match(image, /^registry\.example\/[a-z/]+@sha256:[0-9a-f]{64}$/);
});

const { template } = example.spec;
/** A review of the example's pod, as the controller makes it. */
const reviewed = (annotations: Readonly<Record<string, string>> = template.metadata.annotations) =>
  review(
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...template.metadata, annotations, namespace: 'clinic' },
      spec: template.spec,
    },
    { namespace: example.metadata.namespace },
  );
const rules: Rules = {
  trust: { policy: policyWith('both'), signerKeys: [author.key] },
  book: undefined,
  annotated: true,
  allowed: allowedImages(valuesOf(server.args, '--allow-image')),
  namespaces: new Map(valuesOf(server.args, '--namespace').map((pair) => pair.split('=') as [string, string])),
  connect: new Set(),
  maxAge: undefined,
  clock: Date.now,
};
const requestOf = (value: Manifest): AdmissionRequest => parseRequest(value.request) as AdmissionRequest;
/** Why something is refused; undefined when it is not. */
function refusal(value: Manifest): string | undefined {
  try {
    decide(requestOf(value), rules);
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

test('the webhook lets the example in, by the annotations that it reads', async () => {
  const found: Readonly<Record<string, string>> = template.metadata.annotations;
  assert.ok(Object.keys(found).every((name) => name.startsWith(PREFIX)));
  const digestOf = (name: string): string => found[`${PREFIX}${name}`];
  const [serving] = template.spec.containers;
  const [check] = template.spec.initContainers;
  const image = serving.image.split('@sha256:')[1];
  assert.equal(valuesOf(check.args, '--image'), [`sha256:${image}`]);
  assert.equal(valuesOf(check.args, '--env'), [digestOf('environment')]);
  assert.equal(valuesOf(check.args, '--service'), [digestOf('service')]);
  const bytes = await permit({ model: digestOf('model'), config: digestOf('config'), image });
  const complete: Readonly<Record<string, string>> = { ...found, [`${PREFIX}permit`]: Buffer.from(bytes).toString('base64') };
  assert.is(refusal(reviewed(complete)), undefined);
  assert.is(refusal(reviewed(found)), 'no-permit');
  for (const name of ['service', 'environment', 'model', 'config'])
    assert.is(refusal(reviewed({ ...complete, [`${PREFIX}${name}`]: undefined } as never)), 'malformed', name);
  for (const name of ['service', 'environment', 'model', 'config']) {
    const { [`${PREFIX}${name}`]: _, ...others } = complete;
    assert.is(refusal(reviewed(others)), 'annotation', name);
  }
  assert.is(refusal(reviewed({ ...complete, [`${PREFIX}container`]: 'permit' })), 'containers');
});

test('the webhook decides about everything that its rules send', () => {
  const bare = reviewed({});
  const pod = (bare.request as Manifest).object;
  const before = { ...pod, spec: { ...pod.spec, priority: 1 } };
  const sent: Readonly<Record<string, Manifest>> = {
    'CREATE pods': bare,
    'UPDATE pods': update(pod, before),
    'UPDATE pods/ephemeralcontainers': update(pod, before, { subResource: 'ephemeralcontainers' }),
    'UPDATE pods/resize': update(pod, before, { subResource: 'resize' }),
    'CONNECT pods/exec': connect('exec', 'PodExecOptions'),
    'CONNECT pods/attach': connect('attach', 'PodAttachOptions'),
  };
  for (const { operations, resources } of webhook.rules)
    for (const what of operations.flatMap((operation: string) => resources.map((one: string) => `${operation} ${one}`)))
      assert.is(refusal(sent[what]), what.startsWith('CONNECT') ? 'connect' : 'annotation', what);
});

test.run();
