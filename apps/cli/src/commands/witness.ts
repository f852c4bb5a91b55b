import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { formatVerifierKey, parseVerifierKey } from '@treering/note';
import { printable } from '@treering/record';
import { configSchema, parseLogList, serveWitness, unlockWitness, witnessFolder } from '@treering/witness';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';

/** Flags of `witness serve`. */
export interface WitnessFlags {
  readonly listen?: string;
  readonly name?: string;
  readonly logs?: string;
  readonly anchor?: string;
  readonly signWith?: string;
  readonly create?: boolean;
  readonly mirror?: boolean;
  readonly mirrorName?: string;
  readonly connections?: number;
  readonly logLevel?: string;
}

/** `witness serve`: cosigns heads until it is told to end. */
export async function serveWitnessCommand(session: Session, flags: WitnessFlags): Promise<number> {
  const { terminal, settings, env, cwd } = session;
  const parsed = configSchema.safeParse(
    JSON.parse(
      JSON.stringify({
        data: settings.data,
        listen: flags.listen ?? env.TREERING_LISTEN ?? '127.0.0.1:6963',
        name: flags.name,
        logs: flags.logs === undefined ? undefined : resolve(cwd, flags.logs),
        anchor: flags.anchor ?? env.TREERING_ANCHOR,
        key: flags.signWith ?? env.TREERING_SIGN_WITH,
        create: flags.create,
        mirror: flags.mirror,
        mirror_name: flags.mirrorName,
        connections: flags.connections,
        log_level: flags.logLevel ?? env.TREERING_LOG_LEVEL,
      }),
    ),
  );
  if (!parsed.success)
    throw new UsageError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  const signalled = untilSignal();
  const served = await serveWitness(parsed.data);
  const { name, signers, store } = served.witness;
  await writeFile(join(settings.data, 'witness.vkey'), `${served.vkeys.join('\n')}\n`);
  terminal.line(`${terminal.bold(printable(name))} cosigns at ${served.url}`);
  for (const { key } of signers) terminal.line(`  verifier key  ${formatVerifierKey(key).slice(0, 120)}`);
  const mirror = served.mirror && {
    name: served.mirror.name,
    vkeys: served.mirror.signers.map(({ key }) => formatVerifierKey(key)),
  };
  if (mirror !== undefined) {
    await writeFile(join(settings.data, 'mirror.vkey'), `${mirror.vkeys.join('\n')}\n`);
    terminal.line(`${terminal.bold(printable(mirror.name))} mirrors at ${served.url}/mirror`);
    for (const vkey of mirror.vkeys) terminal.line(`  verifier key  ${vkey.slice(0, 120)}`);
  }
  for (const origin of store.origins()) {
    terminal.line(`  log           ${printable(origin)}`);
    const lost = mirror === undefined ? undefined : store.mirrored(origin)?.lost;
    if (lost !== undefined) terminal.remark(`Its mirror is locked: ${lost}. See "treering witness unlock".`);
  }
  if (store.locked !== undefined) terminal.remark(`It is locked: ${store.locked}. See "treering witness unlock".`);
  terminal.result({
    name,
    url: served.url,
    vkeys: served.vkeys,
    logs: store.origins(),
    locked: store.locked ?? null,
    mirror: mirror ?? null,
  });
  await signalled;
  await served.close();
  return EXIT.ok;
}

/** `witness add-log`: a running witness follows it within seconds. */
export async function addLog(
  { terminal, settings, cwd }: Session,
  vkey: string,
  flags: { logs?: string; at?: string },
): Promise<void> {
  const key = parseVerifierKey(vkey);
  if (flags.at !== undefined && !URL.canParse(flags.at)) throw new UsageError(`${flags.at} is no URL`);
  const { logs } = witnessFolder({
    data: settings.data,
    anchor: undefined,
    logs: flags.logs === undefined ? undefined : resolve(cwd, flags.logs),
  });
  const text = existsSync(logs) ? await readFile(logs, 'utf8') : '';
  const known = parseLogList(text).find(({ origin }) => origin === key.name);
  if (known?.keys.some((other) => formatVerifierKey(other) === formatVerifierKey(key))) {
    terminal.line(`${printable(key.name)} is in ${logs} already.`);
    return;
  }
  const isNetworkList = /^\s*(?:#.*\n\s*)*logs\/v0\s*$/m.test(text);
  const at = flags.at === undefined ? '' : ` ${flags.at}`;
  const line = isNetworkList ? `vkey ${vkey}\norigin none\n` : `log ${vkey}${at}\n`;
  await mkdir(dirname(logs), { recursive: true });
  await appendFile(logs, `${text === '' || text.endsWith('\n') ? '' : '\n'}${line}`);
  terminal.line(`${printable(key.name)} stands in ${logs}; a running witness follows it within seconds.`);
  terminal.result({ origin: key.name, logs });
}

/** `witness unlock`: the operator gives the newest heads that the witness cosigned, or takes the risk that there are newer ones. */
export async function unlock(
  session: Session,
  heads: readonly string[],
  flags: { anchor?: string; signWith?: string; logs?: string; riskSecondHistory?: boolean },
): Promise<void> {
  const { terminal, settings, env, cwd } = session;
  const notes = await Promise.all(heads.map((path) => readFile(resolve(cwd, path))));
  const anchor = flags.anchor ?? env.TREERING_ANCHOR;
  const key = flags.signWith ?? env.TREERING_SIGN_WITH;
  const { adopted, reason, refilled } = await unlockWitness(
    {
      data: settings.data,
      ...(anchor === undefined ? {} : { anchor }),
      ...(key === undefined ? {} : { key }),
      ...(flags.logs === undefined ? {} : { logs: resolve(cwd, flags.logs) }),
    },
    notes.map((note) => new Uint8Array(note)),
    { riskSecondHistory: flags.riskSecondHistory === true },
  );
  for (const { origin, size } of adopted) terminal.line(`${printable(origin)} goes on from ${size} entries`);
  for (const origin of refilled) terminal.line(`The copy of ${printable(origin)} is filled again by the next uploads.`);
  terminal.line(reason === undefined ? 'The witness was not locked.' : 'The witness is unlocked.');
  terminal.result({
    unlocked: reason !== undefined,
    adopted: adopted.map(({ origin, size }) => ({ origin, size: String(size) })),
    refilled,
  });
}
