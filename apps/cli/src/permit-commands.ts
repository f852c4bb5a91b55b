import type { Command } from 'commander';
import type { PermitSession } from './commands/permit.js';
import { lazy } from './lazy.js';
import type { CommonFlags } from './settings.js';
import { timeSpan } from './time-span.js';

const permitVerify = lazy(async () => (await import('./commands/permit.js')).permitVerify);

/** How a command is made, and run in a session that knows no log. */
export interface PermitCommands {
  command(parent: Command, usage: string, description: string): Command;
  run(work: (session: PermitSession) => Promise<unknown>): (flags: CommonFlags) => Promise<void>;
}

/** The commands of those who let something run. */
export function addPermitCommands(program: Command, { command, run }: PermitCommands): void {
  const permit = program.command('permit').description('whether something may run, from a file and without a request');
  command(permit, 'verify [file]', 'check the permit of a deployment offline: at an entry point, in an init container')
    .requiredOption('--env <environment>', 'where it is to run')
    .requiredOption('--service <service>', 'what is to run there')
    .option(
      '--policy <file>',
      'a trust policy (https://c2sp.org/tlog-policy): the log, and the witnesses that must have agreed',
    )
    .option('--log-key <vkey...>', "the log's verifier keys instead of a policy; no witness is asked for then")
    .option('--signer <vkey...>', 'public keys of those whose deployments count')
    .option('--any-signer', "leave it to the log's rules whose deployments count")
    .option('--model <path>', 'the model that lies here')
    .option('--ignore <path...>', "paths below the model's folder that were left out when it was recorded")
    .option('--config <files...>', 'the configuration that lies here')
    .option('--system-prompt <file>', 'which of its files is the system prompt')
    .option('--image <digest>', 'digest of the image, or a reference that ends with it')
    .option('--max-age <time>', 'how old the permit may be: 3600, 12h, 7d', timeSpan)
    .option('--quiet', 'print nothing when it is permitted, and what failed on standard error')
    .option('--verbose', 'how each claim was found')
    .action((file: string | undefined, flags) => run((s) => permitVerify(s, file, flags))(flags));
}
