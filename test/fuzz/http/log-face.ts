import { encodeRecord, formatManifest } from '@treering/record';
import { decodeCbor, encodeCbor, fromJson, type Json, signStatement, toJson } from '@treering/statement';
import { enrollingLog, enrolmentRequest } from '../../../apps/log/test/enrolling.js';
import { makeStatement, ORIGIN, SEED, signerFrom } from '../../../apps/log/test/fixture.js';
import { provider } from '../../../apps/log/test/identity-provider.js';
import { ALL_EXAMPLES } from '../../../packages/record/test/examples.js';
import { mutateBytes } from '../mutate-bytes.js';
import { mutateCbor } from '../mutate-cbor.js';
import { mutateJson } from '../mutate-json.js';
import type { Random } from '../random.js';
import { bytesOf } from '../target.js';
import { DIGEST, DSSE } from '../targets/samples.js';
import { vectorBundles } from '../targets/vector-inputs.js';
import type { Asked, Face } from './face.js';
import { headersFrom } from './requests.js';

const COSE = 'application/cose';
const IN_TOTO = 'application/vnd.in-toto+json';
const manifest = formatManifest('m', [{ name: 'a', digest: DIGEST }]);
const envelope = JSON.stringify({
  ...JSON.parse(DSSE),
  payloadType: IN_TOTO,
  payload: Buffer.from(manifest).toString('base64'),
});
/** Contents of statements that are no records. */
const FOREIGN: readonly (readonly [string, Uint8Array])[] = [
  ['application/vnd.dsse.envelope.v1+json', bytesOf(envelope)],
  [IN_TOTO, manifest],
  ...vectorBundles().map((bundle): [string, Uint8Array] => ['application/vnd.dev.sigstore.bundle.v0.3+json', bundle]),
];
const records = ALL_EXAMPLES.map(({ record }) => ({ sub: record.subject, payload: encodeRecord(record) }));
const admin = signerFrom(SEED.admin);

/** A log in memory that also enrols by token. Many of its statements are well signed: what they say is not. */
export async function logFace(): Promise<Face> {
  const { registrarApp: app, log, size } = await enrollingLog([provider('https://issuer.test')]);
  const honest = (await makeStatement()).entry;
  await log.submit(honest);
  await log.publisher.publish();
  const paths = [
    ...['/checkpoint', '/tile/0/000.p/2', '/tile/entries/000.p/2', '/v1/entries/1', '/v1/subjects', '/v1/subjects/model/wink'],
    ...[
      '/v1/proof/inclusion',
      '/v1/proof/consistency',
      '/v1/proof/1.tlog-proof',
      '/v1/receipt/1',
      '/v1/checkpoints',
      '/v1/events',
    ],
    ...['/v1/log', '/v1/openapi.json', '/v1/enrolment', '/healthz', '/readyz', '/metrics', '/get-sth', '/get-sth-consistency'],
    ...['/get-proof-by-hash', '/get-entries', '/get-entry-and-proof', '/.well-known/scitt-keys', `/entries/${'ab'.repeat(32)}`],
    ...['/entries/1/statement', '/entries/1/transparent-statement', `/addenda/ab/ab/${'ab'.repeat(32)}`],
  ];

  return {
    name: 'log',
    answer: async (request) => app.request(request),
    paths,
    refusals: [],
    state: async () =>
      `${size()} ${Buffer.from(log.sequencer.head?.root ?? []).toString('hex')} ${await log.storage.attachments('', 1000)}`,
    submission,
  };

  async function submission(random: Random): Promise<Asked> {
    const statement = await statementFrom(random);
    const mutant = random.oneIn(2) ? mutateCbor(statement, random) : mutateBytes(statement, random);
    const body = random.oneIn(4) ? mutant : statement;
    const ask = (method: string, path: string, type: string, bytes: Uint8Array): Asked => ({
      method,
      path,
      headers: { ...(random.oneIn(10) ? headersFrom(random) : {}), 'Content-Type': type },
      body: bytes,
    });
    switch (random.below(8)) {
      case 0:
        return ask('POST', '/entries', COSE, body);
      case 1: {
        const whole = encodeCbor({ statement: body, attachments: [random.bytes(20), DIGEST] });
        return ask('POST', '/v1/entries', 'application/cbor', random.oneIn(2) ? mutateCbor(whole, random) : whole);
      }
      case 2: {
        const parts = [body, honest, random.oneIn(2) ? random.bytes(5) : statement];
        return ask('POST', '/v1/entries:batch', 'application/cbor-seq', Uint8Array.from(parts.flatMap((part) => [...part])));
      }
      case 3: {
        const asking = await enrolmentRequest(random.pick(['a.b.c', 'x', 5, null, 'eyJhbGciOiJub25lIn0.e30.', 'é..']));
        return ask('POST', '/v1/enrolment', COSE, random.oneIn(2) ? mutateCbor(asking, random) : asking);
      }
      case 4: {
        const digest = random.pick(['ab'.repeat(32), 'AB', '00'.repeat(32)]);
        return ask(
          'PUT',
          `/v1/attachments/${digest}${random.pick(['', '?entry=1', '?entry=-1', '?entry=999'])}`,
          'application/octet-stream',
          body,
        );
      }
      default:
        return ask('POST', '/v1/entries', COSE, body);
    }
  }
}

/** A record with other members, mostly in the form that CBOR has to have, so that it is looked at. */
function changedRecord(payload: Uint8Array, random: Random): Uint8Array {
  if (random.oneIn(6)) return mutateCbor(payload, random);
  const view = bytesOf(JSON.stringify(toJson(decodeCbor(payload))));
  return encodeCbor(fromJson(JSON.parse(Buffer.from(mutateJson(view, random)).toString('utf8')) as Json));
}

/** A statement of the administrator whose header is as it should be, with any content. */
async function statementFrom(random: Random): Promise<Uint8Array> {
  const claims = {
    iss: random.oneIn(10)
      ? random.pick(['', 'x', `${ORIGIN}/identity/`, `${ORIGIN}/identity/__proto__`])
      : `${ORIGIN}/identity/admin`,
    iat: Math.floor(Date.now() / 1000) + (random.oneIn(10) ? random.pick([-1e6, 1e6, 2 ** 40]) : 0),
  };
  const foreign = random.oneIn(3);
  const { sub, payload } = random.pick(records);
  const [contentType, content] = random.pick(FOREIGN);
  const subject = random.oneIn(10)
    ? random.pick(['', 'x', 'model/__proto__', 'charter', 'policy', 'a'.repeat(300), 'é/b', '../x'])
    : sub;
  try {
    const all = { ...claims, sub: subject, ...(foreign ? { contentType } : {}) };
    const changed = foreign ? mutateJson(content, random) : changedRecord(payload, random);
    return (await signStatement(all, random.oneIn(5) ? (foreign ? content : payload) : changed, admin)).entry;
  } catch {
    // What cannot be signed is sent unsigned.
    return payload;
  }
}
