import { type Command, InvalidArgumentError, Option } from 'commander';
import { lazy } from './lazy.js';
import type { Commands } from './operator-commands.js';

const attest = lazy(async () => (await import('./commands/attest.js')).attest);
const attestKey = lazy(async () => (await import('./commands/attest-key.js')).attestKey);
const verifyQuoteFile = lazy(async () => (await import('./commands/verify-quote.js')).verifyQuoteFile);

/** A register that only a reset of the machine sets back, and that hardly any boot chain uses (docs/attestation.md). */
const REGISTER = 13;

/** Where in the TPM the attestation key is kept, unless it is said: in the owner's range of persistent handles. */
const ATTESTATION_HANDLE = '0x81010010';

/** The commands by which a host shows what it has loaded. */
export function addAttestationCommands(program: Command, { command, remote, signing, run, positive }: Commands): void {
  const handle = [
    '--handle <handle>',
    'where the TPM keeps the attestation key, 0x81000000 to 0x817fffff',
    ATTESTATION_HANDLE,
  ] as const;
  const attesting = signing(program, 'attest', 'measure what is deployed, have the TPM quote it, and log the attestation')
    .enablePositionalOptions()
    .option('--env <environment>', 'environment of the deployment')
    .option('--service <service>', 'its service')
    .option('--ak <id>', 'the id under which the attestation key is enrolled')
    .option('--model <path>', 'the model as it lies here')
    .option('--config <files...>', 'the files of its configuration')
    .option('--image <sha256>', 'digest of the image that runs, when the deployment names one')
    .option('--ignore <path...>', 'paths below the model to leave out, as when it was recorded')
    .option('--pcr <n>', 'register of the TPM that is extended and quoted', register, REGISTER)
    .option(...handle)
    .option('--no-extend', 'measure nothing now: quote what was measured before')
    .option('--previous <file or entry>', 'the attestation before (the one that this host keeps)')
    .option('--evidence <file>', 'where to write the evidence (<environment>-<service>-<events>.trquote)')
    .option('--state <folder>', 'where this host keeps what it has measured')
    .option('--reason <sentence>', 'why, in a sentence', 'What the host has loaded, as its TPM says.')
    .addOption(
      new Option('--access <who>', 'who may read the evidence').choices(['public', 'restricted', 'withheld']).default('public'),
    )
    .action((flags) => run((s) => attest(s, flags))(flags));
  command(attesting, 'key <id>', 'make an attestation key in the TPM, and the record that enrols it')
    .option('--out <folder>', 'where to write the record (this folder)')
    .option(...handle)
    .option('--days <n>', 'days that the enrolment lasts', positive, 365)
    .action((id, flags) => run((s) => attestKey(s, id, flags))(flags));
  remote(program, 'verify-quote <file>', 'verify the evidence of an attestation, offline')
    .option('--key <file>', 'the attestation key that counts, PEM or COSE_Key')
    .option('--enrolled <id>', 'instead, the key that the log enrols under this id')
    .option('--previous <file>', 'an earlier evidence of the same host: was anything else loaded since?')
    .option('--deployment <leaf>', 'leaf hash of the deployment that it has to be for, with --state')
    .option('--state <digest>', 'state digest that it has to be for, with --deployment')
    .option('--env <environment>', 'instead, what the log says is in service in this environment, with --service')
    .option('--service <service>', 'its service')
    .option('--any-deployment', 'instead, whatever the host says that it is for')
    .option('--pcr <n>', 'register that has to be quoted', register, REGISTER)
    .option('--verbose', 'how each claim was found')
    .action((file, { key, ...flags }) => run((s) => verifyQuoteFile(s, file, { ...flags, ak: key }))(flags));
}

function register(text: string): number {
  if (!/^(?:[0-9]|1[0-9]|2[0-3])$/.test(text)) throw new InvalidArgumentError('It takes a register from 0 to 23.');
  return Number(text);
}
