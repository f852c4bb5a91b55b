import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { LogClient } from '@treering/client';
import { enrolmentNonce, jwkThumbprint } from '@treering/log';
import { ENROLMENT_CONTENT_TYPE } from '@treering/log/content-types';
import { createSigner, KEY_TYPE } from '@treering/note';
import { nodeEd25519, readKeyFile, writeKeyFile } from '@treering/note/node';
import { type OidcProvider, printable } from '@treering/record';
import { coseKeyThumbprint, createStatementSigner, encodeCbor, encodeCoseKey, signStatement } from '@treering/statement';
import * as oidc from 'openid-client';
import { EXIT, UsageError } from '../exit.js';
import { provedRules } from '../replay.js';
import type { Session } from '../session.js';

/** Flags of `login`. */
export interface LoginFlags {
  readonly provider?: string;
  readonly tokenFile?: string;
  readonly scope: string;
  readonly out?: string;
  /** Only make the key, and print what a token must carry to be bound to it. */
  readonly prepare?: boolean;
}

/**
 * `login`: proves with a token of the company's identity provider, or with a pipeline's workload token, who somebody is, and gets
 * a fresh key enrolled for a limited time.
 */
export async function login(session: Session, flags: LoginFlags): Promise<number> {
  const { terminal, cwd } = session;
  const { origin } = session.trust();
  const client = session.client();
  const provider = await chooseProvider(session, client, flags);
  const path = resolve(cwd, flags.out ?? `${provider.name}.key`);
  if (existsSync(path)) throw new UsageError(`${path} exists; a key is never written over another`);
  const pending = `${path}.pending`;
  if (flags.prepare && !existsSync(pending)) {
    const fresh = new Uint8Array(randomBytes(32));
    await writeKeyFile(pending, createSigner('pending', KEY_TYPE.ed25519, fresh, nodeEd25519).key, fresh);
  }
  const seed = existsSync(pending) ? (await readKeyFile(pending)).seed : new Uint8Array(randomBytes(32));
  const signer = createStatementSigner(seed, nodeEd25519);
  const nonce = enrolmentNonce(origin, coseKeyThumbprint(signer.key));
  if (flags.prepare) {
    const jkt = await jwkThumbprint(signer.key);
    const audience = provider.binding === 'audience' ? `${provider.audience}/${nonce}` : provider.audience;
    terminal.line(`ask ${printable(provider.issuer)} for a token with`);
    terminal.line(`  audience  ${printable(audience)}`);
    if (provider.binding === 'nonce') terminal.line(`  nonce     ${nonce}`);
    if (provider.binding === 'cnf') terminal.line(`  cnf.jkt   ${jkt}`);
    terminal.line('then run this again with --token-file instead of --prepare');
    terminal.result({ provider: provider.name, issuer: provider.issuer, audience, nonce, jkt });
    return EXIT.ok;
  }
  const token =
    flags.tokenFile === undefined
      ? await askProvider(session, provider, flags.scope, nonce)
      : await readToken(session, flags.tokenFile);
  const payload = encodeCbor({ token, key: encodeCoseKey(signer.key) });
  const claims = {
    iss: `${origin}/enrolment`,
    sub: `enrolment/${provider.name}`,
    iat: Math.floor(Date.now() / 1000),
    contentType: ENROLMENT_CONTENT_TYPE,
  };
  const request = await signStatement(claims, payload, signer);
  const { id, index } = await client.enrol(request.entry);
  // What the log did is read back from the log and proved: it enrolled this key, under this id.
  const entry = await client.entry(index);
  const { record } = entry;
  if (record?.type !== 'identity' || record.id !== id || !sameBytes(record.key, encodeCoseKey(signer.key)))
    throw new UsageError(`entry ${index}, which the log calls the enrolment, is not one of this key`);
  await writeKeyFile(path, createSigner(id, KEY_TYPE.ed25519, seed, nodeEd25519).key, seed);
  await rm(pending, { force: true });
  const until = new Date((record.valid_until as number) * 1000).toISOString();
  terminal.line(
    `${terminal.colour('good', '✓')} ${terminal.bold(id)} is enrolled by entry ${index} as ${record.roles?.join(', ')}, until ${until}`,
  );
  terminal.line(`  key file ${printable(path)} (mode 600); use it with --key or TREERING_KEY`);
  terminal.result({ id, index, roles: record.roles, valid_until: record.valid_until, key_file: path });
  return EXIT.ok;
}

/**
 * Whose login page somebody is sent to, and whose token is asked for, is said by the policy in force, from a replay: a log that
 * lies, or somebody in between, could name any other. That the log enrols at all is only what it says.
 */
async function chooseProvider(session: Session, client: LogClient, flags: LoginFlags): Promise<OidcProvider> {
  const { provider: name, tokenFile, prepare } = flags;
  if (!(await client.enrolsByToken()))
    throw new UsageError('this log enrols nobody by token; an administrator records an identity');
  const { state } = await provedRules(session, client);
  const providers = state.policy?.oidc ?? [];
  const kind = tokenFile === undefined && !prepare ? 'person' : undefined;
  const fitting = providers.filter((known) =>
    name === undefined ? kind === undefined || known.kind === kind : known.name === name,
  );
  if (fitting.length === 1) return fitting[0];
  const names = providers.map((known) => printable(known.name)).join(', ') || 'none';
  throw new UsageError(
    fitting.length === 0 ? `no identity provider fits; the policy names ${names}` : `--provider chooses one of ${names}`,
  );
}

/** OAuth 2.0 device authorization grant (RFC 8628): the user approves in any browser. */
async function askProvider(session: Session, provider: OidcProvider, scope: string, nonce: string): Promise<string> {
  const issuer = new URL(provider.issuer);
  const insecure = issuer.protocol === 'http:';
  if (insecure && !isLoopback(issuer.hostname))
    throw new UsageError(`the identity provider ${printable(provider.issuer)} is not reached over TLS`);
  try {
    const config = await oidc.discovery(
      issuer,
      provider.audience,
      undefined,
      oidc.None(),
      insecure ? { execute: [oidc.allowInsecureRequests] } : {},
    );
    const device = await oidc.initiateDeviceAuthorization(config, { scope, nonce });
    session.terminal.remark(`Open ${printable(device.verification_uri_complete ?? device.verification_uri)}`);
    session.terminal.remark(`and confirm the code ${printable(device.user_code)}`);
    const tokens = await oidc.pollDeviceAuthorizationGrant(config, device);
    if (tokens.id_token === undefined) throw new UsageError('the identity provider gave no ID token; ask for the scope openid');
    return tokens.id_token;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `the identity provider ${printable(provider.issuer)} did not log you in: ${printable((error as Error).message)}`,
    );
  }
}

/** Characters of a token that a log takes. */
const MAX_TOKEN = 16_384;

/** A token that the pipeline was given; `-` reads standard input. */
async function readToken({ cwd }: Session, path: string): Promise<string> {
  const text = path === '-' ? await readFile('/dev/stdin', 'utf8') : await readFile(resolve(cwd, path), 'utf8');
  const token = text.trim();
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw new UsageError(`${path} does not hold a token of three parts`);
  if (token.length > MAX_TOKEN)
    throw new UsageError(`the token in ${path} has ${token.length} characters; a log takes at most ${MAX_TOKEN}`);
  return token;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
