import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { dataFolder, initLog, parseConfig, type ServedLog, serveLog } from '@treering/log';
import { EXIT, UsageError } from '../exit.js';
import { readPolicyFile } from '../policy-file.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';
import { readRecordFile } from './record-file.js';

/** Flags of `log serve`, and of `up`, which runs it. */
export interface ServeFlags {
  readonly listen?: string;
  readonly anchor?: string;
  readonly publicUrl?: string;
  readonly publishInterval?: string;
  readonly rate?: string;
  readonly burst?: string;
  readonly identityRate?: string;
  readonly identityBurst?: string;
  readonly connections?: string;
  readonly underWay?: string;
  readonly logLevel?: string;
  readonly signWith?: string;
  readonly publicationKey?: string;
  readonly registrarKey?: string;
  readonly trustStore?: boolean;
  readonly readOnly?: boolean;
  readonly witnesses?: string;
}

/** `log serve`: an existing log. */
export async function serve(
  session: Session,
  flags: ServeFlags,
  ready: (served: ServedLog) => void = () => undefined,
): Promise<number> {
  const { terminal, settings, env, cwd } = session;
  const pathOf = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(cwd, path));
  const config = parseConfig(
    Object.fromEntries(
      Object.entries({
        data: settings.data,
        listen: flags.listen ?? env.TREERING_LISTEN,
        anchor: flags.anchor ?? env.TREERING_ANCHOR,
        url: flags.publicUrl,
        witnesses: pathOf(flags.witnesses ?? env.TREERING_WITNESSES),
        publish_interval: integer(flags.publishInterval, '--publish-interval'),
        rate: integer(flags.rate, '--rate'),
        burst: integer(flags.burst, '--burst'),
        identity_rate: integer(flags.identityRate, '--identity-rate'),
        identity_burst: integer(flags.identityBurst, '--identity-burst'),
        connections: integer(flags.connections, '--connections'),
        under_way: integer(flags.underWay, '--under-way'),
        log_level: flags.logLevel ?? env.TREERING_LOG_LEVEL,
        trust_store: flags.trustStore,
        read_only: flags.readOnly,
        log_key: flags.signWith ?? env.TREERING_SIGN_WITH,
        publication_key: flags.publicationKey ?? env.TREERING_PUBLICATION_KEY,
        registrar_key: flags.registrarKey ?? env.TREERING_REGISTRAR_KEY,
      }).filter(([, value]) => value !== undefined),
    ),
  );
  const signalled = untilSignal();
  const served = await serveLog(config);
  await writeFile(join(settings.data, 'log.vkey'), `${served.vkey}\n`);
  await writeFile(join(settings.data, 'log.url'), `${served.url}\n`);
  ready(served);
  terminal.result({
    url: served.url,
    origin: served.log.origin,
    vkey: served.vkey,
    data: settings.data,
    witnesses: (served.log.witnesses?.status() ?? []).map(({ name, vkeys, url }) => ({ name, vkey: vkeys[0], url })),
    monitor: null,
  });
  const end = await Promise.race([signalled, served.failed]);
  if (end instanceof Error) {
    // After such a failure memory is not to be trusted: end at once, and let the next start read the disk.
    terminal.remark(`The log stops: ${end.message}`);
    process.exit(EXIT.failed);
  }
  terminal.line('The log answers what it has and closes.');
  await served.close();
  return EXIT.ok;
}

/** Flags of `log init`. */
export interface InitLogFlags {
  readonly origin?: string;
  readonly administrator?: string;
  readonly anchor?: string;
  readonly with?: readonly string[];
  readonly threshold?: number;
  readonly policy?: string;
}

/** `log init`: begins a log, and does nothing else. */
export async function init(session: Session, flags: InitLogFlags): Promise<void> {
  const { data } = session.settings;
  const anchor = flags.anchor ?? session.env.TREERING_ANCHOR;
  const administrators = await Promise.all((flags.with ?? []).map((file) => readAdministrator(resolve(session.cwd, file))));
  const threshold = flags.threshold ?? 1;
  if (threshold > administrators.length + 1)
    throw new UsageError(
      `${threshold} administrators shall agree, and there would be ${administrators.length + 1}; --with names more`,
    );
  const policy = flags.policy === undefined ? undefined : await readPolicyFile(resolve(session.cwd, flags.policy));
  const { origin } = await initLog(data, {
    ...(flags.origin === undefined ? {} : { origin: flags.origin }),
    ...(flags.administrator === undefined ? {} : { administrator: flags.administrator }),
    ...(anchor === undefined ? {} : { anchor }),
    ...(policy === undefined ? {} : { policy }),
    administrators,
    threshold,
  });
  session.terminal.line(`The log ${origin} begins in ${data}; the administrator's key is ${dataFolder(data).adminKey}.`);
  session.terminal.result({ origin, data });
}

/** What `keygen` wrote for somebody, as an administrator of the charter. */
async function readAdministrator(path: string) {
  const record = await readRecordFile(path);
  if (record.type !== 'identity' || record.key === undefined) throw new UsageError(`${path} enrols nobody`);
  return { id: record.id, key: record.key, roles: [...new Set(['administrator', ...(record.roles ?? [])])] };
}

/** @throws UsageError */
export function requireLog(data: string): void {
  if (!existsSync(dataFolder(data).store)) throw new UsageError(`there is no log in ${data}`);
}

function integer(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,12}$/.test(text)) throw new UsageError(`${flag} takes a number`);
  return Number(text);
}
