import { createPublicKey } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson } from '../../../test/vectors.js';
import {
  createVerifierKey,
  encodeUtf8,
  KEY_TYPE,
  type LogTrust,
  openCheckpoint,
  parsePolicy,
  parseVerifierKey,
  requireQuorum,
} from '../src/index.js';
import { nodeEd25519 } from '../src/node/index.js';
import { checkpoint, codeOf, ORIGIN, signedBy, signer } from './fixtures.js';

interface Step {
  readonly request: string;
  readonly status_spec?: number | number[];
  readonly expect_status?: number | number[];
}

/** The origin of a witness transcript and the key of its log. */
function trustOf(transcript: { log_origin: string; log_vkey: string }): LogTrust {
  return { origin: transcript.log_origin, logKeys: [parseVerifierKey(transcript.log_vkey)] };
}

/** The checkpoint in the body of an add-checkpoint request: what follows the first empty line. */
function checkpointIn(request: string): Uint8Array {
  return encodeUtf8(request.slice(request.indexOf('\n\n') + 2));
}

test('a checkpoint of the expected origin under the log key opens', () => {
  const log = signer(ORIGIN);
  const opened = openCheckpoint(signedBy([log]), { origin: ORIGIN, logKeys: [log.key] });
  assert.equal(opened.checkpoint, checkpoint);
  assert.is(opened.logSignatures.length, 1);
  assert.equal(opened.cosignatures, []);
});

if (haveVectors) {
  const heads = vectorJson('synthetic/notes/checkpoints.json');
  for (const item of heads.cases) {
    test(`synthetic checkpoint: ${item.name} is ${item.verdict}ed`, () => {
      const trust: LogTrust = { origin: heads.origin, logKeys: [parseVerifierKey(heads.log_vkey)] };
      const code = codeOf(() => openCheckpoint(encodeUtf8(item.note), trust));
      assert.is(code === undefined, item.verdict === 'accept', code);
    });
  }

  const cosigned = vectorJson('synthetic/notes/cosignatures.json');
  for (const item of cosigned.cases) {
    test(`synthetic cosignatures: ${item.name} is ${item.verdict}ed`, () => {
      const lines = cosigned.witness_vkeys.map((vkey: string) => `witness ${vkey.split('+')[0]} ${vkey}\n`);
      const names = cosigned.witness_vkeys.map((vkey: string) => vkey.split('+')[0]);
      const policy = parsePolicy(
        `log ${cosigned.log_vkey}\n${lines.join('')}group all-of-them all ${names.join(' ')}\nquorum all-of-them\n`,
      );
      const trust: LogTrust = {
        origin: 'log.pub.example/t',
        logKeys: policy.logs.map((log) => log.key),
        witnessKeys: policy.witnesses.map((witness) => witness.key),
      };
      const open = () => openCheckpoint(encodeUtf8(item.note), trust);
      if (item.valid_cosigners === undefined) {
        assert.is(codeOf(open), 'note/bad-signature');
        return;
      }
      const opened = open();
      assert.equal([...new Set(opened.cosignatures.map((s) => s.name))], item.valid_cosigners);
      assert.is(
        codeOf(() => requireQuorum(policy, opened.cosignatures)),
        item.verdict === 'accept' ? undefined : 'note/quorum-not-met',
      );
    });
  }

  test('tessera-testlog: all heads open under the log key and say the size of their file', () => {
    const key = parseVerifierKey('example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx');
    for (let size = 0; size <= 15; size++) {
      const opened = openCheckpoint(vectorBytes(`tessera-testlog/checkpoint.${size}`), { origin: key.name, logKeys: [key] });
      assert.is(opened.checkpoint.size, BigInt(size));
      assert.is(opened.checkpoint.root.length, 32);
    }
    const mine = vectorBytes('tessera-testlog/checkpoint.7');
    mine[mine.indexOf(0x37)] = 0x38;
    assert.is(
      codeOf(() => openCheckpoint(mine, { origin: key.name, logKeys: [key] })),
      'note/bad-signature',
    );
  });

  for (const file of [
    'witness-transcripts/litewitness.json',
    'synthetic/witness/add-checkpoint.json',
    'synthetic/witness/empty-tree.json',
  ]) {
    const transcript = vectorJson(file);
    transcript.steps.forEach((step: Step, i: number) => {
      const status = step.status_spec ?? step.expect_status;
      test(`${file} ${i}: the checkpoint of a request that gets ${status}`, () => {
        const code = codeOf(() => openCheckpoint(checkpointIn(step.request), trustOf(transcript)));
        if (status === 404) assert.is(code, 'note/wrong-origin');
        else if (status === 403)
          assert.ok(['note/bad-signature', 'note/no-known-signature', 'note/malformed'].includes(code as string), code);
        else assert.is(code, undefined);
      });
    });
  }

  const monitor = vectorJson('synthetic/monitor/timelines.json');
  for (const item of monitor.cases) {
    test(`monitor timeline "${item.name}": which notes are evidence`, () => {
      const codes = item.events.map((e: { note: string }) =>
        codeOf(() => openCheckpoint(encodeUtf8(e.note), trustOf(monitor))),
      );
      const bad = codes.filter((code: string | undefined) => code !== undefined);
      assert.equal(bad, item.verdict === 'ignored' ? ['note/bad-signature'] : []);
    });
  }

  vectorJson('rekor-real-proofs/proofs.json').forEach(
    (item: Record<string, string> & { computed: Record<string, unknown> }, i: number) => {
      const verdict = item.computed.checkpoint_signature;
      test(`rekor-real-proofs ${i}: the log signature is ${verdict}`, () => {
        const name = /^\u2014 (\S+) /m.exec(item.checkpoint)?.[1] as string;
        const [first] = item.checkpoint.split('\n');
        // Rekor v1 appends its tree id to the origin; its key is named without it.
        const origin = first.startsWith(`${name} - `) ? first : name;
        const logKeys = item.log_spki_b64 ? [keyOfSpki(name, Buffer.from(item.log_spki_b64, 'base64'))] : [];
        const code = codeOf(() => openCheckpoint(encodeUtf8(item.checkpoint), { origin, logKeys }, nodeEd25519));
        if (verdict === 'valid') assert.is(code, undefined);
        else if (verdict === 'no-known-key') assert.is(code, 'note/no-known-signature');
        else assert.ok(code !== undefined, 'a checkpoint with a wrong signature opened');
      });
    },
  );
}

function keyOfSpki(name: string, spki: Buffer) {
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  if (key.asymmetricKeyType === 'ec') return createVerifierKey(name, KEY_TYPE.ecdsa, new Uint8Array(spki));
  const { x } = key.export({ format: 'jwk' });
  return createVerifierKey(name, KEY_TYPE.ed25519, new Uint8Array(Buffer.from(x as string, 'base64url')));
}

test.run();
