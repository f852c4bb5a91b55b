import { HASH_SIZE, portableHasher } from '@treering/merkle';
import { nodeEd25519 } from '@treering/note/node';
import type { PolicyBody } from '@treering/record';
import { CborTag, checkSignature, encodeCbor, parseStatement, type SignatureCheck } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Audit, type Audited, type Candidate, prepareAhead, saveState } from '../src/index.js';
import { modelDraft } from './drafts.js';
import { foreignOf } from './foreign-statement.js';
import { candidateOf, charterDraft, enrolment, incident, party, revocation } from './governed-log.js';

// Whatever is read ahead, and in whatever pieces, the verdicts are those of one entry after another.

const [ada, eve, supplier, nobody] = ['ada', 'eve', 'supplier', 'nobody'].map((id, i) => party(id, 140 + i));
const SUPPLIER = 'https://supplier.example';
const POLICY: PolicyBody = {
  rules: [
    { name: 'administrators', who: { roles: ['administrator'] }, may: ['*'], on: ['**'] },
    { name: 'engineers', who: { roles: ['engineer'] }, may: ['model'], on: ['**'] },
    { name: 'supplier', who: { issuer: SUPPLIER }, may: ['foreign'], on: ['model/*'] },
  ],
  issuers: [{ issuer: SUPPLIER, keys: [supplier.key] }],
};

const entryOf = ({ statement }: Candidate): Uint8Array => statement.entry;
const broken = (entry: Uint8Array): Uint8Array => {
  const out = entry.slice();
  out[out.length - 1] ^= 1;
  return out;
};
/** The same statement with something in the header that nobody signed. */
const decorated = (entry: Uint8Array): Uint8Array => {
  const { protectedBytes, payload, signature } = parseStatement(entry).sign1;
  return encodeCbor(new CborTag(18, [protectedBytes, new Map([[99, new Uint8Array(8)]]), payload, signature]));
};

const first = entryOf(await candidateOf(eve, modelDraft('first')));
const late = entryOf(await candidateOf(eve, modelDraft('late')));
const entries: Uint8Array[] = [
  entryOf(await candidateOf(ada, charterDraft([ada], POLICY))),
  entryOf(await candidateOf(eve, modelDraft('early'))),
  entryOf(await candidateOf(ada, enrolment(eve, ['engineer']))),
  first,
  new Uint8Array([1, 2, 3]),
  broken(entryOf(await candidateOf(eve, modelDraft('broken')))),
  first,
  decorated(first),
  decorated(late),
  late,
  entryOf(await foreignOf(supplier.signer, { iss: SUPPLIER, sub: 'model/score' })),
  entryOf(await candidateOf(nobody, incident('incident/1'))),
  entryOf(await candidateOf(ada, revocation('eve'))),
  entryOf(await candidateOf(eve, modelDraft('after'))),
  new Uint8Array(0),
  entryOf(await candidateOf(ada, incident('incident/2'))),
];

const verdictOf = (audited: Audited) => (audited.admitted ? audited.rule : audited.finding);

async function oneByOne() {
  const audit = new Audit();
  const verdicts: unknown[] = [];
  for (const entry of entries) verdicts.push(verdictOf(await audit.next(entry)));
  return { verdicts, state: saveState(audit.state) };
}

/** The entries in batches of a size, with their leaf hashes. */
async function* batches(size: number) {
  for (let at = 0; at < entries.length; at += size) {
    const some = entries.slice(at, at + size);
    const leaves = new Uint8Array(some.length * HASH_SIZE);
    portableHasher.hashLeaves(some, leaves);
    yield { entries: some, leaves };
  }
}

/** Checks that end in another order than they began. */
function slowly(check: SignatureCheck): Promise<boolean> {
  const wait = check.signature[0] % 3;
  return new Promise((resolve) => setTimeout(() => resolve(checkSignature(check, nodeEd25519)), wait));
}

