import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  type AttestationEvidence,
  attestationNonce,
  decodeEvidence,
  EVIDENCE_FORMAT,
  EVIDENCE_TYPE,
  encodeEvidence,
  type MeasuredEvent,
  PCRS,
  type QuoteClaim,
  quoteHolds,
  type TpmQuote,
  verifyQuote,
} from '@treering/attestation';
import type { LogClient, VerifiedHead } from '@treering/client';
import { ATTESTATION_KEY } from '@treering/evidence';
import { nodeEd25519 } from '@treering/note/node';
import { type AttachmentRef, createAttachment, printable, type RecordOf } from '@treering/record';
import { type EnrolledAttestationKey, enrolledAttestationKey } from '../attested-key.js';
import { type Deployed, deployedNow, measureFiles } from '../deployed-files.js';
import { EXIT, UsageError } from '../exit.js';
import { MeasuredLog } from '../measured-log.js';
import type { Session } from '../session.js';
import { previousLeaf, submitRecord } from '../submit.js';
import { Tpm, TpmError } from '../tpm.js';
import { fetchAttachment } from './attachment.js';
import { readHandle } from './attest-key.js';
import { printClaims } from './print-claims.js';
import { entryId } from './read.js';

/** Flags of `attest`. */
export interface AttestFlags {
  readonly env?: string;
  readonly service?: string;
  readonly ak?: string;
  readonly model?: string;
  readonly config?: readonly string[];
  readonly image?: string;
  readonly ignore?: readonly string[];
  readonly pcr: number;
  readonly handle: string;
  /** false: what was measured before is quoted, and nothing is measured now. */
  readonly extend: boolean;
  readonly previous?: string;
  readonly evidence?: string;
  readonly state?: string;
  readonly reason: string;
  readonly access: AttachmentRef['access'];
  readonly out?: string;
  readonly wait: boolean;
}

/** What a quote is made of. */
interface Asked {
  readonly deployed: Deployed;
  readonly enrolled: EnrolledAttestationKey;
  readonly head: VerifiedHead;
  readonly handle: string;
  readonly pcr: number;
}

/**
 * `attest`: measures what is deployed into a register of the TPM, as a loader does before it loads it, has the TPM quote the register
 * for the newest published checkpoint, verifies the quote, and logs what came of it.
 */
export async function attest(session: Session, flags: AttestFlags): Promise<number> {
  const { env, service, ak } = flags;
  if (env === undefined || service === undefined || ak === undefined)
    throw new UsageError('say what runs and whose key attests it: --env, --service and --ak <id>');
  if (flags.pcr >= PCRS) throw new UsageError(`--pcr takes a register from 0 to ${PCRS - 1}`);
  const handle = readHandle(flags.handle);
  const client = session.client();
  const deployed = await deployedNow(session, client, env, service);
  const files = flags.extend ? await filesToMeasure(session, deployed, flags) : [];
  if (flags.evidence !== undefined) requireFree(resolve(session.cwd, flags.evidence));
  const folder = stateFolder(session, flags);
  const kept = join(folder, `register-${flags.pcr}.trquote`);
  const previous = await previousEvidence(session, client, flags.previous, kept);
  const tpm = await Tpm.open(session.env);
  let evidence: AttestationEvidence;
  let enrolled: EnrolledAttestationKey;
  try {
    const key = await tpm.publicKey(handle);
    enrolled = await enrolledAttestationKey(session, client, ak, key);
    evidence = await MeasuredLog.use(folder, tpm, flags.pcr, async (log) => {
      const head = await unusedHead(client, folder, deployed);
      for (const event of files) await log.measure(event);
      return quoted(tpm, log.events, { deployed, enrolled, head, handle, pcr: flags.pcr });
    });
  } finally {
    await tpm.close();
  }
  const bytes = encodeEvidence(evidence);
  const { claims, quote } = verifyQuote(decodeEvidence(bytes), {
    log: session.trust(),
    enrolled: { key: enrolled.key, by: `entry ${enrolled.index}` },
    deployment: deployed.leaf,
    state: deployed.record.state,
    ...(previous === undefined ? {} : { previous }),
    ed25519: nodeEd25519,
  });
  if (quote === undefined) throw new TpmError('tpm/failed', claims[0].text);
  const path = resolve(session.cwd, flags.evidence ?? `${env}-${service}-${evidence.events.length}.trquote`);
  requireFree(path);
  await writeFile(path, bytes, { flag: 'wx' });
  const verdict = verdictOf(claims);
  say(session, claims, path);
  const forget = await markAsked(folder, quote);
  await logIt(withClaims(session, { verdict, evidence: path, claims }), client, {
    flags,
    deployed,
    enrolled,
    evidence,
    quote,
    bytes,
    verdict,
  }).catch(async (error: unknown) => {
    await forget();
    throw error;
  });
  await keepNewest(kept, bytes, claims);
  return verdict === 'match' ? EXIT.ok : EXIT.failed;
}

