import { randomBytes } from 'node:crypto';
import { nodeMeans } from '@treering/foreign/node';
import { createSnapshotFile, dataFolder, initLog, Log, openAnchor, openLogKeys, parseConfig } from '@treering/log';
import type { LogTrust } from '@treering/note';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { type ChangeRecord, createAttachment, encodeRecord, type RecordOf } from '@treering/record';
import { createStatementSigner, signStatement } from '@treering/statement';
import { openSqliteStorage } from '@treering/storage-sqlite';

/** What a log is filled with. */
interface Filling {
  readonly origin: string;
  /** Besides its charter and one erasure. */
  readonly entries: number;
  /** How many of the entries name an attachment that is stored. */
  readonly attachments: number;
  /** How many heads are kept for good. */
  readonly keptHeads: number;
}

/** Begins a log in the folder `data`, fills it with everything that a store can hold, and closes it. */
export async function fillLog(data: string, filling: Filling): Promise<{ trust: LogTrust }> {
  await initLog(data, { origin: filling.origin });
  const folder = dataFolder(data);
  const keys = await openLogKeys(folder, parseConfig({ data }));
  const storage = openSqliteStorage(folder.store, { mode: 'open' });
  const snapshots = createSnapshotFile(folder.snapshot);
  const log = await Log.open({ storage, anchor: openAnchor(folder), keys, means: nodeMeans, snapshots, keepEvery: 0 });
  const signer = createStatementSigner((await readKeyFile(folder.adminKey)).seed, nodeEd25519);
  const submit = async (record: ChangeRecord): Promise<Uint8Array> => {
    const claims = { iss: `${filling.origin}/identity/admin`, sub: record.subject, iat: Math.floor(Date.now() / 1000) };
    return (await log.submit((await signStatement(claims, encodeRecord(record), signer)).entry)).leaf;
  };
  const attached: { subject: string; leaf: Uint8Array; digest: Uint8Array }[] = [];
  const report = async (i: number): Promise<void> => {
    if (i >= filling.attachments) {
      await submit(incident(i));
      return;
    }
    const { ref, blob } = attachment(i);
    const leaf = await submit({ ...incident(i), attachments: [ref] });
    await log.attachments.put(hex(ref.digest), blob, ref);
    attached.push({ subject: incident(i).subject, leaf, digest: ref.digest });
  };
  for (let part = 0; part < filling.keptHeads; part++) {
    const numbers = Array.from({ length: filling.entries }, (_, i) => i).filter((i) => i % filling.keptHeads === part);
    await Promise.all(numbers.map(report));
    await log.publisher.publish();
  }
  const [{ subject, leaf, digest }] = attached;
  const reason = 'It names a person.';
  await submit({ v: 1, type: 'correction', subject, reason, supersedes: leaf, erased: [digest] });
  await log.publisher.publish();
  await log.close();
  keys.close();
  return { trust: log.trust };
}

function attachment(i: number) {
  const access = i % 2 === 0 ? 'public' : 'restricted';
  return createAttachment(randomBytes(700), { name: `${i}`, media_type: 'text/plain', access }, randomBytes(16));
}

function incident(i: number): RecordOf<'incident'> {
  return {
    v: 1,
    type: 'incident',
    subject: `model/m${i % 20}`,
    reason: `Decision number ${i} of a log that is to be damaged.`,
    severity: 'low',
    aware_at: 1_760_000_000_000,
    affected: [],
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
