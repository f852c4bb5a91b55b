import type { Command } from 'commander';
import { lazy } from './lazy.js';
import type { Session } from './session.js';
import type { CommonFlags } from './settings.js';

const feedMirror = lazy(async () => (await import('./commands/feed.js')).feedMirror);
const acknowledge = lazy(async () => (await import('./commands/monitor.js')).acknowledge);
const listAlarms = lazy(async () => (await import('./commands/monitor.js')).listAlarms);
const monitorOnce = lazy(async () => (await import('./commands/monitor.js')).monitorOnce);
const serveMonitorCommand = lazy(async () => (await import('./commands/monitor.js')).serveMonitorCommand);
const writeProof = lazy(async () => (await import('./commands/monitor.js')).writeProof);
const addLog = lazy(async () => (await import('./commands/witness.js')).addLog);
const serveWitnessCommand = lazy(async () => (await import('./commands/witness.js')).serveWitnessCommand);
const unlock = lazy(async () => (await import('./commands/witness.js')).unlock);

/** How `main` makes a command, and runs one. */
export interface Commands {
  command(parent: Command, usage: string, description: string): Command;
  /** With the options that say which log is meant. */
  remote(parent: Command, usage: string, description: string): Command;
  /** With the options of who signs something and logs it. */
  signing(parent: Command, usage: string, description: string): Command;
  run<A extends readonly unknown[]>(
    work: (session: Session, ...args: A) => Promise<unknown>,
  ): (flags: CommonFlags, ...args: A) => Promise<void>;
  positive(text: string): number;
}

/** The commands of those who run witnesses. */
export function addWitnessCommands(program: Command, { command, remote, run, positive }: Commands): void {
  const witness = program.command('witness').description('cosign the heads of logs, so that nobody is shown another history');
  command(witness, 'serve', 'run a witness; an empty folder gets keys and a store')
    .option('--listen <address:port>', 'where to listen; port 0 picks a free one (TREERING_LISTEN, 127.0.0.1:6963)')
    .option('--name <name>', 'first line of its cosignatures, such as witness.example.org/1')
    .option('--logs <file>', 'the logs that it cosigns (logs.txt in the data folder)')
    .option('--anchor <file>', 'where the changes of its store are counted, best on another disk (TREERING_ANCHOR)')
    .option('--sign-with <key>', 'its Ed25519 key, when not in the data folder (TREERING_SIGN_WITH)')
    .option('--mirror', 'also keep a full copy of every log, and cosign what is stored')
    .option('--mirror-name <name>', "first line of the mirror's cosignatures (<name>/mirror)")
    .option('--create', 'begin a new store for such a key, which must never have cosigned')
    .option('--connections <n>', 'open connections', positive)
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .action((flags) => run((s) => serveWitnessCommand(s, flags))(flags));
  command(witness, 'add-log <vkey>', 'follow a log')
    .option('--logs <file>', 'the list of logs (logs.txt in the data folder)')
    .option('--at <url>', 'where the log publishes its checkpoint')
    .action((vkey, flags) => run((s) => addLog(s, vkey, flags))(flags));
  remote(witness, 'feed <url>', 'upload what a mirror does not have yet of a log')
    .requiredOption('--mirror-key <vkey...>', "the mirror's verifier keys")
    .action((url, flags) => run((s) => feedMirror(s, url, flags.mirrorKey))(flags));
  command(witness, 'unlock [checkpoints...]', 'let a witness go on that found its store to be an older copy')
    .option('--anchor <file>', 'where the changes of its store are counted')
    .option('--sign-with <key>', 'its Ed25519 key, when not in the data folder')
    .option('--logs <file>', 'the list of logs (logs.txt in the data folder)')
    .option(
      '--risk-second-history',
      'go on without a checkpoint of each log, and cosign two histories if the store is an older copy',
    )
    .action((heads, flags) => run((s) => unlock(s, heads, flags))(flags));
}

/** The commands of those who run monitors. */
export function addMonitorCommands(program: Command, { command, run }: Commands): void {
  const monitor = program
    .command('monitor')
    .description('follow logs, compare what everybody is shown, raise alarms with proof');
  const following = (cmd: Command): Command =>
    cmd
      .option('--config <file>', 'what it follows and whom it tells (monitor.yaml in the data folder)')
      .option('--log-level <level>', 'trace, debug, info, warn, error or silent');
  following(command(monitor, 'serve', 'run a monitor; an empty folder gets a key and a store'))
    .option('--listen <address:port>', 'where to listen; port 0 picks a free one (TREERING_LISTEN, 127.0.0.1:6970)')
    .action((flags) => run((s) => serveMonitorCommand(s, flags))(flags));
  following(command(monitor, 'once', 'look at every log once: exit code 1 while there are alarms')).action((flags) =>
    run((s) => monitorOnce(s, flags))(flags),
  );
  command(monitor, 'alarms', 'the alarms that are open')
    .option('--all', 'also those that are over')
    .action((flags) => run((s) => listAlarms(s, flags))(flags));
  command(monitor, 'proof <alarm>', 'write the proof file of an alarm')
    .option('--out <file>', 'where to write it (<kind>-<alarm>.trproof)')
    .action((id, flags) => run((s) => writeProof(s, id, flags))(flags));
  command(monitor, 'acknowledge <alarm>', 'close an alarm that does not clear by itself').action((id, flags) =>
    run((s) => acknowledge(s, id))(flags),
  );
}