/**
 * The newest published checkpoint, which has to cover the deployment: the quote shall say that what is deployed was known. A nonce counts
 * once for each key: when this host has logged a quote with it, the next checkpoint is awaited.
 * @throws UsageError when there is none
 */
async function unusedHead(client: LogClient, folder: string, { index, leaf, record }: Deployed): Promise<VerifiedHead> {
  for (let attempt = 1; ; attempt++) {
    const head = await client.head();
    if (head.size <= index) throw new UsageError('the log has not published a checkpoint with the deployment yet: try again');
    const mark = askedPath(folder, attestationNonce(head.root, leaf, record.state));
    if (!existsSync(mark)) return head;
    if (attempt === 20)
      throw new UsageError(
        `a quote for the newest checkpoint is logged, and only one counts: wait for the next checkpoint, or remove ${mark} if it was not logged`,
      );
    await setTimeout(250);
  }
}

/** Keeps in mind that a quote with this nonce is being logged. @returns what forgets it, when it was not @throws UsageError */
async function markAsked(folder: string, { extraData }: TpmQuote): Promise<() => Promise<void>> {
  const mark = askedPath(folder, extraData);
  try {
    await writeFile(mark, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new UsageError(
      'another "treering attest" has logged a quote for the same checkpoint, and only one counts: try again',
    );
  }
  return () => rm(mark, { force: true });
}

/** An empty file for each nonce that was logged. */
function askedPath(folder: string, nonce: Uint8Array): string {
  return join(folder, `${Buffer.from(nonce).toString('hex')}.asked`);
}

/** @throws UsageError before anything is measured */
function requireFree(path: string): void {
  if (existsSync(path)) throw new UsageError(`${printable(path)} exists: name another file with --evidence`);
}

async function filesToMeasure(session: Session, deployed: Deployed, flags: AttestFlags): Promise<MeasuredEvent[]> {
  const { model, config, image, ignore } = flags;
  if (model === undefined || config === undefined)
    throw new UsageError('name what is loaded: --model and --config; or --no-extend when the loader has measured it');
  const here = { model, config, ...(image === undefined ? {} : { image }), ...(ignore === undefined ? {} : { ignore }) };
  return measureFiles(session, deployed, here, flags.pcr);
}

async function quoted(tpm: Tpm, events: readonly MeasuredEvent[], asked: Asked): Promise<AttestationEvidence> {
  const { deployed, enrolled, head, handle, pcr } = asked;
  const { state } = deployed.record;
  const value = await tpm.readPcr(pcr);
  const signed = await tpm.quote(handle, pcr, attestationNonce(head.root, deployed.leaf, state));
  return { ...signed, key: enrolled.key, pcr, value, events, checkpoint: head.note, deployment: deployed.leaf, state };
}

/** What was attested before: a file, an entry, or what this host keeps; undefined when there is nothing. */
async function previousEvidence(
  session: Session,
  client: LogClient,
  given: string | undefined,
  kept: string,
): Promise<AttestationEvidence | undefined> {
  if (given === undefined) return existsSync(kept) ? decodeEvidence(new Uint8Array(await readFile(kept))) : undefined;
  const path = resolve(session.cwd, given);
  if (existsSync(path)) return decodeEvidence(new Uint8Array(await readFile(path)));
  const { record, index } = await client.entry(entryId(given));
  if (record?.type !== 'attestation') throw new UsageError(`entry ${index} is no attestation`);
  for (const ref of (record.attachments ?? []).filter(({ media_type }) => media_type === EVIDENCE_TYPE)) {
    const content = await fetchAttachment(session, client, ref);
    if (Buffer.from(record.evidence).equals(createHash('sha256').update(content).digest())) return decodeEvidence(content);
  }
  throw new UsageError(`the evidence of entry ${index} is not with the log: name its file`);
}

/** What this command itself has found. */
function verdictOf(claims: readonly QuoteClaim[]): 'match' | 'mismatch' | 'inconclusive' {
  if (quoteHolds(claims)) return 'match';
  return claims.some(({ verdict }) => verdict === 'failed') ? 'mismatch' : 'inconclusive';
}

/** The session, whose one line of JSON also says what the quote amounts to. */
function withClaims(session: Session, more: Readonly<Record<string, unknown>>): Session {
  const { terminal } = session;
  return { ...session, terminal: { ...terminal, result: (value) => terminal.result({ ...(value as object), ...more }) } };
}

function say(session: Session, claims: readonly QuoteClaim[], path: string): void {
  printClaims(session.terminal, claims, false);
  session.terminal.line();
  session.terminal.line(`  evidence ${printable(relative(session.cwd, path) || path)}`);
}

async function logIt(
  session: Session,
  client: LogClient,
  made: {
    readonly flags: AttestFlags;
    readonly deployed: Deployed;
    readonly enrolled: EnrolledAttestationKey;
    readonly evidence: AttestationEvidence;
    readonly quote: TpmQuote;
    readonly bytes: Uint8Array;
    readonly verdict: RecordOf<'attestation'>['verdict'];
  },
): Promise<void> {
  const { flags, deployed, enrolled, evidence, quote, bytes, verdict } = made;
  const about = { name: 'evidence.trquote', media_type: EVIDENCE_TYPE, access: flags.access };
  const attachment = createAttachment(bytes, about, new Uint8Array(randomBytes(16)));
  const { subject } = deployed.record;
  const prev = await previousLeaf(client, subject);
  const record: RecordOf<'attestation'> = {
    v: 1,
    type: 'attestation',
    subject,
    reason: flags.reason,
    deployment: deployed.leaf,
    format: EVIDENCE_FORMAT,
    evidence: new Uint8Array(createHash('sha256').update(bytes).digest()),
    nonce: quote.extraData,
    measured: evidence.value,
    verdict,
    refs: [{ rel: ATTESTATION_KEY, leaf: enrolled.leaf }],
    attachments: [attachment.ref],
    ...(prev === undefined ? {} : { prev }),
  };
  const proof =
    flags.out === undefined
      ? join(session.cwd, `${subject.replace(/\//g, '-')}-attestation.tlog-proof`)
      : resolve(session.cwd, flags.out);
  await submitRecord(session, client, record, { attachments: [attachment], proof, wait: flags.wait });
}

/** The newest quote that held is what the next one is compared with. */
async function keepNewest(path: string, bytes: Uint8Array, claims: readonly QuoteClaim[]): Promise<void> {
  if (!quoteHolds(claims)) return;
  const part = `${path}.new`;
  await writeFile(part, bytes, { mode: 0o600, flush: true });
  await rename(part, path);
}

/** Where the host keeps what it has measured. */
function stateFolder({ env, cwd }: Session, { state }: AttestFlags): string {
  if (state !== undefined) return resolve(cwd, state);
  if (env.TREERING_STATE !== undefined) return join(env.TREERING_STATE, 'attestation');
  return join(env.XDG_STATE_HOME ?? join(env.HOME ?? homedir(), '.local', 'state'), 'treering', 'attestation');
}
