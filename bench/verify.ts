import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { formatTlogProof, holds, REQUIRED_CLAIMS, verifyTlogProof } from '@treering/evidence';
import { CompactRange, HASH_SIZE, type HashReader, proveInclusion } from '@treering/merkle';
import { nodeHasher } from '@treering/merkle/node';
import { formatCheckpoint, formatNote, openCheckpoint } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { parseStatement, verifySign1 } from '@treering/statement';
import { type Benchmark, type Figures, Unavailable } from './benchmark.js';
import { adminKey, logKey, ORIGIN, signedEntry } from './evaluation-log.js';

const PAGE = fileURLToPath(new URL('../packages/report/dist/page.html', import.meta.url));
const RECORDS = 5000;
const QUICK_RECORDS = 50;
const RIVAL = 'their two signatures alone';

/** Verifying single records offline. */
export const verify: Benchmark = {
  name: 'verify',
  title:
    'proof files (.tlog-proof) of single records verified offline: head, inclusion, statement; and the size of the page that does so in a browser',
  trials: 3,
  subjects: [
    { name: 'proof files', rival: RIVAL, measure: measureFiles },
    { name: RIVAL, measure: measureSignatures },
    { name: 'verifier page', trials: 1, measure: measurePage },
  ],
};

/** A log's entries, its signed head, and a proof file for each entry. */
async function makeFiles(quick: boolean): Promise<{ entries: Uint8Array[]; note: Uint8Array; files: Uint8Array[] }> {
  const count = quick ? QUICK_RECORDS : RECORDS;
  const range = new CompactRange(nodeHasher);
  const levels: Uint8Array[] = [];
  const entries: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    entries.push(await signedEntry(i));
    range.append(nodeHasher.hashLeaf(entries[i]), (level, start, hashes) => {
      levels[level] ??= new Uint8Array(Math.ceil(count / 2 ** level) * HASH_SIZE);
      levels[level].set(hashes, start * HASH_SIZE);
    });
  }
  const reader: HashReader = {
    readHashes: async (nodes) =>
      Buffer.concat(nodes.map(({ level, index }) => levels[level].subarray(index * HASH_SIZE, (index + 1) * HASH_SIZE))),
  };
  const text = formatCheckpoint({ origin: ORIGIN, size: BigInt(count), root: range.root(), extensions: [] });
  const note = formatNote({ text, signatures: [logKey.sign(text)] });
  const files: Uint8Array[] = [];
  for (const [i, extra] of entries.entries()) {
    const hashes = await proveInclusion(reader, i, count, nodeHasher);
    files.push(formatTlogProof({ extra, index: BigInt(i), hashes, checkpoint: note }));
  }
  return { entries, note, files };
}

async function measureFiles(quick: boolean): Promise<Figures> {
  const { files } = await makeFiles(quick);
  const policy = { logs: [{ key: logKey.key }], witnesses: [], groups: [], quorum: 'none' };
  const trust = { policy, signerKeys: [adminKey], hasher: nodeHasher, ed25519: nodeEd25519 };
  const required = [...REQUIRED_CLAIMS, 'statement-signed'];
  const started = performance.now();
  for (const file of files) {
    if (!holds(verifyTlogProof(file, trust).claims, required)) throw new Error('a proof file does not hold');
  }
  return figuresOf(files.length, performance.now() - started);
}

/** What no verification can go below: the log's signature and the signer's. */
async function measureSignatures(quick: boolean): Promise<Figures> {
  const { entries, note } = await makeFiles(quick);
  const statements = entries.map((entry) => parseStatement(entry).sign1);
  const trust = { origin: ORIGIN, logKeys: [logKey.key] };
  const started = performance.now();
  for (const sign1 of statements) {
    openCheckpoint(note, trust, nodeEd25519);
    verifySign1(sign1, adminKey, { ed25519: nodeEd25519 });
  }
  return figuresOf(statements.length, performance.now() - started);
}

function figuresOf(records: number, milliseconds: number): Figures {
  return { 'ms/record': milliseconds / records, 'records/s': (records * 1000) / milliseconds };
}

async function measurePage(): Promise<Figures> {
  if (!existsSync(PAGE)) throw new Unavailable('the page is not built');
  const page = readFileSync(PAGE);
  return { bytes: page.length, 'bytes with gzip': gzipSync(page, { level: 9 }).length };
}
