import type { Command } from 'commander';
import { addLog, serveWitnessCommand, unlock } from './commands/witness.js';
import type { Session } from './session.js';
import type { CommonFlags } from './settings.js';

/** How `main` makes a command, and runs one. */
export interface Commands {
  command(parent: Command, usage: string, description: string): Command;
  run<A extends readonly unknown[]>(
    work: (session: Session, ...args: A) => Promise<unknown>,
  ): (flags: CommonFlags, ...args: A) => Promise<void>;
  positive(text: string): number;
}

/** The commands of those who run witnesses. */
export function addWitnessCommands(program: Command, { command, run, positive }: Commands): void {
  const witness = program.command('witness').description('cosign the heads of logs, so that nobody is shown another history');
  command(witness, 'serve', 'run a witness; an empty folder gets keys and a store')
    .option('--listen <address:port>', 'where to listen; port 0 picks a free one (TREERING_LISTEN, 127.0.0.1:6963)')
    .option('--name <name>', 'first line of its cosignatures, such as witness.example.org/1')
    .option('--logs <file>', 'the logs that it cosigns (logs.txt in the data folder)')
    .option('--anchor <file>', 'where the changes of its store are counted, best on another disk (TREERING_ANCHOR)')
    .option('--sign-with <key>', 'its Ed25519 key, when not in the data folder (TREERING_SIGN_WITH)')
    .option('--create', 'begin a new store for such a key, which must never have cosigned')
    .option('--connections <n>', 'open connections', positive)
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .action((flags) => run((s) => serveWitnessCommand(s, flags))(flags));
  command(witness, 'add-log <vkey>', 'follow a log')
    .option('--logs <file>', 'the list of logs (logs.txt in the data folder)')
    .option('--at <url>', 'where the log publishes its checkpoint')
    .action((vkey, flags) => run((s) => addLog(s, vkey, flags))(flags));
  command(witness, 'unlock [checkpoints...]', 'let a witness go on that found its store to be an older copy')
    .option('--anchor <file>', 'where the changes of its store are counted')
    .option('--sign-with <key>', 'its Ed25519 key, when not in the data folder')
    .action((heads, flags) => run((s) => unlock(s, heads, flags))(flags));
}
