import { type Command, Option } from 'commander';
import { lazy } from './lazy.js';
import type { Commands } from './operator-commands.js';
import { timerSpan } from './time-span.js';

const check = lazy(async () => (await import('./commands/check.js')).check);
const gate = lazy(async () => (await import('./commands/gate.js')).gate);

/** Where a model and its configuration lie. */
function withParts(command: Command): Command {
  return command
    .requiredOption('--model <path>', 'folder or file of the model')
    .option('--ignore <path...>', 'paths below the folder to leave out, as when it was recorded')
    .requiredOption('--config <file...>', 'the files of the configuration')
    .option('--system-prompt <file>', 'which of the files is the system prompt, as when it was recorded')
    .option('--image <digest>', 'digest of the image: sha256:<hex> or repository@sha256:<hex>');
}

/** The commands that stand between a pipeline and what runs. */
export function addGateCommands(program: Command, { remote, run, positive }: Commands): void {
  withParts(
    remote(program, 'gate [command...]', 'deploy only what the log knows of and its rules allow: gate ... -- <command>'),
  )
    .option('--key <key>', 'your key: a file, env:NAME or pkcs11:... (TREERING_KEY)')
    .requiredOption('--env <environment>', 'where it goes, such as prod')
    .requiredOption('--service <service>', 'what it is, such as triage')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--model-name <name>', 'the record of the model that is meant, where several have the same content')
    .option('--config-name <name>', 'the record of the configuration that is meant')
    .option('--out <file>', 'where to write the permit (deploy-<environment>-<service>.permit)')
    .option('--trust <file>', 'trust policy: the log, its witnesses, their quorum (TREERING_TRUST)')
    .option('--unwitnessed', "be content with the log's own word")
    .option('--run <id>', "the pipeline's run: a retry of the same run goes on (from the CI system's environment)")
    .option('--supersede', 'go on although another run has announced a deployment and not ended it')
    .option('--replaces <entry>', 'the deployment that this one undoes: a rollback')
    .option('--replicas <n>', 'how many are started', positive)
    .option('--wait-for-approval <time>', 'how long to wait for approvals of the deployment itself: 30s, 15m, 2h', timerSpan, 0)
    .option('--break-glass', 'go without approvals and gates, where the policy allows it; it is always an alarm')
    .option('--ticket <ticket>', 'reference into your change management')
    .option('--resume <file>', 'replay the log from where an earlier call ended, and remember where this one does')
    .option('--dry-run', 'only say what the rules say; log and run nothing')
    .action((command, flags) => run((s) => gate(s, command, flags))(flags));
  remote(program, 'check', 'compare what runs with what was logged, both ways, and record it')
    .option('--key <key>', 'your key: a file, env:NAME or pkcs11:... (TREERING_KEY)')
    .option('--targets <file>', 'what runs where on this machine (YAML)')
    .option('--env <environment>', 'instead of a file, one service')
    .option('--service <service>', 'its name')
    .option('--model <path>', 'folder or file of its model')
    .option('--ignore <path...>', 'paths below the folder to leave out, as when it was recorded')
    .option('--config <file...>', 'the files of its configuration')
    .option('--system-prompt <file>', 'which of the files is the system prompt, as when it was recorded')
    .option('--image <digest>', 'digest of the image that runs')
    .option('--pid-file <file>', 'file with the number of its process')
    .option('--every <time>', 'again and again: 30s, 5m, 1h', timerSpan)
    .option('--full-every <time>', 'how often files are read that the file system calls unchanged', timerSpan, 86_400)
    .option('--record-every <time>', 'how often an unchanged result is recorded again', timerSpan, 86_400)
    .option('--no-record', 'only look')
    .addOption(
      new Option('--access <who>', 'who may read the report that is attached')
        .choices(['public', 'restricted', 'withheld'])
        .default('restricted'),
    )
    .option('--resume <file>', 'replay the log from where an earlier call ended, and remember where this one does')
    .action((flags) => run((s) => check(s, flags))(flags));
}
