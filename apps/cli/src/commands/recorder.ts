import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readSecretFile } from '@treering/note/node';
import { printable } from '@treering/record';
import { parseConfig, RecorderError, RecorderStore, recorderStore, serveRecorder } from '@treering/recorder';
import { EXIT, UsageError } from '../exit.js';
import { createPublisher } from '../mlflow-publisher.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';
import type { ModelFlags } from './model.js';

/** Flags of `recorder serve`. */
export interface RecorderFlags {
  readonly listen?: string;
  readonly map?: readonly string[];
  readonly secretFile?: string;
  readonly access: ModelFlags['access'];
  readonly connections?: number;
  readonly logLevel?: string;
}

/** `recorder serve`: records what an MLflow registry announces, until it is told to end. */
export async function serveRecorderCommand(session: Session, flags: RecorderFlags): Promise<number> {
  const { terminal, settings, env } = session;
  const level = flags.logLevel ?? env.TREERING_LOG_LEVEL;
  const secret = await secretOf(session, flags.secretFile);
  const config = usage(() =>
    parseConfig({
      data: settings.data,
      listen: flags.listen ?? env.TREERING_LISTEN ?? '127.0.0.1:6972',
      mappings: flags.map ?? [],
      secret,
      ...(flags.connections === undefined ? {} : { connections: flags.connections }),
      ...(level === undefined ? {} : { log_level: level }),
    }),
  );
  // What cannot sign does not listen.
  const { id } = await session.signer();
  const signalled = untilSignal();
  const publisher = createPublisher(session, flags.access, join(settings.data, 'proofs'));
  const served = await serveRecorder(config, publisher);
  terminal.line(`${terminal.bold('The recorder')} takes MLflow's webhooks at ${served.url}/mlflow`);
  terminal.line(`  signs as      ${printable(id)}`);
  terminal.line(`  for the log   ${printable(session.trust().origin)} at ${settings.url}`);
  for (const { prefix, folder } of config.mappings)
    terminal.line(`  files of      ${printable(prefix)} in ${printable(folder)}`);
  terminal.result({ url: served.url, signer: id, origin: session.trust().origin, ...served.store.counts() });
  await signalled;
  await served.close();
  return EXIT.ok;
}

/** `recorder events`: what came, and what became of it. Exit code 1 while something is refused or not uploaded. */
export async function listEvents({ terminal, settings }: Session, limit: number): Promise<number> {
  const path = recorderStore(settings.data);
  if (!existsSync(path)) throw new UsageError(`there is no recorder in ${settings.data}`);
  const store = RecorderStore.open(path, { mode: 'read' });
  try {
    const events = store.list(limit).map(({ leaf, ...event }) => ({
      ...event,
      leaf: leaf === null ? null : Buffer.from(leaf).toString('hex'),
    }));
    for (const { id, received, event, state, message, leaf, notUploaded } of events) {
      const coloured = state === 'refused' ? terminal.colour('bad', state) : terminal.colour('good', state);
      terminal.line(`${id}  ${new Date(received).toISOString()}  ${coloured}  ${printable(event)}`);
      if (leaf !== null) terminal.line(`    leaf ${leaf}`);
      if (notUploaded)
        terminal.line(`    ${terminal.colour('bad', 'not uploaded')}: attachments that the record names are kept here`);
      if (message !== null) terminal.line(`    ${printable(message)}`);
    }
    if (events.length === 0) terminal.line('Nothing has come yet.');
    const counts = store.counts();
    const notUploaded = store.notUploaded();
    terminal.result({ events, counts, notUploaded });
    return counts.refused > 0 || notUploaded > 0 ? EXIT.failed : EXIT.ok;
  } finally {
    store.close();
  }
}

/** The webhook's secret, from the environment or a file that nobody else can read. */
async function secretOf({ env, cwd }: Session, file: string | undefined): Promise<string> {
  const path = file ?? env.TREERING_MLFLOW_SECRET_FILE;
  if (path !== undefined) return (await readSecretFile(resolve(cwd, path), 'secret file')).replace(/\r?\n$/, '');
  if (env.TREERING_MLFLOW_SECRET !== undefined) return env.TREERING_MLFLOW_SECRET;
  throw new UsageError(
    "the webhook's secret is needed, as MLflow has it: set TREERING_MLFLOW_SECRET, or write it into a file of mode 600 and give --secret-file",
  );
}

function usage<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof RecorderError ? new UsageError(error.message) : error;
  }
}
