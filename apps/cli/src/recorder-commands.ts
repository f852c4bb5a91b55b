import { Command, Option } from 'commander';
import { KINDS } from './kinds.js';
import { lazy } from './lazy.js';
import type { Commands } from './operator-commands.js';

const exportBom = lazy(async () => (await import('./commands/bom-export.js')).exportBom);
const importBom = lazy(async () => (await import('./commands/bom-import.js')).importBom);
const recordPath = lazy(async () => (await import('./commands/record-path.js')).recordPath);
const listEvents = lazy(async () => (await import('./commands/recorder.js')).listEvents);
const serveRecorderCommand = lazy(async () => (await import('./commands/recorder.js')).serveRecorderCommand);

const CHANGES = ['new', 'weights', 'finetune', 'adapter', 'quantisation', 'merge'];
const NO_REBASE = ['--no-rebase', 'end when somebody else has recorded something on the subject meanwhile'] as const;

/** The commands that record what other tools keep: by finding out what it is, as a BOM, and from a registry. */
export function addRecorderCommands(program: Command, { command, remote, signing, run, positive }: Commands): void {
  const access = (description = 'who may read the attachments'): Option =>
    new Option('--access <who>', description).choices(['public', 'restricted', 'withheld']);
  const ofModel = (cmd: Command): Command =>
    cmd
      .addOption(new Option('--change <kind>', 'what kind of change it is').choices(CHANGES))
      .option('--parent <leaf or name...>', 'what it was made from')
      .option('--training-data <name=provenance...>', 'what it was trained on')
      .option('--license <license>', 'licence of the model')
      .option('--format <format>', 'format of the weights')
      .option('--ignore <path...>', 'paths below the folder to leave out')
      .option('--ticket <ticket>', 'reference into your change management')
      .option(...NO_REBASE);

  const record = program.commands.find((known) => known.name() === 'record') as Command;
  const detached = new Command().copyInheritedSettings(record);
  const detected = signing(detached, 'auto <paths...>', 'find out what it is, say so, and record it; "auto" may be left out');
  // So that "record <path>" is this command, and the others stay what they are.
  record.addCommand(detected, { isDefault: true });
  ofModel(detected)
    .addOption(new Option('--kind <kind>', 'what it is, instead of finding out').choices(KINDS))
    .option('--name <name>', 'name of the model or configuration (that of the file or folder)')
    .option('--version <version>', 'its version')
    .option('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--config-name <name>', 'also record generation_config.json of a model, as this configuration')
    .option('--system-prompt <file>', 'which of the files is the system prompt')
    .option('--subject <subject>', 'what something foreign is about, such as model/wink')
    .option('--content-type <type>', 'its media type, when it cannot be told from the file')
    .option('--hash', 'log only its digest (COSE hash envelope)')
    .option('--location <url>', 'where the file lies, with --hash')
    .option('--no-prev', 'do not name the newest record of the subject as the previous one')
    .addOption(access('who may read the attachments (public for a model, restricted for a configuration)'))
    .action((paths, flags) => run((s) => recordPath(s, paths, flags))(flags));

  const bom = program.command('bom').description('models as CycloneDX bills of materials (ML-BOM)');
  ofModel(signing(bom, 'import <bom>', 'record a model as an ML-BOM describes it, with the digest of its files'))
    .requiredOption('--path <path>', 'the files of the model, which are hashed and compared')
    .option('--name <name>', 'name of the model (that in the BOM)')
    .option('--version <version>', 'version of the model (that in the BOM)')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--model-leaf <entry>', 'the model, recorded already, of which the metrics of the BOM become an evaluation')
    .option('--config-leaf <entry>', 'the configuration in which it was measured')
    .option('--dataset <sha256>', 'digest of what it was measured on')
    .addOption(new Option('--verdict <verdict>', 'whether the metrics are good enough').choices(['pass', 'fail']))
    .option('--suite <name>', 'what the evaluation is called')
    .addOption(access().default('public'))
    .action((file, flags) => run((s) => importBom(s, file, flags))(flags));
  remote(bom, 'export <entry>', 'a logged model record as an ML-BOM that points to the log')
    .option('-o, --out <file>', 'where to write it (<name>.cdx.json)')
    .option('--evaluation <entry...>', 'evaluations of the model whose metrics stand in the model card')
    .option('--key <key>', 'your key, for a restricted manifest (TREERING_KEY)')
    .action((entry, flags) => run((s) => exportBom(s, entry, flags))(flags));

  const recorder = program.command('recorder').description('record what a model registry announces by webhook');
  remote(recorder, 'serve', 'take the webhooks of an MLflow registry; its secret is in TREERING_MLFLOW_SECRET')
    .option('--key <key>', 'the key to sign with: a file, env:NAME or pkcs11:... (TREERING_KEY)')
    .option('--listen <address:port>', 'where to listen; port 0 picks a free one (TREERING_LISTEN, 127.0.0.1:6972)')
    .requiredOption(
      '--map <prefix=folder...>',
      'where the files are that begin with a URI; * in the folder stands for the rest',
    )
    .option('--secret-file <file>', "the webhook's secret, in a file of mode 600 (TREERING_MLFLOW_SECRET_FILE)")
    .addOption(access().default('public'))
    .option('--connections <n>', 'open connections', positive)
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .action((flags) => run((s) => serveRecorderCommand(s, flags))(flags));
  command(recorder, 'events', 'what came, and what became of it: exit code 1 while something is refused')
    .option('--limit <n>', 'at most this many, the newest first', positive, 50)
    .action((flags) => run((s) => listEvents(s, flags.limit))(flags));
}
