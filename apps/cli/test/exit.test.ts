import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AdmissionError, Refusal } from '@treering/admission';
import { AttestationError } from '@treering/attestation';
import { ClientError, EntryMismatch, HistoryMismatch } from '@treering/client';
import { EvaluationError } from '@treering/evaluation';
import { EvidenceError } from '@treering/evidence';
import { ForeignError } from '@treering/foreign';
import { GovernanceError } from '@treering/governance';
import { KeyError } from '@treering/keys';
import { ConfigError } from '@treering/log';
import { MerkleInputError, MerkleStateError, ProofError } from '@treering/merkle';
import { MonitorConfigError } from '@treering/monitor';
import { NoteError } from '@treering/note';
import { TableMismatchError } from '@treering/note/tables';
import { RecordError } from '@treering/record';
import { RecorderError } from '@treering/recorder';
import { ReportError } from '@treering/report';
import { SequencerError } from '@treering/sequencer';
import { Problem } from '@treering/server';
import { StatementError } from '@treering/statement';
import { HeadConflictError, StorageError } from '@treering/storage';
import { MirrorConflict, SizeConflict, WitnessError } from '@treering/witness';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NotComparable } from '../src/deployed.js';
import { EXIT, exitOf, UsageError } from '../src/exit.js';
import { GateRefusal } from '../src/gate/refusal.js';
import { ChildFailure } from '../src/supervised.js';
import { TpmError } from '../src/tpm.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const HASH = new Uint8Array(32);
const PROOF: Uint8Array[] = [];

const refused = (status?: number, problem?: string): ClientError =>
  new ClientError('client/refused', 'why', {
    ...(status === undefined ? {} : { status }),
    ...(problem === undefined ? {} : { problem }),
  });

/** Every error class of the project that leaves its file, and the exit code and the code that become of it. */
const TABLE: readonly (readonly [error: Error, exit: number, code: string])[] = [
  [new UsageError('why'), EXIT.usage, 'cli/usage'],
  [new NotComparable('why'), EXIT.failed, 'cli/not-comparable'],
  [new GateRefusal('governance/gate', 'why'), EXIT.refused, 'governance/gate'],
  [new GateRefusal('gate/unknown', 'why'), EXIT.refused, 'gate/unknown'],
  [new ChildFailure(3, 'internal', 'why'), 3, 'internal'],
  [new ChildFailure(1, 'config/invalid', 'why'), 1, 'config/invalid'],
  [new TpmError('tpm/missing', 'why'), EXIT.usage, 'tpm/missing'],
  [new TpmError('tpm/unreachable', 'why'), EXIT.unreachable, 'tpm/unreachable'],
  [new TpmError('tpm/failed', 'why'), EXIT.failed, 'tpm/failed'],
  [new TpmError('tpm/unexplained', 'why'), EXIT.failed, 'tpm/unexplained'],
  [new TableMismatchError(), EXIT.failed, 'note/table-mismatch'],
  [new ClientError('client/unreachable', 'why'), EXIT.unreachable, 'client/unreachable'],
  [new ClientError('client/bad-answer', 'why'), EXIT.failed, 'client/bad-answer'],
  [new ClientError('client/not-verified', 'why'), EXIT.failed, 'client/not-verified'],
  [new ClientError('client/inconsistent', 'why'), EXIT.failed, 'client/inconsistent'],
  [refused(401), EXIT.refused, 'client/refused'],
  [refused(403, 'governance/not-allowed'), EXIT.refused, 'governance/not-allowed'],
  [refused(409), EXIT.refused, 'client/refused'],
  [refused(404, 'not-found'), EXIT.usage, 'not-found'],
  [refused(429), EXIT.unreachable, 'client/refused'],
  [refused(500), EXIT.unreachable, 'client/refused'],
  [refused(), EXIT.usage, 'client/refused'],
  [new EntryMismatch(0, undefined, HASH, PROOF), EXIT.failed, 'client/not-verified'],
  [new HistoryMismatch(1, HASH, PROOF), EXIT.failed, 'client/inconsistent'],
  [new AdmissionError('admission/config', 'why'), EXIT.failed, 'admission/config'],
  [new Refusal('malformed', 'why'), EXIT.failed, 'malformed'],
  [new AttestationError('attestation/malformed', 'why'), EXIT.failed, 'attestation/malformed'],
  [new ConfigError('why'), EXIT.usage, 'config/invalid'],
  [new EvaluationError('evaluation/dataset', 'why'), EXIT.usage, 'evaluation/dataset'],
  [new EvidenceError('evidence/malformed', 'why'), EXIT.failed, 'evidence/malformed'],
  [new ForeignError('foreign/malformed', 'why'), EXIT.failed, 'foreign/malformed'],
  [new GovernanceError('governance/gate', 'why'), EXIT.failed, 'governance/gate'],
  [new HeadConflictError('why'), EXIT.failed, 'storage/conflict'],
  [new KeyError('key/missing', 'why'), EXIT.usage, 'key/missing'],
  [new MerkleInputError('why'), EXIT.failed, 'merkle/bad-input'],
  [new MerkleStateError('why'), EXIT.failed, 'merkle/impossible-state'],
  [new MirrorConflict({ size: 1n, next: 0n, ticket: HASH }), EXIT.failed, 'internal'],
  [new MonitorConfigError('why'), EXIT.usage, 'config/invalid'],
  [new NoteError('note/bad-key', 'why'), EXIT.usage, 'note/bad-key'],
  [new Problem(404, 'not-found', 'why'), EXIT.failed, 'not-found'],
  [new ProofError('why'), EXIT.failed, 'merkle/proof-failed'],
  [new RecordError('record/invalid', 'why'), EXIT.usage, 'record/invalid'],
  [new RecordError('safetensors/invalid', 'why'), EXIT.usage, 'safetensors/invalid'],
  [new RecorderError('recorder/config', 'why'), EXIT.failed, 'recorder/config'],
  [new ReportError('report/too-large', 'why'), EXIT.usage, 'report/too-large'],
  [new SequencerError('sequencer/rolled-back', 'why'), EXIT.failed, 'sequencer/rolled-back'],
  [new SizeConflict(1n), EXIT.failed, 'internal'],
  [new StatementError('cbor/malformed', 'why'), EXIT.failed, 'cbor/malformed'],
  [new StorageError('storage/missing', 'why'), EXIT.usage, 'storage/missing'],
  [new StorageError('storage/schema', 'why'), EXIT.usage, 'storage/schema'],
  [new StorageError('storage/locked', 'why'), EXIT.failed, 'storage/locked'],
  [new WitnessError('witness/locked', 'why'), EXIT.failed, 'witness/locked'],
];

