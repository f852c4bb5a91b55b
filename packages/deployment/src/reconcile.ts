import { equalBytes } from '@treering/merkle';
import {
  configDigest,
  diffTensors,
  type ManifestResource,
  printable,
  type RecordOf,
  type TensorDigest,
} from '@treering/record';
import { compareFiles, type FileDifference } from './file-differences.js';

/** What the log says is in service, with what it says of the model and the configuration. */
export interface LoggedContent {
  readonly deployment: { readonly index: number; readonly record: RecordOf<'deployment'> };
  readonly model: {
    readonly index: number;
    readonly record: RecordOf<'model'>;
    /** The files of the manifest, when it could be read. */
    readonly resources?: readonly ManifestResource[] | undefined;
    readonly tensors?: readonly TensorDigest[] | undefined;
  };
  readonly config: {
    readonly index: number;
    readonly record: RecordOf<'config'>;
    /** Contents of files by their path, where they could be read. */
    readonly texts: ReadonlyMap<string, string>;
  };
}

/** What was found where it should run. */
export interface ObservedContent {
  /** Undefined when there is no model there. */
  readonly model:
    | {
        /** Root of the manifest, 32 bytes. */
        readonly digest: Uint8Array;
        readonly resources: readonly ManifestResource[];
        readonly tensors: readonly TensorDigest[];
      }
    | undefined;
  /** Undefined when there is no configuration there. */
  readonly config:
    | {
        /** `configDigest`, 32 bytes. */
        readonly digest: Uint8Array;
        readonly said: Pick<RecordOf<'config'>, 'files' | 'parameters' | 'guardrails' | 'system_prompt'>;
        readonly texts: ReadonlyMap<string, string>;
      }
    | undefined;
  /** Digest of the image that runs, 32 bytes, if that was looked at. */
  readonly image: Uint8Array | undefined;
  /** Whether it runs, if that was looked at. */
  readonly running: boolean | undefined;
  /** Why a part could not be read although it is there, in sentences. */
  readonly unreadable: {
    readonly model?: string;
    readonly config?: string;
    readonly image?: string;
    readonly pid?: string;
  };
  /** What the files of the running process amount to, in sentences; none when all is as it should be. */
  readonly processes: readonly string[];
}

/** Something that is not as it was logged. */
export interface Difference {
  readonly kind: 'not-logged' | 'not-running' | 'model' | 'config' | 'image' | 'loaded' | 'unreadable';
  /** A sentence for people. */
  readonly text: string;
  /** Lines that differ, with `-` for what was logged and `+` for what is there. */
  readonly lines?: readonly string[];
}

/**
 * Compares what runs with what was logged, both ways.
 * @param logged undefined when no deployment is in service by the log
 * @param observed undefined when nobody says where it runs
 */
export function reconcile(logged: LoggedContent | undefined, observed: ObservedContent | undefined): Difference[] {
  if (logged === undefined)
    return observed === undefined ? [] : [...(isThere(observed) ? [notLogged(observed)] : []), ...unreadable(observed)];
  const { index, record } = logged.deployment;
  const name = `${record.service} in ${record.environment}`;
  if (observed === undefined)
    return [{ kind: 'not-running', text: `entry ${index} puts ${name} into service, and nothing here says where it runs` }];
  const gone = [
    observed.running === false && 'it does not run',
    observed.model === undefined && observed.unreadable.model === undefined && 'its model is not there',
    observed.config === undefined && observed.unreadable.config === undefined && 'its configuration is not there',
  ].filter((text) => text !== false);
  return [
    ...gone.map((text): Difference => ({ kind: 'not-running', text: `entry ${index} puts ${name} into service, but ${text}` })),
    ...unreadable(observed),
    ...modelDifferences(logged.model, observed.model),
    ...configDifferences(logged.config, observed.config),
    ...imageDifferences(record, index, observed.image),
    ...observed.processes.map((text): Difference => ({ kind: 'loaded', text })),
  ];
}

/** What cannot be read cannot be what was logged. */
function unreadable({ unreadable: parts }: ObservedContent): Difference[] {
  return Object.values(parts).map((text) => ({ kind: 'unreadable', text }));
}

function isThere({ running, model }: ObservedContent): boolean {
  return running ?? model !== undefined;
}

function notLogged({ running }: ObservedContent): Difference {
  const none = 'no deployment in the log is in service';
  const text = running === true ? `it runs, and ${none}: it was started without one` : `its model is there, and ${none}`;
  return { kind: 'not-logged', text };
}

