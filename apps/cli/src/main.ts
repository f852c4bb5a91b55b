import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { addAdmissionCommands } from './admission-commands.js';
import { addAttestationCommands } from './attestation-commands.js';
import { addDriftCommands } from './drift-commands.js';
import { addEvidenceCommands } from './evidence-commands.js';
import { EXIT, exitOf } from './exit.js';
import { FILE_RECORDS } from './file-records.js';
import { addGateCommands } from './gate-commands.js';
import { addIncidentCommands } from './incident-commands.js';
import { lazy } from './lazy.js';
import { addMonitorCommands, addWitnessCommands } from './operator-commands.js';
import { addPermitCommands } from './permit-commands.js';
import { addRecorderCommands } from './recorder-commands.js';
import type { Session } from './session.js';
import type { CommonFlags } from './settings.js';
import type { Streams } from './terminal.js';

const approve = lazy(async () => (await import('./commands/approve.js')).approve);
const erase = lazy(async () => (await import('./commands/attachment.js')).erase);
const getAttachment = lazy(async () => (await import('./commands/attachment.js')).getAttachment);
const audit = lazy(async () => (await import('./commands/audit.js')).audit);
const auditByHashes = lazy(async () => (await import('./commands/audit-hashes.js')).auditByHashes);
const recordBatch = lazy(async () => (await import('./commands/batch.js')).recordBatch);
const recordConfig = lazy(async () => (await import('./commands/config.js')).recordConfig);
const recordForeign = lazy(async () => (await import('./commands/foreign.js')).recordForeign);
const revoke = lazy(async () => (await import('./commands/identity.js')).revoke);
const initProject = lazy(async () => (await import('./commands/keys.js')).initProject);
const keygen = lazy(async () => (await import('./commands/keys.js')).keygen);
const activateKey = lazy(async () => (await import('./commands/log-keys.js')).activateKey);
const prepareKey = lazy(async () => (await import('./commands/log-keys.js')).prepareKey);
const retireKey = lazy(async () => (await import('./commands/log-keys.js')).retireKey);
const login = lazy(async () => (await import('./commands/login.js')).login);
const backup = lazy(async () => (await import('./commands/maintain.js')).backup);
const fsck = lazy(async () => (await import('./commands/maintain.js')).fsck);
const recordModel = lazy(async () => (await import('./commands/model.js')).recordModel);
const checkPolicy = lazy(async () => (await import('./commands/policy.js')).checkPolicy);
const diffPolicy = lazy(async () => (await import('./commands/policy.js')).diffPolicy);
const setPolicy = lazy(async () => (await import('./commands/policy.js')).setPolicy);
const showPolicy = lazy(async () => (await import('./commands/policy.js')).showPolicy);
const testPolicy = lazy(async () => (await import('./commands/policy.js')).testPolicy);
const diff = lazy(async () => (await import('./commands/read.js')).diff);
const history = lazy(async () => (await import('./commands/read.js')).history);
const show = lazy(async () => (await import('./commands/read.js')).show);
const recordFile = lazy(async () => (await import('./commands/record-file.js')).recordFile);
const init = lazy(async () => (await import('./commands/serve.js')).init);
const serve = lazy(async () => (await import('./commands/serve.js')).serve);
const up = lazy(async () => (await import('./commands/up.js')).up);
const verify = lazy(async () => (await import('./commands/verify.js')).verify);

/** For what names the newest record of its subject. */
const NO_REBASE = ['--no-rebase', 'end when somebody else has recorded something on the subject meanwhile'] as const;

/** Everything outside that a call touches. */
export type Surroundings = Streams & { readonly cwd: string };

/**
 * Runs the `treering` command.
 * @returns the exit code: 0 ok, 1 verification failed, 2 usage, 3 cannot reach, 4 refused by policy
 */
export async function main(
  argv: readonly string[],
  around: Surroundings = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
  },
): Promise<number> {
  let exit: number = EXIT.ok;
  const program = createProgram(around, (code) => {
    exit = code;
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exit;
  } catch (error) {
    const json = (name: string, text: string): void => {
      if (argv.includes('--json')) around.stdout.write(`${JSON.stringify({ error: { code: name, message: text } })}\n`);
    };
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok;
      json('cli/usage', error.message.replace(/^error: /, ''));
      return EXIT.usage;
    }
    const { exit: code, code: name, message } = exitOf(error);
    json(name, message);
    // What went wrong is often told in the words of a file, a server or a path.
    const { printable } = await import('@treering/record');
    around.stderr.write(`treering: ${message.split('\n').map(printable).join('\n')}\n`);
    return code;
  }
}

