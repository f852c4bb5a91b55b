import { execFile } from 'node:child_process';
import { readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ObservedContent } from '@treering/deployment';
import { equalBytes } from '@treering/merkle';
import { manifestRoot, printable, stateDigest } from '@treering/record';
import { type FileHash, hashModel } from '@treering/record/node';
import { readConfigContent } from '../config-content.js';
import { UsageError } from '../exit.js';
import { parseImageDigest } from '../image-digest.js';
import { digestOfHandle, filesOf, isRunning } from './process-files.js';
import type { Target } from './targets.js';

const run = promisify(execFile);

/** Milliseconds that a command may take to say which image runs. */
const IMAGE_PATIENCE = 30_000;
/** Bytes of a file that is compared line by line. */
const LARGEST_TEXT = 1024 * 1024;

/** What was found of a service. */
export interface Observed {
  readonly content: ObservedContent;
  /** State digest, 32 bytes; what is not there counts as zeros. */
  readonly state: Uint8Array;
  readonly pid: number | undefined;
  /** What was found of each file of the model. */
  readonly hashes: ReadonlyMap<string, FileHash>;
  /** What nobody looked at, in words. */
  readonly unseen: readonly string[];
}

/**
 * Looks at a service where it runs.
 * @param known files that were hashed before and need not be read when the file system calls them unchanged
 * What is not there, or cannot be read, is no error, but an observation.
 */
export async function observe(target: Target, known: ReadonlyMap<string, FileHash>): Promise<Observed> {
  const trouble: { model?: string; config?: string; image?: string; pid?: string } = {};
  // Whoever makes a part unreadable must not keep the others from being looked at, nor this from being told.
  const read = async <T>(part: keyof typeof trouble, what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await absent(work);
    } catch (error) {
      trouble[part] = `${what} cannot be read: ${printable((error as Error).message.split('\n')[0].slice(0, 300))}`;
      return undefined;
    }
  };
  const pid = await read('pid', 'the number of the process', () => pidOf(target));
  const model = await read('model', 'the model', async () => {
    const path = await realpath(target.model);
    return { path, files: await hashModel(path, { ignored: target.ignore, known }) };
  });
  const config = await read('config', 'the configuration', () => readConfigContent(target.config, target.systemPrompt));
  const image = await read('image', 'the digest of the image', () => imageOf(target));
  const digest = model === undefined ? undefined : manifestRoot(model.files.resources);
  const running = pid === undefined ? undefined : pid > 0 && isRunning(pid);
  const files = await Promise.all((config?.sources ?? []).map(({ path }) => realpath(path)));
  const paths = [...(model === undefined ? [] : [model.path]), ...files];
  const seen = running
    ? await processFindings(pid as number, paths, model?.files.hashes ?? new Map())
    : { findings: [], unseen: [] };
  return {
    content: {
      model:
        model === undefined || digest === undefined
          ? undefined
          : { digest, resources: model.files.resources, tensors: model.files.tensors },
      config: config === undefined ? undefined : { ...config, texts: textsOf(config.sources) },
      image,
      running,
      unreadable: trouble,
      processes: seen.findings,
    },
    state: stateDigest(digest ?? new Uint8Array(32), config?.digest ?? new Uint8Array(32), image),
    pid: pid === 0 ? undefined : pid,
    hashes: model?.files.hashes ?? new Map(),
    unseen: [
      ...(target.image === undefined ? ['the image'] : []),
      ...(target.pid === undefined ? ['the process'] : seen.unseen),
    ],
  };
}

/** Undefined for what is not there. */
async function absent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The number of the process; 0 when the file that holds it is not there: nothing runs then. */
async function pidOf({ pid }: Target): Promise<number | undefined> {
  if (typeof pid !== 'string') return pid;
  const text = await absent(async () => (await readFile(pid, 'utf8')).trim());
  if (text === undefined) return 0;
  if (!/^[1-9][0-9]{0,9}$/.test(text)) throw new UsageError(`${pid} does not hold the number of a process`);
  return Number(text);
}

async function imageOf({ image }: Target): Promise<Uint8Array | undefined> {
  if (image === undefined) return undefined;
  if (typeof image === 'string') return parseImageDigest(image);
  const [program, ...args] = image;
  const { stdout } = await run(program, args, { encoding: 'utf8', timeout: IMAGE_PATIENCE, maxBuffer: 65_536 });
  return parseImageDigest(stdout.trim());
}

/** What a running process has loaded and is not what lies there now. */
async function processFindings(
  pid: number,
  below: readonly string[],
  hashes: ReadonlyMap<string, FileHash>,
): Promise<{ findings: string[]; unseen: string[] }> {
  const files = await filesOf(pid, below);
  if (files === undefined) return { findings: [], unseen: [`what process ${pid} has loaded`] };
  const findings: string[] = [];
  for (const { path, replaced, handle } of files) {
    if (!replaced) continue;
    const now = hashes.get(path)?.digest;
    // It may have been replaced by its equal.
    if (handle !== undefined && now !== undefined && equalBytes(await digestOfHandle(handle), now)) continue;
    findings.push(`process ${pid} has loaded ${printable(path)}, and another file lies there now: it runs what is not on disk`);
  }
  return { findings, unseen: files.length === 0 ? [`what process ${pid} has loaded and closed again`] : [] };
}

function textsOf(sources: readonly { readonly name: string; readonly content: Uint8Array }[]): Map<string, string> {
  const out = new Map<string, string>();
  for (const { name, content } of sources) {
    const text = textOf(content);
    if (text !== undefined) out.set(name, text);
  }
  return out;
}

/** A text that people can read; undefined for anything else. */
export function textOf(content: Uint8Array): string | undefined {
  if (content.length > LARGEST_TEXT || content.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
