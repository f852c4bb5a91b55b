import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { parseImageDigest } from '../image-digest.js';
import type { Session } from '../session.js';

/** What a deploy command may say of what it did, as JSON in the file that TREERING_OBSERVED names. */
const observedSchema = z.strictObject({ image: z.string().max(1000).optional(), replicas: z.int().min(0).optional() });

/** What came of the command. */
export interface CommandOutcome {
  /** Why it did not do its work; undefined when it did. */
  readonly failure: string | undefined;
  readonly image: Uint8Array | undefined;
  readonly replicas: number | undefined;
}

/** What a deploy command is told. */
export interface CommandTold {
  /** Full path of the permit. */
  readonly permit: string;
  /** Leaf hash of the intent, 64 hex digits. */
  readonly intent: string;
  /** State digest, 64 hex digits. */
  readonly state: string;
  /** Root of the model's manifest, 64 hex digits. */
  readonly model: string;
  /** Digest of the configuration, 64 hex digits. */
  readonly config: string;
}

/** Of the settings only those that say where the log is, and whom to believe: keys and what opens them are the gate's. */
const PASSED = ['TREERING_LOG_URL', 'TREERING_LOG_KEY', 'TREERING_TRUST', 'TREERING_STATE', 'TREERING_DATA'];

/**
 * Runs the command that deploys, with the permit's path in its environment. A signal that asks this process to end is passed on,
 * so that what came of the command is still logged.
 */
export async function runDeployCommand(
  { env, cwd, terminal, settings }: Session,
  [program, ...args]: readonly string[],
  told: CommandTold,
): Promise<CommandOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'treering-gate-'));
  const observed = join(folder, 'observed.json');
  const own = settings.keyVariable();
  const passed = Object.entries(env).filter(
    ([name, value]) => value !== undefined && (!name.startsWith('TREERING_') || PASSED.includes(name)) && name !== own,
  );
  const child = spawn(program, args, {
    cwd,
    // With --json, standard output is one line of JSON: the command writes to standard error then.
    stdio: ['inherit', terminal.json ? 2 : 'inherit', 'inherit'],
    env: {
      ...Object.fromEntries(passed as [string, string][]),
      TREERING_PERMIT: told.permit,
      TREERING_INTENT: told.intent,
      TREERING_STATE_DIGEST: told.state,
      TREERING_MODEL_DIGEST: told.model,
      TREERING_CONFIG_DIGEST: told.config,
      TREERING_OBSERVED: observed,
    },
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, forward);
  try {
    const failure = await new Promise<string | undefined>((done) => {
      child.on('error', (error) => done(`the command ${program} could not be started: ${error.message}`));
      child.on('exit', (code, signal) => {
        if (code === 0) done(undefined);
        else done(signal === null ? `the command ended with code ${code}` : `the command was ended by ${signal}`);
      });
    });
    if (failure !== undefined) return { failure, image: undefined, replicas: undefined };
    return await readObserved(observed);
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, forward);
    await rm(folder, { recursive: true, force: true });
  }
}

async function readObserved(path: string): Promise<CommandOutcome> {
  const none = { failure: undefined, image: undefined, replicas: undefined };
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return none;
    throw error;
  }
  try {
    const { image, replicas } = observedSchema.parse(JSON.parse(text));
    return { failure: undefined, image: image === undefined ? undefined : parseImageDigest(image), replicas };
  } catch (error) {
    return { ...none, failure: `what the command observed cannot be read: ${(error as Error).message.slice(0, 500)}` };
  }
}
