import { CompactRange, type HashReader, type NodeId, portableHasher, proveConsistency, proveInclusion } from '@treering/merkle';
import { createSigner, formatCheckpoint, formatNote, formatVerifierKey, KEY_TYPE, type TrustPolicy } from '@treering/note';
import { type ChangeRecord, encodeRecord } from '@treering/record';
import { createStatementSigner, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AlarmProof,
  EvidenceError,
  holds,
  isAlarmProof,
  parseAlarmProof,
  signAlarmProof,
  verifyAlarmProof,
} from '../src/index.js';

const ORIGIN = 'log.test/alarms';
const seed = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const logKey = createSigner(ORIGIN, KEY_TYPE.ed25519, seed(1));
const datedKey = createSigner(ORIGIN, KEY_TYPE.mldsa44Cosignature, seed(2));
const witness = createSigner('w.test', KEY_TYPE.ed25519Cosignature, seed(3));
const monitor = createStatementSigner(seed(4));
const POLICY: TrustPolicy = {
  logs: [{ key: logKey.key }, { key: datedKey.key }],
  witnesses: [],
  groups: [],
  quorum: 'none',
};
const log = { origin: ORIGIN, vkeys: [logKey, datedKey].map(({ key }) => formatVerifierKey(key)) };
const SEEN = 1_800_000_000;

/** A tree over texts, which gives out hashes of complete nodes. */
class Tree implements HashReader {
  readonly range = new CompactRange();
  readonly #nodes = new Map<string, Uint8Array>();

  constructor(texts: readonly string[]) {
    for (const text of texts) {
      this.range.append(leafHash(new TextEncoder().encode(text)), (level, start, hashes) => {
        this.#nodes.set(`${level}/${start}`, hashes.slice(0, 32));
      });
    }
  }

