import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientError, type ReadEntry } from '@treering/client';
import { equalBytes } from '@treering/merkle';
import { encodeRecord, manifestRoot, printable, RecordError } from '@treering/record';
import { type ModelVersion, type Prepared, type Publisher, RecorderError } from '@treering/recorder';
import { withoutSecrets } from '@treering/recorder/without-secrets';
import { parseStatement, signStatement } from '@treering/statement';
import { hashFiles, type ModelFlags, prepareModel, proofName } from './commands/model.js';
import { UsageError } from './exit.js';
import type { Session } from './session.js';
import { requireNoMistake } from './submit.js';

/** Records of a subject in which a version is looked for before it is signed. */
const MOST_HISTORY = 100;
/** Refusals of a statement that another one, signed now, may not get. */
const PASSING = ['governance/prev-conflict', 'governance/clock'];

/**
 * Hashes, signs and submits for a recorder, with the key and the log of a session.
 * @param proofs folder of the proof files
 */
export function createPublisher(session: Session, access: ModelFlags['access'], proofs: string): Publisher {
  const client = session.client();
  return {
    prepare: (version) => explained(() => prepare(session, version, access)),
    submit: (prepared) =>
      explained(async () => {
        const statement = parseStatement(prepared.statement);
        const logged = await client.submit(statement, 'witnessed');
        await mkdir(proofs, { recursive: true });
        const name = proofName(statement.sub.replace(/\//g, '-'), String(logged.index));
        await writeFile(join(proofs, name), logged.proofFile);
        return { leaf: logged.leaf, index: logged.index };
      }),
    upload: (prepared, index) =>
      explained(async () => {
        const refusals: ClientError[] = [];
        for (const { digest, blob } of prepared.attachments)
          try {
            await client.putAttachment(digest, blob, index);
          } catch (error) {
            // One that is refused holds up no other.
            if (!(error instanceof ClientError) || !isFinal(error)) throw error;
            refusals.push(error);
          }
        if (refusals.length > 0) throw refusals[0];
      }),
  };
}

async function prepare(
  session: Session,
  { name, segment, version, source, folder, reason }: ModelVersion,
  access: ModelFlags['access'],
): Promise<Prepared | { known: Uint8Array }> {
  const files = await hashFiles(folder, {});
  const digest = manifestRoot(files.resources);
  const history = await newest(session, `model/${segment}`);
  // The newest of that version, and no earlier one: content that came back is news.
  const last = history.find(({ record }) => record?.type === 'model' && record.version === version);
  if (last?.record?.type === 'model' && equalBytes(last.record.digest, digest)) return { known: last.leaf };
  const path = withoutSecrets(source)?.slice(0, 1000);
  const from = {
    kind: 'mlflow',
    ...(path === undefined ? {} : { path }),
    id: `${name}/${version}`.slice(0, 500),
  } as const;
  const flags = { name: segment, version, reason: printable(reason).slice(0, 2000), access };
  const { record, attachments } = await prepareModel(folder, files, flags, { source: from }, history[0]?.leaf);
  requireNoMistake(record);
  const { iss, signer } = await session.signer();
  const claims = { iss, sub: record.subject, iat: Math.floor(Date.now() / 1000) };
  const statement = await signStatement(claims, encodeRecord(record), signer);
  return {
    statement: statement.entry,
    attachments: attachments
      .filter(({ ref }) => ref.access !== 'withheld')
      .map(({ ref, blob }) => ({ digest: Buffer.from(ref.digest).toString('hex'), blob })),
  };
}

async function newest(session: Session, subject: string): Promise<readonly ReadEntry[]> {
  try {
    return await session.client().history(subject, MOST_HISTORY);
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return [];
    throw error;
  }
}

/** Whether the log has refused, so that the same request again will not pass. */
function isFinal({ status }: ClientError): boolean {
  return status !== undefined && status >= 400 && status < 500 && status !== 429;
}

/** What an error means for a recorder. */
async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { message } = error as Error;
    const as = (code: RecorderError['code']): RecorderError => new RecorderError(code, message, { cause: error });
    if (error instanceof ClientError) {
      const { problem } = error;
      if (problem !== undefined && PASSING.includes(problem)) throw as('recorder/stale');
      // Also a log whose answers do not hold: nothing is dropped because of it.
      throw as(isFinal(error) ? 'recorder/refused' : 'recorder/unavailable');
    }
    const passing = error instanceof RecordError && error.code === 'manifest/changed';
    if ((error instanceof RecordError || error instanceof UsageError) && !passing) throw as('recorder/refused');
    throw error;
  }
}
