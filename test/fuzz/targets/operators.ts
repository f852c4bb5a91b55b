import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CompactRange } from '@treering/merkle';
import { formatVerifierKey } from '@treering/note';
import { encodeRecord, RecordError } from '@treering/record';
import { encodeCbor } from '@treering/statement';
import { readHashCache } from '../../../apps/cli/src/check/hash-cache.js';
import { readTargets } from '../../../apps/cli/src/check/targets.js';
import { kindOf } from '../../../apps/cli/src/commands/foreign.js';
import { readRecordFile } from '../../../apps/cli/src/commands/record-file.js';
import { readConfigContent } from '../../../apps/cli/src/config-content.js';
import { readModelBom } from '../../../apps/cli/src/cyclonedx.js';
import { readDecisions } from '../../../apps/cli/src/decision-file.js';
import { dvcState } from '../../../apps/cli/src/dvc.js';
import { UsageError } from '../../../apps/cli/src/exit.js';
import { parseImageDigest } from '../../../apps/cli/src/image-digest.js';
import { readPolicyFile } from '../../../apps/cli/src/policy-file.js';
import { readHashed, readProgress } from '../../../apps/cli/src/progress-file.js';
import { resolveSettings } from '../../../apps/cli/src/settings.js';
import { parseUtc } from '../../../apps/cli/src/utc-time.js';
import { parseYaml } from '../../../apps/cli/src/yaml.js';
import { EvaluationError, parseDataset, parseMapping, parseTolerance } from '../../../packages/evaluation/src/index.js';
import { predictionIn } from '../../../packages/evaluation/src/mapping.js';
import { ALL_EXAMPLES } from '../../../packages/record/test/examples.js';
import { ofText, type Target, target } from '../target.js';
import { inFile, workFolder } from './in-file.js';
import { DIGEST, DSSE, logKey, ORIGIN } from './samples.js';

const errors = [UsageError];
const vkey = formatVerifierKey(logKey.key);
const POLICY = `rules:
  - { name: all, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
  - { name: supplier, who: { issuer: 'https://a.test' }, may: [foreign], on: [model/*] }
issuers:
  - { issuer: 'https://a.test', keys: ["${vkey}"] }
  - issuer: https://b.test
    keys:
      - |
        -----BEGIN PUBLIC KEY-----
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
        -----END PUBLIC KEY-----
approvals:
  - { on: model/*, need: 1, roles: [approver], not_author: true, within: 604800 }
`;
const RECORD = `type: incident\nsubject: incident/1\nreason: Something went wrong.\nseverity: low\naware_at: 1\naffected: ["${'0a'.repeat(32)}"]\n`;
const TARGETS = `environment: prod\nwhole_environment: true\nwatch: [/srv]\nservices:\n  - { service: triage, model: m, config: [c.yaml], pid: 7 }\n`;
const CONFIG = 'parameters: { temperature: 0.2, top_p: 1 }\nguardrails:\n  - { id: pii, setting: strict, action: block }\n';
const BOM = JSON.stringify({
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  metadata: {
    component: {
      type: 'machine-learning-model',
      name: 'Wink',
      version: '1',
      hashes: [{ alg: 'SHA-256', content: 'ab'.repeat(32) }],
      licenses: [{ license: { id: 'MIT' } }],
      components: [{ type: 'file', name: 'a', hashes: [{ alg: 'SHA-256', content: 'ab'.repeat(32) }] }],
    },
  },
});
const DVC = 'outs:\n- md5: 0123456789abcdef0123456789abcdef\n  size: 3\n  path: weights.bin\n';
const DATASET = '{"id":"a","input":{"x":1},"expected":"yes","slice":["w"]}\n{"input":"b","expected":"no"}\n';
const MAPPING =
  '{"method":"POST","headers":{"X-Api-Key":"env:KEY"},"body":{"input":"{{input}}"},"prediction":"/a/0","labels":{"1":"yes"}}';
const range = new CompactRange();
range.append(DIGEST);
const deployments = ALL_EXAMPLES.filter(({ record }) => record.type === 'deployment').map(({ record }, index) => [
  index,
  DIGEST,
  encodeRecord(record),
  null,
]);
const hashCache = encodeCbor({ form: 1, full_at: 5, files: new Map([['/a', [DIGEST, 3, 'stamp', null]]]) });