function modelDifferences(logged: LoggedContent['model'], observed: ObservedContent['model']): Difference[] {
  if (observed === undefined) return [];
  if (equalBytes(logged.record.digest, observed.digest)) return renamed(logged, observed.resources);
  const name = `the model is not ${printable(logged.record.name)} version ${printable(logged.record.version)} (entry ${logged.index})`;
  if (logged.resources === undefined) return [{ kind: 'model', text: name }];
  const files = compareFiles(logged.resources, observed.resources);
  const lines = [...files.map(fileLine), ...tensorLines(logged.tensors, observed.tensors)];
  return [{ kind: 'model', text: `${name}: ${sentenceOf(files)}`, lines: lines.slice(0, MOST_LINES) }];
}

/** The digest covers the contents in the order of the names, and not the names. */
function renamed({ index, resources }: LoggedContent['model'], observed: readonly ManifestResource[]): Difference[] {
  const files = resources === undefined ? [] : compareFiles(resources, observed);
  if (files.length === 0) return [];
  const text = `the files of the model have other names than in entry ${index}: ${sentenceOf(files)}`;
  return [{ kind: 'model', text, lines: files.map(fileLine).slice(0, MOST_LINES) }];
}

function tensorLines(logged: readonly TensorDigest[] | undefined, observed: readonly TensorDigest[]): string[] {
  if (logged === undefined) return [];
  const { added, removed, changed } = diffTensors(logged, observed);
  const line = (sign: string) => (name: string) => `${sign} tensor ${printable(name)}`;
  return [...changed.map(line('~')), ...added.map(line('+')), ...removed.map(line('-'))];
}

function configDifferences(logged: LoggedContent['config'], observed: ObservedContent['config']): Difference[] {
  if (observed === undefined) return [];
  const named = (files: readonly { path: string; digest: Uint8Array }[]): ManifestResource[] =>
    files.map(({ path, digest }) => ({ name: path, digest }));
  const files = compareFiles(named(logged.record.files), named(observed.said.files), {
    before: logged.texts,
    after: observed.texts,
  });
  const of = `configuration ${printable(logged.record.name)} version ${printable(logged.record.version)} (entry ${logged.index})`;
  const out = files.map(
    (file): Difference => ({
      kind: 'config',
      text: `${printable(file.name)} ${WORDS[file.kind]} ${of}${file.lines === undefined ? '' : `: ${countLines(file.lines)}`}`,
      ...(file.lines === undefined ? {} : { lines: file.lines.slice(0, MOST_LINES) }),
    }),
  );
  if (out.length > 0 || equalBytes(configDigest(logged.record), observed.digest)) return out;
  return [
    {
      kind: 'config',
      text: `the files are those of the ${of}, and what they are taken for is not: see which is the system prompt`,
    },
  ];
}

function imageDifferences({ image }: RecordOf<'deployment'>, index: number, observed: Uint8Array | undefined): Difference[] {
  if (image === undefined)
    return observed === undefined ? [] : [{ kind: 'image', text: `an image runs, and entry ${index} names none` }];
  if (observed === undefined || equalBytes(image, observed)) return [];
  return [{ kind: 'image', text: `another image runs than the one that entry ${index} names` }];
}

/** Lines that are shown of one difference. */
const MOST_LINES = 200;

const WORDS: Readonly<Record<FileDifference['kind'], string>> = {
  changed: 'is not as in the',
  added: 'is not in the',
  removed: 'is missing of the',
};

function fileLine({ name, kind }: FileDifference): string {
  return `${kind === 'added' ? '+' : kind === 'removed' ? '-' : '~'} ${printable(name)}`;
}

function sentenceOf(files: readonly FileDifference[]): string {
  const shown = files
    .slice(0, 5)
    .map(({ name, kind }) => `${printable(name)} ${kind === 'changed' ? 'has changed' : `was ${kind}`}`);
  const more = files.length > shown.length ? `, and ${files.length - shown.length} more` : '';
  return shown.length === 0 ? 'its files have other names' : `${shown.join(', ')}${more}`;
}

function countLines(lines: readonly string[]): string {
  const [gone, come] = ['-', '+'].map((sign) => lines.filter((line) => line.startsWith(sign)).length);
  return `${gone} ${gone === 1 ? 'line' : 'lines'} less, ${come} more`;
}
