import { readFile, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type PermitQuestion, verifyPermit } from '@treering/deployment';
import { nodeHasher } from '@treering/merkle/node';
import { nodeEd25519 } from '@treering/note/node';
import { manifestRoot, printable } from '@treering/record';
import { EXIT, UsageError } from '../exit-codes.js';
import { parseImageDigest } from '../image-digest.js';
import { type PermitTrustFlags, readPermitTrust } from '../permit-trust.js';
import type { Session } from '../session.js';
import { printClaims } from './print-claims.js';

/** Flags of `permit verify`. */
export interface PermitFlags extends PermitTrustFlags {
  readonly env: string;
  readonly service: string;
  readonly model?: string;
  readonly ignore?: readonly string[];
  readonly config?: readonly string[];
  readonly systemPrompt?: string;
  readonly image?: string;
  /** Seconds. */
  readonly maxAge?: number;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** What the command needs of a session: neither a log, nor a key, nor the settings of a project. */
export type PermitSession = Pick<Session, 'terminal' | 'env' | 'cwd'>;

/**
 * `permit verify`: whether what lies here may run as a service in an environment. Makes no request, and trusts nothing but what its
 * flags name, so that it can stand before an entry point.
 */
export async function permitVerify(session: PermitSession, path: string | undefined, flags: PermitFlags): Promise<number> {
  const { terminal, env, cwd } = session;
  const file = path ?? env.TREERING_PERMIT;
  if (file === undefined || file === '')
    throw new UsageError('which permit? Give its file, or set TREERING_PERMIT; "treering gate" writes one');
  const trust = await readPermitTrust(flags, cwd);
  const question = await readQuestion(flags, cwd);
  const bytes = new Uint8Array(await readFile(resolve(cwd, file)));
  const { permitted, claims, record } = verifyPermit(bytes, question, { ...trust, hasher: nodeHasher, ed25519: nodeEd25519 });
  if (flags.quiet === true) {
    const asked = claims.filter(({ name }) => name !== 'statement-signed' || trust.signerKeys !== 'any');
    for (const { text } of permitted ? [] : asked.filter(({ verdict }) => verdict !== 'proved'))
      terminal.remark(`treering: ${printable(text)}`);
  } else {
    if (record !== undefined && permitted)
      terminal.line(terminal.bold(`${record.service} in ${record.environment}: ${printable(record.reason)}`));
    printClaims(terminal, claims, flags.verbose ?? false);
    terminal.line();
    if (trust.policy.quorum === 'none') terminal.line('No quorum of witnesses was asked for: the log alone says so.');
    if (question.content === undefined) terminal.line('Model and configuration were not looked at: --model and --config do.');
    terminal.line(permitted ? terminal.colour('good', 'It is permitted.') : terminal.colour('bad', 'It is not permitted.'));
  }
  terminal.result({ permitted, quorum: trust.policy.quorum !== 'none', claims });
  return permitted ? EXIT.ok : EXIT.failed;
}

async function readQuestion(flags: PermitFlags, cwd: string): Promise<PermitQuestion> {
  const content = await readContent(flags, cwd);
  const image = flags.image === undefined ? undefined : parseImageDigest(flags.image);
  return {
    environment: flags.env,
    service: flags.service,
    content,
    image,
    fresh: flags.maxAge === undefined ? undefined : { now: Math.floor(Date.now() / 1000), within: flags.maxAge },
  };
}

/** What lies here, hashed as the records of it were. */
async function readContent(flags: PermitFlags, cwd: string): Promise<PermitQuestion['content']> {
  const { model, config, ignore, systemPrompt } = flags;
  if ((model === undefined) !== (config === undefined))
    throw new UsageError('a permit is for a model and a configuration together: give --model and --config, or neither');
  if (model === undefined || config === undefined) {
    if (ignore !== undefined || systemPrompt !== undefined)
      throw new UsageError('--ignore and --system-prompt say how --model and --config are read, and these are not given');
    return undefined;
  }
  // Most entry points look at the image alone, and shall not wait for what reads models and YAML.
  const [{ hashModel }, { readConfigContent }] = await Promise.all([
    import('@treering/record/node'),
    import('../config-content.js'),
  ]);
  const paths = config.map((path) => resolve(cwd, path));
  const prompt = systemPrompt === undefined ? undefined : resolve(cwd, systemPrompt);
  const [files, content] = await Promise.all([
    hashModel(await realpath(resolve(cwd, model)), { ignored: ignore ?? [] }),
    readConfigContent(paths, prompt),
  ]);
  return { model: manifestRoot(files.resources), config: content.digest };
}
