import { encodeUtf8, openNote, parseNote, parseSignatureLine, parseVerifierKey } from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorJson } from '../../../test/vectors.js';
import { openWitness, WITNESS_SIGNERS } from './fixture.js';

interface Step {
  readonly request: string;
  readonly expect_status?: number | number[];
  readonly status_spec?: number | number[];
  readonly state_after?: string;
  readonly expect_body?: string;
  readonly expect_content_type?: string;
  readonly why?: string;
}
interface Transcript {
  readonly log_origin: string;
  readonly log_vkey: string;
  readonly steps: readonly Step[];
}

const TRANSCRIPTS = [
  'witness-transcripts/litewitness.json',
  'synthetic/witness/add-checkpoint.json',
  'synthetic/witness/empty-tree.json',
];

if (haveVectors)
  for (const name of TRANSCRIPTS)
    test(`the transcript ${name} is answered as the specification demands`, async () => {
      const { log_origin: origin, log_vkey: vkey, steps } = vectorJson(name) as Transcript;
      const { store, add } = openWitness();
      store.addLogs([{ origin: origin, keys: [parseVerifierKey(vkey)] }]);
      for (const [i, step] of steps.entries()) {
        const response = await add(step.request);
        const body = await response.text();
        const expected = [step.expect_status ?? step.status_spec].flat();
        assert.ok(expected.includes(response.status), `step ${i} (${step.why}): ${response.status} ${body}`);
        if (step.expect_body !== undefined) assert.is(body, step.expect_body);
        if (step.expect_content_type !== undefined) assert.is(response.headers.get('content-type'), step.expect_content_type);
        if (step.state_after !== undefined) assert.is(String(store.head(origin)?.size ?? 0n), step.state_after, `step ${i}`);
        if (response.status === 200) verify(step.request, body);
      }
      store.close();
    });

/** Every line is a cosignature over exactly the checkpoint of the request, of now. */
function verify(request: string, body: string): void {
  const { text } = parseNote(encodeUtf8(request.slice(request.indexOf('\n\n') + 2)));
  const signatures = body.slice(0, -1).split('\n').map(parseSignatureLine);
  const keys = WITNESS_SIGNERS.map(({ key }) => key);
  const { verified, unverified } = openNote({ text, signatures }, keys, nodeEd25519);
  assert.is(unverified.length, 0);
  assert.is(verified.length, 2);
  const now = Date.now() / 1000;
  for (const { timestamp } of verified) assert.ok(Math.abs(Number(timestamp) - now) < 5);
}

test.run();