async function inBatches(size: number, check?: (check: SignatureCheck) => Promise<boolean>) {
  const audit = new Audit(check === undefined ? {} : { checkSignature: check });
  const verdicts: unknown[] = [];
  const read: (Candidate | undefined)[] = [];
  for await (const { batch, prepared } of prepareAhead(audit, batches(size))) {
    assert.is(prepared.length, batch.entries.length);
    await audit.decide(prepared, {
      onRead: (content) => read.push(content),
      onDecided: (audited, index) => {
        assert.equal([index, read.length, audit.size], [verdicts.length, index + 1, index + 1]);
        verdicts.push(verdictOf(audited));
      },
    });
  }
  return { verdicts, state: saveState(audit.state) };
}

test('the log of this test has every kind of verdict', async () => {
  const { verdicts } = await oneByOne();
  const names = verdicts.map((verdict) => (typeof verdict === 'string' ? 'admitted' : (verdict as { code: string }).code));
  assert.is(names.filter((name) => name === 'admitted').length, 7, names.join(' '));
  for (const code of ['governance/unknown-key', 'cose/bad-signature', 'governance/logged-before', 'governance/revoked-key'])
    assert.ok(names.includes(code), `${code}: ${names.join(' ')}`);
});

test('in batches of any size, verdicts, their order and the state are those of one entry after another', async () => {
  const wanted = await oneByOne();
  for (const size of [1, 2, 3, 5, 256]) {
    assert.equal(await inBatches(size), wanted, `without means, ${size}`);
    assert.equal(await inBatches(size, slowly), wanted, `${size}`);
  }
});

test('no signature is checked twice when the key was known ahead', async () => {
  const checked: string[] = [];
  const admitted = [entries[0], entries[2], entries[15]];
  const audit = new Audit({
    checkSignature: async (check) => {
      checked.push(Buffer.from(check.signature).toString('hex'));
      return slowly(check);
    },
  });
  for (const entry of admitted)
    await audit.decide(audit.prepare([entry]), {
      onDecided: (audited) => assert.ok(audited.admitted, JSON.stringify(audited)),
    });
  assert.is(checked.length, 3);
  assert.is(new Set(checked).size, 3);
});

test('a check that fails to end is met in its turn', async () => {
  const audit = new Audit();
  await audit.next(entries[0]);
  const failing = new Audit(
    { checkSignature: () => Promise.reject(new Error('the pool is gone')) },
    { state: audit.state, size: 1 },
  );
  let failure: unknown;
  await failing.decide(failing.prepare([entries[2]]), { onDecided: () => undefined }).catch((error) => {
    failure = error;
  });
  assert.match((failure as Error).message, 'the pool is gone');
});

test('what was read before the log failed is still decided', async () => {
  async function* failing() {
    let count = 0;
    for await (const batch of batches(2)) {
      if (count++ === 5) throw new Error('the log is gone');
      yield batch;
    }
  }
  const audit = new Audit();
  let failure: unknown;
  try {
    for await (const { prepared } of prepareAhead(audit, failing()))
      await audit.decide(prepared, { onDecided: () => undefined });
  } catch (error) {
    failure = error;
  }
  assert.match((failure as Error).message, 'the log is gone');
  assert.is(audit.size, 10);
});

test('when it is enough, nothing more is read, and what was read comes out; the source is closed', async () => {
  let read = 0;
  let closed = false;
  async function* counted() {
    try {
      for await (const batch of batches(1)) {
        read++;
        yield batch;
      }
    } finally {
      closed = true;
    }
  }
  const audit = new Audit();
  for await (const { prepared } of prepareAhead(audit, counted(), () => audit.size >= 4))
    await audit.decide(prepared, { onDecided: () => undefined });
  assert.is(audit.size, read);
  assert.ok(read >= 4 && read < 10, `${read}`);
  assert.ok(closed);
});

test.run();
