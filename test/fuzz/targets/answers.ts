import { ClientError, LogClient, MonitorClient, TlogReader, WitnessClient } from '@treering/client';
import { MerkleInputError } from '@treering/merkle';
import { decodeUtf8, formatSignatureLine, NoteError } from '@treering/note';
import { parseStatement } from '@treering/statement';
import { makeStatement, memoryLog, ORIGIN } from '../../../apps/log/test/fixture.js';
import { type Target, target } from '../target.js';
import { headText, note, witness } from './samples.js';

// What clients read of answers. Whoever answers is not trusted: a log, a witness, a mirror or a monitor that lies.

const memory = await memoryLog();
const signed = parseStatement((await makeStatement({ iat: Math.floor(Date.now() / 1000) })).entry);
const accepted = await (await memory.post(signed.entry)).arrayBuffer();
await memory.log.publisher.publish();
const trust = { origin: ORIGIN, logKeys: [memory.log.signer.key] };

/** `fetch` from a server that answers everything with these bytes. */
const answering = (bytes: Uint8Array, status = 200) => ({
  // Milliseconds; each request keeps a timer for so long.
  timeout: 3_000,
  fetch: async (): Promise<Response> => new Response(bytes as Uint8Array<ArrayBuffer>, { status }),
});
const url = 'http://log.test';
const client = (bytes: Uint8Array, status?: number): LogClient => new LogClient({ url, trust, ...answering(bytes, status) });

async function all(items: AsyncGenerator<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of items) count++;
  return count;
}

const whole = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await memory.app.request(path)).arrayBuffer());
const ASKED = { oldSize: 0n, proof: [], checkpoint: note };
const errors = [ClientError];

/** Answers of logs, witnesses and monitors. */
export const answerTargets: readonly Target[] = [
  target({
    name: 'answer-to-submission',
    form: 'json',
    parse: (bytes) => client(bytes, 201).submit(signed),
    seeds: [new Uint8Array(accepted)],
    errors,
  }),
  target({
    name: 'answer-to-batch',
    form: 'json',
    parse: (bytes) => client(bytes).submitBatch([signed]),
    seeds: [`{"results":[{"status":201,${decodeUtf8(new Uint8Array(accepted)).slice(1)}]}`],
    errors,
  }),
  target({
    name: 'answer-with-head',
    form: 'lines',
    parse: (bytes) => client(bytes).head(),
    seeds: [await whole('/checkpoint')],
    errors,
  }),
  target({
    name: 'answer-with-subjects',
    form: 'json',
    parse: (bytes) => all(client(bytes).subjects('')),
    seeds: [await whole('/v1/subjects')],
    errors,
  }),
  target({
    name: 'answer-with-kept-heads',
    form: 'json',
    parse: (bytes) => all(client(bytes).keptHeads()),
    seeds: [await whole('/v1/checkpoints')],
    errors,
  }),
  target({
    name: 'answer-to-enrolment',
    form: 'json',
    parse: (bytes) => client(bytes).enrol(signed.entry),
    seeds: ['{"id":"x","index":5}'],
    errors,
  }),
  target({
    name: 'answer-with-bundle',
    form: 'bytes',
    parse: (bytes) => new TlogReader(url, answering(bytes)).bundle(0, 2),
    seeds: [await whole('/tile/entries/000.p/2')],
    errors: [ClientError, MerkleInputError],
  }),
  target({
    name: 'answer-with-tile',
    form: 'bytes',
    parse: (bytes) => new TlogReader(url, answering(bytes)).wholeTile({ level: 0, index: 0, width: 2 }),
    seeds: [await whole('/tile/0/000.p/2')],
    errors,
  }),
  target({
    name: 'answer-of-witness',
    form: 'lines',
    parse: (bytes) => new WitnessClient(url, answering(bytes)).addCheckpoint(ASKED),
    seeds: [`${formatSignatureLine(witness.sign(headText, 1n))}\n`],
    errors,
  }),
  target({
    name: 'answer-of-witness-that-knows-more',
    form: 'lines',
    parse: (bytes) => new WitnessClient(url, answering(bytes, 409)).addCheckpoint(ASKED),
    seeds: ['123\n'],
    errors,
  }),
  target({
    name: 'answer-of-monitor',
    form: 'json',
    parse: (bytes) => new MonitorClient(url, answering(bytes)).contained('00'.repeat(32), 5),
    seeds: ['{"size":5,"root":"AA==","proof":[]}'],
    errors,
  }),
  target({
    name: 'refusal',
    form: 'json',
    parse: (bytes) => refusal(bytes),
    seeds: ['{"code":"request/malformed","detail":"No.","rule":"r","status":400}'],
    errors: [NoteError],
  }),
];

/** A refusal is an error of the client, whatever it says. */
async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await client(bytes, 403)
    .about()
    .catch((thrown: unknown) => thrown);
  if (!(error instanceof ClientError) || error.code !== 'client/refused') throw error;
  if (error.problem === undefined) throw new NoteError('note/malformed', 'no code');
  return error.problem;
}