function createProgram(around: Surroundings, setExit: (code: number) => void): Command {
  const program = new Command('treering');
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  program
    .description('A transparency log for changes to AI systems: run one, record changes in it, verify what it says.')
    .version(version)
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .configureOutput({ writeOut: (text) => around.stdout.write(text), writeErr: (text) => around.stderr.write(text) })
    .exitOverride();

  /** A command with the options that all have, and a session for its work. */
  const command = (parent: Command, usage: string, description: string): Command =>
    parent
      .command(usage)
      .description(description)
      .option('--json', 'print the result as one line of JSON')
      .option('--data <folder>', 'data folder of a log on this machine (TREERING_DATA, ./data)');
  const remote = (parent: Command, usage: string, description: string): Command =>
    command(parent, usage, description)
      .option('--url <url>', 'where the log is (TREERING_LOG_URL)')
      .option('--log-key <vkey>', "the log's verifier key (TREERING_LOG_KEY)");
  const signing = (parent: Command, usage: string, description: string): Command =>
    remote(parent, usage, description)
      .option('--key <key>', 'your key: a file, env:NAME or pkcs11:... (TREERING_KEY)')
      .option('--out <file>', 'where to write the proof file')
      .option('--no-wait', 'do not wait for the published checkpoint');
  const run =
    <A extends readonly unknown[]>(work: (session: Session, ...args: A) => Promise<unknown>) =>
    async (flags: CommonFlags, ...args: A): Promise<void> => {
      const { createSession } = await import('./session.js');
      const session = createSession(flags, around);
      try {
        const code = await work(session, ...args);
        if (typeof code === 'number') setExit(code);
      } finally {
        session.close();
      }
    };
  const serving = (cmd: Command): Command =>
    cmd
      .option('--listen <address:port>', 'where to listen; port 0 picks a free one (TREERING_LISTEN, 127.0.0.1:6962)')
      .option('--anchor <file>', 'where the head anchor lies, best on another disk (TREERING_ANCHOR)')
      .option('--public-url <url>', 'the URL under which clients reach the log')
      .option('--witnesses <file>', 'trust policy with the witnesses whose quorum a published head needs (TREERING_WITNESSES)')
      .option('--publish-interval <ms>', 'milliseconds between publications')
      .option('--rate <n>', 'submissions per second and address; 0 sets no limit')
      .option('--burst <n>', 'submissions of one address that may come at once')
      .option('--identity-rate <n>', 'new statements per second and identity; 0 sets no limit')
      .option('--identity-burst <n>', 'new statements of one identity that may come at once')
      .option('--connections <n>', 'open connections')
      .option('--under-way <n>', 'submissions that are checked and committed at once; further ones are answered 503')
      .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
      .option(
        '--sign-with <key>',
        "the log's key, when not in the data folder: a file, env:NAME or pkcs11:... (TREERING_SIGN_WITH)",
      )
      .option(
        '--publication-key <key>',
        "the log's ML-DSA-44 key, when not in the data folder: a file or env:NAME (TREERING_PUBLICATION_KEY)",
      )
      .option('--registrar-key <key>', 'key that enrols by OIDC tokens (TREERING_REGISTRAR_KEY)')
      .option('--trust-store', 'start although the head anchor is missing');

  serving(command(program, 'up', 'run a log on this machine, with three witnesses and a monitor; the first call begins it'))
    .option('--alone', 'the log without witnesses and monitor')
    .action((flags) => run((s) => up(s, flags))(flags));
  remote(program, 'init', 'write treering.yaml: where the log is and which key is trusted')
    .option('--key <file>', 'your key file')
    .action((flags) => run((s) => initProject(s, flags))(flags));
  command(program, 'keygen <id>', 'make a signing key, and the record that enrols it')
    .option('--out <file>', 'key file (<id>.key)')
    .option('--role <role...>', 'roles to ask for', ['engineer'])
    .addOption(new Option('--kind <kind>', 'whose key it is').choices(['person', 'workload']).default('person'))
    .option('--days <n>', 'days that the enrolment lasts', positive, 365)
    .option('--passphrase', 'encrypt the key file (TREERING_PASSPHRASE, or asked for)')
    .action((id, flags) => run((s) => keygen(s, id, { ...flags, roles: flags.role }))(flags));

  const access = (fallback: string): Option =>
    new Option('--access <who>', 'who may read the attachments')
      .choices(['public', 'restricted', 'withheld'])
      .default(fallback);
  const record = program.command('record').description('sign a change and log it');
  signing(record, 'model <path>', 'a version of a model: hashes its files')
    .requiredOption('--name <name>', 'name of the model')
    .requiredOption('--version <version>', 'version of the model')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .addOption(
      new Option('--change <kind>', 'what kind of change it is').choices([
        'new',
        'weights',
        'finetune',
        'adapter',
        'quantisation',
        'merge',
      ]),
    )
    .option('--parent <leaf or name...>', 'what it was made from')
    .option('--training-data <name=provenance...>', 'what it was trained on')
    .option('--license <license>', 'licence of the model')
    .option('--format <format>', 'format of the weights')
    .option('--ignore <path...>', 'paths below the folder to leave out')
    .option('--ticket <ticket>', 'reference into your change management')
    .option(...NO_REBASE)
    .addOption(access('public'))
    .action((path, flags) => run((s) => recordModel(s, path, flags))(flags));
  signing(record, 'config <files...>', 'configuration: prompts, guardrails, parameters')
    .requiredOption('--name <name>', 'name of the configuration')
    .option('--version <version>', 'its version (the git commit)')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--system-prompt <file>', 'which of the files is the system prompt')
    .option('--ticket <ticket>', 'reference into your change management')
    .option(...NO_REBASE)
    .addOption(access('restricted'))
    .action((files, flags) => run((s) => recordConfig(s, files, flags))(flags));
  for (const type of FILE_RECORDS) {
    signing(record, type, `a ${type} record from a YAML or JSON file`)
      .requiredOption('--file <file>', 'the record')
      .option('--reason <sentence>', 'why, instead of the reason in the file')
      .option('--no-prev', 'do not name the newest record of the subject as the previous one')
      .option(...NO_REBASE)
      .action((flags) => run((s) => recordFile(s, type, flags))(flags));
  }

  signing(record, 'foreign <file>', 'what another tool signed, unchanged: model signing and Sigstore bundles, DSSE, in-toto')
    .requiredOption('--subject <subject>', 'what it is about, such as model/wink')
    .option('--content-type <type>', 'its media type, when it cannot be told from the file')
    .option('--hash', 'log only its digest (COSE hash envelope)')
    .option('--location <url>', 'where the file lies, with --hash')
    .action((path, flags) => run((s) => recordForeign(s, path, flags))(flags));
  signing(record, 'batch <files...>', 'many records in one request, each file with its type')
    .option('--no-prev', 'do not name the newest record of each subject as the previous one')
    .option(...NO_REBASE)
    .action((files, flags) => run((s) => recordBatch(s, files, flags))(flags));

  signing(program, 'approve <entry>', 'review a change, and sign an approval or a rejection')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--role <role>', 'the role in which you decide', 'approver')
    .option('--reject', 'reject instead of approving')
    .option('--days <n>', 'days after which the approval expires', positive)
    .option('--yes', 'do not ask')
    .action((entry, flags) => run((s) => approve(s, entry, flags))(flags));
  remote(program, 'login', 'get a key enrolled by your identity provider, or by the token of a pipeline')
    .option('--provider <name>', 'identity provider of the policy, when it names several')
    .option('--token-file <file>', 'a workload token instead of a browser; - reads standard input')
    .option('--scope <scope>', 'scopes to ask for', 'openid')
    .option('--prepare', 'only make the key, and print what the token has to carry')
    .option('--out <file>', 'key file (<provider>.key)')
    .action((flags) => run((s) => login(s, flags))(flags));
  signing(program, 'revoke <id>', 'end the keys of an identity')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .option('--thumbprint <hex>', 'only the key with this thumbprint')
    .action((id, flags) => run((s) => revoke(s, id, flags))(flags));
  signing(program, 'erase <entry> [names...]', 'remove attachments of an entry for ever; its proofs stay valid')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .action((entry, names, flags) => run((s) => erase(s, entry, names, flags))(flags));
  remote(program, 'attachment <entry> <name>', 'fetch an attachment, and check it against its digest')
    .option('--key <key>', 'your key, for restricted ones (TREERING_KEY)')
    .option('--out <file>', 'where to write it')
    .action((entry, name, flags) => run((s) => getAttachment(s, entry, name, flags))(flags));

  const policy = program.command('policy').description('the rules that decide who may record what');
  remote(policy, 'show', 'the policy in force, in plain language')
    .option('--yaml', 'as a file to edit')
    .action((flags) => run((s) => showPolicy(s, flags))(flags));
  command(policy, 'check <file>', 'read a policy file in plain language, and find what cannot be meant').action((file, flags) =>
    run((s) => checkPolicy(s, file))(flags),
  );
  command(policy, 'test <file> <cases>', 'try a policy file out on a table of cases').action((file, table, flags) =>
    run((s) => testPolicy(s, file, table))(flags),
  );
  remote(policy, 'diff <file> [other]', 'what a policy file changes of the one in force, or of another file').action(
    (file, other, flags) => run((s) => diffPolicy(s, file, other))(flags),
  );
  signing(policy, 'set <file>', 'sign a policy file and record it')
    .requiredOption('--reason <sentence>', 'why, in a sentence of at least 10 characters')
    .action((file, flags) => run((s) => setPolicy(s, file, flags))(flags));

  remote(program, 'show [entry]', 'an entry by index or leaf hash, or without one the log').action((entry, flags) =>
    run((s) => show(s, entry))(flags),
  );
  remote(program, 'history <subject>', 'the records of a subject, newest first')
    .option('--limit <n>', 'at most this many', positive, 50)
    .action((subject, flags) => run((s) => history(s, subject, flags.limit))(flags));
  remote(program, 'diff <before> <after>', 'what differs between two entries').action((before, after, flags) =>
    run((s) => diff(s, before, after))(flags),
  );
  remote(program, 'audit [url]', 'replay a whole log, and decide every admission again')
    .option('--evidence', 'also compare the evidence of enrolments by token, with a key that may read it')
    .option('--key <key>', 'your key, for the evidence (TREERING_KEY)')
    .option('--resume <file>', 'go on where an earlier audit ended, and remember where this one does')
    .option('--hash-only', 'only hash the entries to the signed root, of any C2SP tlog-tiles log or of a folder with its files')
    .option('--tiles', 'with --hash-only: also compare every tile of hashes with the entries')
    .option('--trust <file>', 'with --hash-only: trust policy with the log, its witnesses and their quorum')
    .action((place, flags) => {
      if (!flags.hashOnly) return run((s) => audit(s, flags))({ ...flags, ...(place === undefined ? {} : { url: place }) });
      const folder = place !== undefined && !/^https?:/.test(place) ? place : undefined;
      const where = place === undefined ? {} : folder === undefined ? { url: place } : { folder };
      return run((s) => auditByHashes(s, { ...flags, ...where }))({ ...flags, ...where });
    });
  command(program, 'verify <file>', 'verify a proof file offline')
    .option('--key <vkey...>', 'verifier keys of the logs that you trust')
    .option('--policy <file>', 'a trust policy (https://c2sp.org/tlog-policy)')
    .option('--signer <vkey...>', 'public keys of signers that you know')
    .option('--entry <file>', 'the entry, when the file does not carry it')
    .option('--artifact <file...>', 'files that the in-toto statement in the entry has to name, with their digests')
    .option('--observer <vkey...>', 'verifier keys of monitors whose word counts')
    .option('--ask <claim...>', 'claims of an evidence pack that have to be proved as well, such as complete or chain')
    .option('--verbose', 'how each claim was found')
    .action((file, { key, ...flags }) => run((s) => verify(s, file, { ...flags, vkey: key }))(flags));

  const log = program.command('log').description('operate a log');
  command(log, 'init', 'begin a log: keys, store, charter')
    .option('--origin <origin>', 'name of the log, such as log.example.org/ai')
    .option('--administrator <id>', 'id of the first administrator')
    .option('--with <file...>', 'enrolment files of further administrators, as keygen writes them')
    .option('--threshold <n>', 'how many administrators must agree on a change of the rules', positive)
    .option('--policy <file>', 'the policy to begin with')
    .option('--anchor <file>', 'where the head anchor lies')
    .action((flags) => run((s) => init(s, flags))(flags));
  command(log, 'prepare-key', 'make the keys that shall replace those of the log')
    .option('--out <file>', 'where to write the amendment (log-keys.amendment.yaml)')
    .action((flags) => run((s) => prepareKey(s, flags))(flags));
  command(log, 'activate-key', 'let the prepared keys sign, the old ones beside them').action((flags) =>
    run((s) => activateKey(s))(flags),
  );
  command(log, 'retire-key', 'end the signing of the previous keys').action((flags) => run((s) => retireKey(s))(flags));
  serving(command(log, 'serve', 'serve a log that was begun'))
    .option('--read-only', 'a log that has ended: without its private keys, takes and signs nothing')
    .action((flags) => run((s) => serve(s, flags))(flags));
  const commands = { command, remote, signing, run, positive };
  addGateCommands(program, commands);
  addEvidenceCommands(program, commands);
  addAttestationCommands(program, commands);
  addDriftCommands(program, commands);
  addIncidentCommands(program, commands);
  addWitnessCommands(program, commands);
  addMonitorCommands(program, commands);
  addRecorderCommands(program, commands);
  addPermitCommands(program, commands);
  addAdmissionCommands(program, commands);
  command(program, 'fsck', 'verify everything that a log has stored')
    .option('--anchor <file>', 'where the head anchor lies')
    .option('--key <vkey>', "the log's verifier key, when its key files are not here")
    .action(({ key, ...flags }) => run((s) => fsck(s, { ...flags, vkey: key }))(flags));
  command(program, 'backup <file>', 'copy the store of a log, while it runs or not').action((file, flags) =>
    run((s) => backup(s, file))(flags),
  );
  return program;
}

function positive(text: string): number {
  if (!/^[1-9][0-9]{0,8}$/.test(text)) throw new InvalidArgumentError('It takes a positive number.');
  return Number(text);
}
