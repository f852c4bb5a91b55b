import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import {
  type Alarm,
  alarmView,
  type MonitorConfig,
  MonitorStore,
  monitorFolder,
  openMonitor,
  readConfig,
  serveMonitor,
} from '@treering/monitor';
import { printable } from '@treering/record';
import { createLogger } from '@treering/server';
import { EXIT, UsageError } from '../exit.js';
import type { Session } from '../session.js';
import { untilSignal } from '../signals.js';
import type { Terminal } from '../terminal.js';

/** Flags of `monitor serve` and `monitor once`. */
export interface MonitorFlags {
  readonly config?: string;
  readonly listen?: string;
  readonly logLevel?: string;
}

/** `monitor serve`: follows logs until it is told to end. */
export async function serveMonitorCommand(session: Session, flags: MonitorFlags): Promise<number> {
  const { terminal, settings } = session;
  const config = await configOf(session, flags);
  const signalled = untilSignal();
  const served = await serveMonitor(settings.data, config);
  await writeFile(join(settings.data, 'monitor.vkey'), `${served.vkey}\n`);
  terminal.line(`${terminal.bold(printable(served.monitor.name))} watches at ${served.url}`);
  terminal.line(`  verifier key  ${served.vkey}`);
  for (const { config: log } of served.monitor.logs) terminal.line(`  log           ${printable(log.origin)}`);
  terminal.result({
    name: served.monitor.name,
    url: served.url,
    vkey: served.vkey,
    logs: served.monitor.logs.map((log) => log.config.origin),
  });
  await signalled;
  await served.close();
  return EXIT.ok;
}

/** `monitor once`: looks at every log once, for cron and CI. Exit code 1 while there are open alarms, 3 when a log cannot be read. */
export async function monitorOnce(session: Session, flags: MonitorFlags): Promise<number> {
  const { terminal, settings } = session;
  const config = await configOf(session, flags);
  const { monitor, close } = await openMonitor(settings.data, config, createLogger('treering-monitor', config.log_level));
  try {
    await monitor.poll();
    const open = monitor.store.openAlarms();
    const logs = monitor.logs.map((log) => log.status());
    for (const { origin, size, audited, trouble } of logs) {
      const what = audited === null ? `${size} entries` : `${size} entries, ${audited} audited`;
      terminal.line(`${printable(origin)}: ${trouble === null ? what : `${what}; ${printable(trouble)}`}`);
    }
    printAlarms(terminal, open);
    terminal.result({ logs, alarms: open.map(alarmView) });
    if (open.length > 0) return EXIT.failed;
    return logs.some(({ trouble }) => trouble !== null) ? EXIT.unreachable : EXIT.ok;
  } finally {
    await close();
  }
}

/** `monitor alarms`: what a monitor on this machine has raised, whether it runs or not. */
export async function listAlarms({ terminal, settings }: Session, flags: { all?: boolean }): Promise<number> {
  const store = openStore(settings.data, 'read');
  try {
    const alarms = flags.all === true ? store.alarms() : store.openAlarms();
    printAlarms(terminal, alarms);
    terminal.result({ alarms: alarms.map(alarmView) });
    return alarms.some(({ cleared }) => cleared === null) ? EXIT.failed : EXIT.ok;
  } finally {
    store.close();
  }
}

/** `monitor proof`: writes the proof file of an alarm. */
export async function writeProof({ terminal, settings, cwd }: Session, id: string, flags: { out?: string }): Promise<void> {
  const store = openStore(settings.data, 'read');
  try {
    const alarm = store.alarm(idOf(id));
    const proof = alarm === undefined ? undefined : store.proof(alarm.id);
    if (alarm === undefined) throw new UsageError(`there is no alarm ${id}`);
    if (proof === undefined)
      throw new UsageError(`the log has not given out what the proof of alarm ${id} needs; it is asked in every poll`);
    const out = resolve(cwd, flags.out ?? `${alarm.kind}-${alarm.id}.trproof`);
    await writeFile(out, proof);
    terminal.line(`The proof is in ${out}; "treering verify" checks it offline.`);
    terminal.result({ alarm: alarm.id, kind: alarm.kind, out });
  } finally {
    store.close();
  }
}

/** `monitor acknowledge`: closes an alarm that does not clear by itself, while the monitor does not run. */
export async function acknowledge({ terminal, settings }: Session, id: string): Promise<void> {
  const store = openStore(settings.data, 'open');
  try {
    const alarm = store.alarm(idOf(id));
    if (alarm === undefined || alarm.cleared !== null) throw new UsageError(`there is no open alarm ${id}`);
    store.clear(alarm.id, Math.floor(Date.now() / 1000), []);
    terminal.line(`Alarm ${alarm.id} (${alarm.kind}) is closed; its proof stays.`);
    terminal.result({ alarm: alarm.id, closed: true });
  } finally {
    store.close();
  }
}

function printAlarms(terminal: Terminal, alarms: readonly Alarm[]): void {
  for (const { id, kind, origin, message, raised, cleared } of alarms) {
    const state = cleared === null ? terminal.colour('bad', kind) : terminal.colour('dim', `${kind}, over`);
    terminal.line(`${id}  ${new Date(raised * 1000).toISOString()}  ${state}  ${printable(origin)}`);
    terminal.line(`    ${printable(message)}`);
  }
  if (alarms.length === 0) terminal.line(terminal.colour('good', 'There is no alarm.'));
}

function openStore(data: string, mode: 'read' | 'open'): MonitorStore {
  const path = monitorFolder(data).store;
  if (!existsSync(path)) throw new UsageError(`there is no monitor in ${data}`);
  return MonitorStore.open(path, { mode });
}

function idOf(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw new UsageError(`${text} is no number of an alarm`);
  return Number(text);
}

async function configOf({ settings, env, cwd }: Session, flags: MonitorFlags): Promise<MonitorConfig> {
  await mkdir(settings.data, { recursive: true, mode: 0o700 });
  const path = flags.config === undefined ? join(settings.data, 'monitor.yaml') : resolve(cwd, flags.config);
  if (!existsSync(path)) throw new UsageError(`there is no ${path}; it says which logs are followed (--config)`);
  const config = await readConfig(path);
  const level = flags.logLevel ?? env.TREERING_LOG_LEVEL;
  return {
    ...config,
    listen: flags.listen ?? env.TREERING_LISTEN ?? config.listen,
    ...(level === undefined ? {} : { log_level: level as MonitorConfig['log_level'] }),
  };
}
