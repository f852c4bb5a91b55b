import { CONFIG, IMAGE, MODEL } from './permits.js';

// Reviews as an API server sends them: its shape and members are those of a cluster of version 1.30.

type Members = Record<string, unknown>;

/** How a pod differs from one that is let in when a permit lies in the folder. */
export interface PodChange {
  readonly annotations?: Readonly<Record<string, string | undefined>>;
  readonly image?: string;
  readonly containers?: readonly Members[];
  readonly initContainers?: readonly Members[];
  readonly ephemeralContainers?: readonly Members[];
  readonly volumes?: readonly Members[];
  readonly spec?: Members;
  readonly labels?: Readonly<Record<string, string>>;
}

export const REPOSITORY = 'registry.example/ml/triage';

/** A container as an API server hands it on, with the defaults that it fills in. */
export function container(name: string, image: string, more: Members = {}): Members {
  return {
    name,
    image,
    resources: { limits: { memory: '2Gi' } },
    volumeMounts: [
      { name: 'models', mountPath: '/models', readOnly: true },
      { name: 'kube-api-access-x7k2p', readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
    ],
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
    ...more,
  };
}

export function pod(change: PodChange = {}): Members {
  const annotations: Record<string, string | undefined> = {
    'kubectl.kubernetes.io/default-container': 'server',
    'treering.dev/service': 'triage',
    'treering.dev/environment': 'prod',
    'treering.dev/model': MODEL,
    'treering.dev/config': CONFIG,
    ...change.annotations,
  };
  const { initContainers, ephemeralContainers, volumes = [] } = change;
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      generateName: 'triage-6d4b75cb6d-',
      namespace: 'clinic',
      creationTimestamp: null,
      labels: { app: 'triage', 'pod-template-hash': '6d4b75cb6d', ...change.labels },
      annotations: JSON.parse(JSON.stringify(annotations)),
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: 'triage-6d4b75cb6d',
          uid: '31c1b2a0-4d55-4d33-9f8a-0d6c6c2f6a11',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      volumes: [
        { name: 'models', persistentVolumeClaim: { claimName: 'models', readOnly: true } },
        { name: 'kube-api-access-x7k2p', projected: { sources: [], defaultMode: 420 } },
        ...volumes,
      ],
      containers: change.containers ?? [container('server', change.image ?? `${REPOSITORY}@sha256:${IMAGE}`)],
      ...(initContainers === undefined ? {} : { initContainers }),
      ...(ephemeralContainers === undefined ? {} : { ephemeralContainers }),
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      serviceAccountName: 'default',
      serviceAccount: 'default',
      securityContext: {},
      schedulerName: 'default-scheduler',
      tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }],
      priority: 0,
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
      ...change.spec,
    },
    status: {},
  };
}

export const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';

/** A review about an object. */
export function review(object: unknown, request: Members = {}, envelope: Members = {}): Members {
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: UID,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      namespace: 'clinic',
      operation: 'CREATE',
      userInfo: {
        username: 'system:serviceaccount:kube-system:replicaset-controller',
        uid: '5c5e6a4e-4f0e-4f6c-8c59-9c8d0e6c6c55',
        groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
      },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...request,
    },
    ...envelope,
  };
}

/** A review of an update. */
export function update(object: unknown, oldObject: unknown, request: Members = {}): Members {
  const options = { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1' };
  return review(object, { operation: 'UPDATE', name: 'triage-6d4b75cb6d-9x2lq', oldObject, options, ...request });
}

/** A review of a connection into a running pod. */
export function connect(subResource: string, kind: string): Members {
  return review(
    { kind, apiVersion: 'v1', stdin: true, stdout: true, tty: true, container: 'server', command: ['sh'] },
    {
      operation: 'CONNECT',
      name: 'triage-6d4b75cb6d-9x2lq',
      subResource,
      kind: { group: '', version: 'v1', kind },
      options: null,
    },
  );
}