const yamlValue = (text: string): unknown => {
  try {
    return parseYaml(text);
  } catch (error) {
    throw new UsageError(`no YAML: ${(error as Error).message}`);
  }
};
const used = <T>(read: T | undefined): T => {
  if (read === undefined) throw new UsageError('it is not used');
  return read;
};
/** A project file in the folder that a command runs in. */
const readSettings = inFile('treering.yaml', () => resolveSettings({}, {}, workFolder()).url);
/** What DVC says of a file that is there. */
function readDvc(bytes: Uint8Array): Promise<unknown> {
  writeFileSync(join(workFolder(), 'weights.bin'), 'abc');
  return inFile('weights.bin.dvc', () => dvcState(join(workFolder(), 'weights.bin')))(bytes);
}

/** A reader of YAML makes a tree of objects of every token. */
const YAML = { memory: 32 * 1024 * 1024, largest: 8192, slow: true };

/** What the command reads: files of its user, and of those whose models are recorded. All are small, and none is a server's. */
const files: readonly Target[] = [
  target({ name: 'policy-file', form: 'yaml', parse: inFile('policy.yaml', readPolicyFile), seeds: [POLICY], errors }),
  target({
    name: 'record-file',
    form: 'yaml',
    parse: inFile('record.yaml', readRecordFile),
    seeds: [RECORD],
    errors: [UsageError, RecordError],
  }),
  target({ name: 'targets-file', form: 'yaml', parse: inFile('targets.yaml', readTargets), seeds: [TARGETS], errors }),
  target({
    name: 'project-file',
    form: 'yaml',
    parse: readSettings,
    seeds: [`log_url: https://log.test\nlog_key: "${vkey}"\ntrust: t.txt\n`],
    errors,
  }),
  target({
    name: 'config-file',
    form: 'yaml',
    parse: inFile('config.yaml', (path) => readConfigContent([path])),
    seeds: [CONFIG],
    errors,
  }),
  target({ name: 'dvc-file', form: 'yaml', parse: readDvc, seeds: [DVC], errors }),
  target({
    name: 'endpoint-mapping',
    form: 'yaml',
    parse: ofText((text) => parseMapping(yamlValue(text))),
    seeds: [MAPPING],
    errors: [UsageError, EvaluationError],
  }),
].map((one) => ({ ...one, ...YAML }));

/** What the command reads besides, and what evaluations read. */
export const operatorTargets: readonly Target[] = [
  ...files,
  target({ name: 'bom', form: 'json', parse: (bytes) => readModelBom(bytes, 'bom.json'), seeds: [BOM], errors }),
  target({ name: 'media-type', form: 'json', parse: (bytes) => used(kindOf(bytes)), seeds: [DSSE], errors }),
  target({
    name: 'decision-file',
    form: 'json',
    parse: inFile('decisions.jsonl', (path) => readDecisions(path, false)),
    seeds: ['{"id":"a","at":"2026-01-02T03:04:05Z","outcome":"denied"}\n{"id":"b","at":5}\n'],
    errors,
  }),
  target({
    name: 'hash-cache',
    form: 'cbor',
    parse: inFile('cache', async (path) => used(await readHashCache(path))),
    seeds: [hashCache],
    errors,
  }),
  target({
    name: 'hash-progress',
    form: 'cbor',
    parse: inFile('hashed', async (path) => used(await readHashed(path, ORIGIN))),
    seeds: [encodeCbor({ origin: ORIGIN, hashed: range.serialise() })],
    errors,
  }),
  target({
    name: 'replay-progress',
    form: 'cbor',
    parse: inFile('progress', async (path) => readProgress(path, ORIGIN)),
    seeds: [encodeCbor({ origin: ORIGIN, position: range.serialise(), state: encodeCbor([]), keysFrom: 0, deployments })],
    errors,
  }),
  target({
    name: 'image-digest',
    form: 'lines',
    parse: ofText(parseImageDigest),
    seeds: [`sha256:${'0a'.repeat(32)}`, `a/b@sha256:${'0a'.repeat(32)}`],
    errors,
  }),
  target({ name: 'utc-time', form: 'lines', parse: ofText(parseUtc), seeds: ['2027-12-02T12:00:00Z', '2027-12-02'], errors }),
  target({ name: 'dataset', form: 'json', parse: parseDataset, seeds: [DATASET], errors: [EvaluationError] }),
  target({
    name: 'tolerance',
    form: 'lines',
    parse: ofText(parseTolerance),
    seeds: ['accuracy@ward:min=0.9,max=1'],
    errors: [EvaluationError],
  }),
  target({
    name: 'prediction',
    form: 'json',
    parse: ofText((text) => predictionIn(yamlValue(text), '/a/0', { threshold: { at: 0.5, at_or_above: 'yes', below: 'no' } })),
    seeds: ['{"a":[0.7]}', '{"a":["0.2"]}'],
    errors: [UsageError, EvaluationError],
    ...YAML,
  }),
];
