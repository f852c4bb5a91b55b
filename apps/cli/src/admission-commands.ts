import type { Command } from 'commander';
import { Option } from 'commander';
import { lazy } from './lazy.js';
import type { Commands } from './operator-commands.js';
import { timeSpan } from './time-span.js';

const serveAdmissionCommand = lazy(async () => (await import('./commands/admission.js')).serveAdmissionCommand);

/** The commands of those who run clusters. */
export function addAdmissionCommands(program: Command, { command, run, positive }: Commands): void {
  const admission = program.command('admission').description('let only pods into a cluster that a permit is for');
  command(admission, 'serve', 'run a validating admission webhook with TLS')
    .requiredOption('--cert <file>', 'its certificate in PEM, and those between; read again when it changes, and at SIGHUP')
    .requiredOption('--key <file>', 'the private key of the certificate in PEM')
    .requiredOption(
      '--policy <file>',
      'a trust policy (https://c2sp.org/tlog-policy): the log, and the witnesses that must have agreed',
    )
    .option('--listen <address:port>', 'where to listen; port 0 picks a free one (TREERING_LISTEN, 0.0.0.0:8443)')
    .option('--signer <vkey...>', 'public keys of those whose deployments count')
    .option('--any-signer', "leave it to the log's rules whose deployments count")
    .option('--permits <folder>', 'folder of permits (*.permit, *.tlog-proof), read again when it changes')
    .option('--no-annotated-permits', 'take permits from that folder only, and not from pods')
    .option('--allow-image <pattern...>', 'images that may run beside a permitted one: registry.example/istio/*@sha256:<hex>')
    .addOption(
      new Option('--allow-connect <subresource...>', 'ways into running pods that start processes').choices(['exec', 'attach']),
    )
    .option('--namespace <namespace=environment...>', 'the environment of a namespace: its pods belong to no other')
    .option('--max-age <time>', 'how old a permit may be: 3600, 12h, 7d', timeSpan)
    .option('--connections <n>', 'open connections', positive)
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .action((flags) => run((s) => serveAdmissionCommand(s, flags))(flags));
}