/** Thrown and caught in a page, which no command runs, and between the parts of a log. */
const ELSEWHERE = ['Superseded', 'OutdatedCheck'];

for (const [error, exit, code] of TABLE)
  test(`${error.constructor.name} ${code}: exit code ${exit}`, () => {
    assert.equal(exitOf(error), { exit, code, message: error.message });
  });

test('the table has every exported error class of the project', () => {
  const classes = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent)).flatMap((name) => errorClasses(join(ROOT, parent, name, 'src'))),
  );
  const tabled = [...new Set(TABLE.map(([error]) => error.constructor.name)), ...ELSEWHERE];
  assert.equal(classes.sort(), tabled.sort());
});

test("an error of a library is not taken for the project's own, whatever its name", () => {
  const lookalike = (name: string, code?: string): Error => Object.assign(new Error('why'), { name, code });
  assert.is(exitOf(lookalike('ClientError', 'OAUTH_TIMEOUT')).exit, EXIT.failed);
  assert.is(exitOf(lookalike('KeyError')).exit, EXIT.failed);
  assert.is(exitOf(lookalike('NoteError', 'ENOENT')).exit, EXIT.usage);
  assert.is(exitOf({ name: 'KeyError', code: 'key/missing' }).exit, EXIT.failed);
  assert.is(exitOf('thrown').code, 'internal');
});

test('what the system says of files and addresses is a usage error, and other things are not', () => {
  assert.is(exitOf(Object.assign(new Error('why'), { code: 'EADDRINUSE' })).exit, EXIT.usage);
  assert.is(exitOf(Object.assign(new Error('why'), { code: 'EIO' })).exit, EXIT.failed);
});

/** Names of the exported classes below a folder that are errors. */
function errorClasses(folder: string): string[] {
  const files = existing(folder).filter((name) => name.endsWith('.ts'));
  const sources = files.map((name) => readFileSync(join(folder, name), 'utf8'));
  return sources.flatMap((source) =>
    [...source.matchAll(/^export class (\w+) extends (?:\w*Error)\b/gm)].map(([, name]) => name),
  );
}

/** Applications without sources of their own have none. */
function existing(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

test.run();