  async readHashes(nodes: readonly NodeId[]): Promise<Uint8Array> {
    const out = new Uint8Array(nodes.length * 32);
    for (const [i, { level, index }] of nodes.entries()) out.set(this.#nodes.get(`${level}/${index}`) as Uint8Array, i * 32);
    return out;
  }

  head(signers = [logKey], time = 0n): Uint8Array {
    const text = formatCheckpoint({
      origin: ORIGIN,
      size: BigInt(this.range.size),
      root: this.range.root(),
      extensions: [],
    });
    return formatNote({ text, signatures: signers.map((signer) => signer.sign(text, time)) });
  }
}

function leafHash(entry: Uint8Array): Uint8Array {
  return portableHasher.hashLeaf(entry);
}

const texts = (count: number, name: string): string[] => Array.from({ length: count }, (_, i) => `${name} ${i}`);
const one = new Tree(texts(5, 'a'));
const two = new Tree([...texts(3, 'a'), ...texts(6, 'b')]);
const sign = (proof: AlarmProof, at = SEEN): Promise<Uint8Array> =>
  signAlarmProof(proof, { observer: 'm.test', observedAt: at }, monitor);
const about = { v: 1, log } as const;

async function fork(): Promise<AlarmProof> {
  const shorter = new Tree([...texts(3, 'a'), ...texts(6, 'b')].slice(0, 5));
  return {
    ...about,
    kind: 'fork',
    heads: [one.head(), two.head()],
    contained: { root: shorter.range.root(), proof: await proveConsistency(two, 5, 9) },
  };
}

async function verdict(file: Uint8Array, observers = [monitor.key], policy = POLICY): Promise<boolean> {
  const { claims, required } = await verifyAlarmProof(file, { policy, observers });
  return holds(claims, required);
}

test('a fork of two sizes holds for who knows nothing but the log’s key', async () => {
  const file = await sign(await fork());
  assert.ok(isAlarmProof(file));
  assert.ok(await verdict(file, []));
  assert.equal(parseAlarmProof(file).observedAt, SEEN);
});

test('a fork of one size is two heads', async () => {
  const other = new Tree(texts(5, 'b'));
  assert.ok(await verdict(await sign({ ...about, kind: 'fork', heads: [one.head(), other.head()] }), []));
  assert.not(await verdict(await sign({ ...about, kind: 'fork', heads: [one.head(), one.head()] }), []), 'the same head twice');
});

test('a log that only grew is no fork, whatever the file claims', async () => {
  const grown = new Tree(texts(9, 'a'));
  const proof = await proveConsistency(grown, 5, 9);
  const heads: [Uint8Array, Uint8Array] = [one.head(), grown.head()];
  for (const root of [one.range.root(), seed(9)])
    assert.not(await verdict(await sign({ ...about, kind: 'fork', heads, contained: { root, proof } })));
  assert.not(await verdict(await sign({ ...about, kind: 'fork', heads })));
});

test('heads of another key, of another log or with a changed byte prove nothing', async () => {
  const stranger = createSigner(ORIGIN, KEY_TYPE.ed25519, seed(9));
  const proof = (await fork()) as Extract<AlarmProof, { kind: 'fork' }>;
  assert.not(await verdict(await sign({ ...proof, heads: [one.head([stranger]), proof.heads[1]] })));
  const elsewhere = { ...POLICY, logs: [{ key: createSigner('log.test/other', KEY_TYPE.ed25519, seed(1)).key }] };
  assert.not(await verdict(await sign(proof), [], elsewhere));
  const changed = proof.heads[1].slice();
  changed[ORIGIN.length + 5] ^= 1;
  assert.not(await verdict(await sign({ ...proof, heads: [proof.heads[0], changed] })));
});

test('any flipped byte of a file is noticed by who knows the monitor', async () => {
  const file = await sign(await fork());
  for (let at = 0; at < file.length; at += 7) {
    const altered = file.slice();
    altered[at] ^= 0x01;
    try {
      const { claims, required } = await verifyAlarmProof(altered, { policy: POLICY, observers: [monitor.key] });
      assert.not(holds(claims, ['observed', ...required]), `byte ${at}`);
    } catch (error) {
      assert.instance(error, EvidenceError, `byte ${at}`);
    }
  }
});

test('a rollback proves itself when the log dated the heads, and else rests on the monitor', async () => {
  const small = new Tree(texts(3, 'a'));
  const signed = [logKey, datedKey];
  const proof = (t1: bigint, t2: bigint): AlarmProof => ({
    ...about,
    kind: 'rollback',
    larger: one.head(signed, t1),
    smaller: small.head(signed, t2),
    seen: [SEEN - 20, SEEN],
  });
  assert.ok(await verdict(await sign(proof(100n, 200n)), []));
  assert.not(await verdict(await sign(proof(200n, 100n)), []));
  assert.ok(await verdict(await sign(proof(200n, 100n))));
  const swapped = { ...proof(1n, 2n), larger: small.head(signed, 1n), smaller: one.head(signed, 2n) } as AlarmProof;
  assert.not(await verdict(await sign(swapped)), 'the smaller one is not smaller');
});

test('a stale head rests on the monitor’s word about when it was given out', async () => {
  const proof: AlarmProof = { ...about, kind: 'stale', head: one.head([logKey, datedKey], 1000n), since: 0, limit: 600 };
  assert.ok(await verdict(await sign(proof, 1601)));
  assert.not(await verdict(await sign(proof, 1601), []));
  assert.not(await verdict(await sign(proof, 1600)), 'it is not older than the limit');
  const hidden: AlarmProof = { ...proof, newer: new Tree(texts(9, 'a')).head(), since: 1500, limit: 0 };
  assert.ok(await verdict(await sign(hidden, 1501)));
  assert.not(await verdict(await sign({ ...hidden, newer: new Tree(texts(4, 'a')).head() }, 1501)), 'it is not newer');
});

test('a head lacks its quorum by the policy in the file', async () => {
  const policy = `witness w ${formatVerifierKey(witness.key)}\nquorum w\n`;
  const text = (head: Uint8Array): AlarmProof => ({ ...about, kind: 'unwitnessed', head, policy });
  assert.ok(await verdict(await sign(text(one.head()))));
  assert.not(await verdict(await sign(text(one.head())), []), 'who stripped the cosignatures, only the monitor knows');
  assert.not(await verdict(await sign(text(one.head([logKey, witness], 5n)))));
  assert.not(await verdict(await sign({ ...text(one.head()), policy: 'nonsense' } as AlarmProof)));
});

test('an entry that is none, and one that was given out otherwise', async () => {
  const inclusion = await proveInclusion(one, 2, 5);
  const leaf = leafHash(new TextEncoder().encode('a 2'));
  const base = { ...about, kind: 'bad-entry', head: one.head(), index: 2, leaf, inclusion } as const;
  assert.ok(await verdict(await sign({ ...base, served: new TextEncoder().encode('a 2') }), []), 'the tree holds no statement');
  const other = await sign({ ...base, served: new TextEncoder().encode('something else') });
  assert.ok(await verdict(other));
  assert.not(await verdict(other, []));
  assert.not(await verdict(await sign({ ...base, index: 1 })), 'it stands elsewhere');
});

test('an entry that is a statement is no bad entry, and says what its record says', async () => {
  const record = {
    v: 1,
    type: 'verification',
    subject: 'deploy/prod/x',
    reason: 'The routine has looked at what runs.',
    deployment: seed(7),
    observed: seed(8),
    verdict: 'mismatch',
  } as const;
  const { entry } = await signStatement({ iss: 'a/identity/b', sub: record.subject, iat: 5 }, encodeRecord(record), monitor);
  const range = new CompactRange();
  range.append(leafHash(entry));
  const text = formatCheckpoint({ origin: ORIGIN, size: 1n, root: range.root(), extensions: [] });
  const head = formatNote({ text, signatures: [logKey.sign(text)] });
  const place = { ...about, head, index: 0, inclusion: [] };
  assert.ok(await verdict(await sign({ ...place, kind: 'mismatch', entry, reason: 'why' }), []));
  assert.not(await verdict(await sign({ ...place, kind: 'drift', entry, reason: 'why' }), []));
  assert.not(await verdict(await sign({ ...place, kind: 'break-glass', entry, reason: 'why' }), []));
  assert.not(await verdict(await sign({ ...place, kind: 'bad-entry', leaf: leafHash(entry), served: entry })));
});

/** A log of one record, and where that stands in it. */
async function logOf(record: ChangeRecord) {
  const { entry } = await signStatement({ iss: 'a/identity/b', sub: record.subject, iat: 5 }, encodeRecord(record), monitor);
  const range = new CompactRange();
  range.append(leafHash(entry));
  const text = formatCheckpoint({ origin: ORIGIN, size: 1n, root: range.root(), extensions: [] });
  const head = formatNote({ text, signatures: [logKey.sign(text)] });
  return { ...about, head, index: 0, inclusion: [], entry };
}

test('an incident whose report is due proves its date, and that nothing followed rests on the monitor', async () => {
  const incident: ChangeRecord = {
    v: 1,
    type: 'incident',
    subject: 'incident/x',
    reason: 'The model answered with a name.',
    severity: 'low',
    aware_at: 0,
    affected: [],
    due_at: Date.UTC(2028, 0, 18, 10),
  };
  const alarm = { kind: 'incident-due', reason: 'why' } as const;
  const file = await sign({ ...(await logOf(incident)), ...alarm });
  assert.ok(await verdict(file));
  assert.not(await verdict(file, []));
  const { claims, record } = await verifyAlarmProof(file, { policy: POLICY, observers: [monitor.key] });
  const textOf = (name: string): string | undefined => claims.find((claim) => claim.name === name)?.text;
  assert.is(textOf('said'), 'Entry 0 says: the report on incident/x is due at 2028-01-18T10:00:00Z.');
  assert.match(textOf('not-followed') ?? '', /That no later entry closed it or moved the date is the monitor's word: why\./);
  assert.is(record?.type, 'incident');
  const { due_at: _, ...undue } = incident;
  for (const other of [undue, { ...incident, status: 'closed' } as const])
    assert.not(await verdict(await sign({ ...(await logOf(other)), ...alarm })), 'nothing is due');
});

test('files of another form are refused with a code', async () => {
  const good = await fork();
  const wrong: unknown[] = [
    { ...good, kind: 'nothing' },
    { ...good, more: 1 },
    { ...good, v: 2 },
    { ...good, heads: [one.head()] },
    { ...good, heads: ['text', one.head()] },
    { ...good, contained: { root: new Uint8Array(31), proof: [] } },
    { ...good, log: { ...log, origin: '' } },
  ];
  for (const proof of wrong) {
    const file = await sign(proof as AlarmProof);
    assert.throws(
      () => parseAlarmProof(file),
      (error: EvidenceError) => error.code === 'evidence/malformed',
    );
  }
  assert.not(isAlarmProof(new Uint8Array([1, 2, 3])));
  assert.throws(() => parseAlarmProof(new Uint8Array(33 * 1024 * 1024)), /at most/);
});

test.run();
