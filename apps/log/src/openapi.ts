import { recordSchemas } from '@treering/record';
import { z } from 'zod';

/** A route as the document describes it. */
interface Operation {
  readonly method: 'get' | 'post' | 'put';
  readonly path: string;
  readonly summary: string;
  readonly query?: Readonly<Record<string, z.ZodType>>;
  readonly body?: string;
  /** Another media type of the body: a statement with its attachments. */
  readonly alternative?: string;
  readonly answers: Readonly<
    Record<number, { readonly description: string; readonly type?: string; readonly schema?: z.ZodType }>
  >;
}

const base64 = z.string().meta({ format: 'byte', description: 'standard base64' });
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const index = z.int().min(0);
const checkpoint = z.string().meta({ description: 'signed note, https://c2sp.org/tlog-checkpoint' });

const submission = z.object({
  index,
  leaf: hash,
  checkpoint,
  inclusion: z.array(base64),
  receipt: base64,
  statement_url: z.url(),
});
const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  instance: z.string(),
  rule: z.string().optional(),
  current: z.object({ index, leaf: hash }).optional(),
  index: index.optional(),
  retry_after: z.int().optional().meta({ description: 'seconds' }),
});
const entryView = z.object({
  index,
  leaf: hash,
  issuer: z.string(),
  subject: z.string(),
  issued_at: z.iso.datetime(),
  key_id: hash,
  content_type: z.string(),
  record: z.record(z.string(), z.unknown()).optional().meta({ description: 'the record; bytes read {"$bytes": base64url}' }),
  rendering: z.object({ title: z.string(), facts: z.array(z.object({ label: z.string(), value: z.string() })) }).optional(),
  statement: base64,
});
const proof = { hashes: z.array(base64), checkpoint: checkpoint.optional(), root: hash.optional() };
const ok = (description: string, schema: z.ZodType) => ({ 200: { description, schema } });
const file = (description: string, type: string) => ({ 200: { description, type } });

const OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/v1/entries',
    summary: 'Log a signed statement',
    body: 'application/cose',
    alternative: 'application/cbor',
    query: { wait: z.enum(['commit', 'witnessed']).default('commit') },
    answers: {
      201: { description: 'logged', schema: submission },
      200: { description: 'logged before; the same answer', schema: submission },
    },
  },
  {
    method: 'post',
    path: '/v1/entries:batch',
    summary: 'Log up to 4,096 statements',
    body: 'application/cbor-seq',
    answers: ok(
      'one result for each statement, in order',
      z.object({ results: z.array(z.union([submission.extend({ status: z.int() }), problem])) }),
    ),
  },
  {
    method: 'get',
    path: '/v1/entries/{id}',
    summary: 'An entry by index or leaf hash',
    query: { view: z.enum(['json']).optional() },
    answers: { 200: { description: 'the statement, or with view=json decoded', schema: entryView } },
  },
  {
    method: 'put',
    path: '/v1/attachments/{digest}',
    summary: 'Upload content that an entry names, or, signed and without entry, shortly before it',
    body: 'application/octet-stream',
    query: { entry: index.optional() },
    answers: {
      201: { description: 'stored' },
      200: { description: 'stored before' },
      202: { description: 'kept until a statement names it' },
    },
  },
  {
    method: 'get',
    path: '/v1/enrolment',
    summary: 'The identity providers whose tokens enrol keys',
    answers: ok(
      'providers',
      z.object({
        open: z.boolean(),
        policy: index,
        providers: z.array(
          z.object({ name: z.string(), issuer: z.string(), audience: z.string(), kind: z.string(), binding: z.string() }),
        ),
      }),
    ),
  },
  {
    method: 'post',
    path: '/v1/enrolment',
    summary: 'Enrol a key by the token of an identity provider',
    body: 'application/cose',
    answers: {
      201: {
        description: 'enrolled',
        schema: z.object({ index, leaf: hash, id: z.string(), record: z.record(z.string(), z.unknown()) }),
      },
    },
  },
  {
    method: 'get',
    path: '/.well-known/scitt-keys',
    summary: 'Keys of receipts (SCITT reference API)',
    answers: file('COSE key set', 'application/cbor'),
  },
  {
    method: 'get',
    path: '/.well-known/scitt-keys/{kid}',
    summary: 'One key of receipts, by its RFC 9679 thumbprint in base64url or hex',
    answers: file('COSE_Key', 'application/cbor'),
  },
  {
    method: 'post',
    path: '/entries',
    summary: 'Register a signed statement (SCITT reference API)',
    body: 'application/cose',
    answers: { 201: { description: 'COSE receipt (RFC 9942)', type: 'application/cose' } },
  },
  {
    method: 'get',
    path: '/entries/{id}',
    summary: 'A fresh receipt of an entry, by leaf hash or index',
    answers: file('COSE receipt (RFC 9942)', 'application/cose'),
  },
  {
    method: 'get',
    path: '/entries/{id}/statement',
    summary: 'The signed statement',
    answers: file('COSE_Sign1', 'application/cose'),
  },
  {
    method: 'get',
    path: '/entries/{id}/transparent-statement',
    summary: 'The signed statement with a receipt in its header 394 (RFC 9943)',
    answers: file('COSE_Sign1', 'application/cose'),
  },
  {
    method: 'get',
    path: '/v1/proof/inclusion',
    summary: 'Inclusion proof (RFC 9162 2.1.3)',
    query: { leaf: hash.optional(), index: index.optional(), size: index.optional() },
    answers: ok('proof', z.object({ index, size: index, ...proof })),
  },
  {
    method: 'get',
    path: '/v1/proof/consistency',
    summary: 'Consistency proof (RFC 9162 2.1.4)',
    query: { from: index, to: index.optional() },
    answers: ok('proof', z.object({ from: index, to: index, ...proof })),
  },
  {
    method: 'get',
    path: '/v1/proof/{index}.tlog-proof',
    summary: 'Proof file that verifies offline',
    answers: file('https://c2sp.org/tlog-proof', 'text/plain'),
  },
  {
    method: 'get',
    path: '/v1/receipt/{index}',
    summary: 'COSE receipt (RFC 9942)',
    answers: file('receipt', 'application/scitt-receipt+cose'),
  },
  {
    method: 'get',
    path: '/v1/subjects',
    summary: 'What the log has records about',
    query: { prefix: z.string().optional(), after: z.string().optional() },
    answers: ok(
      'subjects in order',
      z.object({
        subjects: z.array(z.object({ subject: z.string(), count: z.int(), latest: z.object({ index, leaf: hash }) })),
        next: z.string().optional(),
      }),
    ),
  },
  {
    method: 'get',
    path: '/v1/subjects/{subject}',
    summary: 'History of a subject, newest first, or its state at a time',
    query: { before: index.optional(), at: z.string().optional() },
    answers: ok(
      'records',
      z.object({
        subject: z.string(),
        records: z.array(entryView).optional(),
        state: entryView.optional(),
        at: z.string().optional(),
        next: index.optional(),
      }),
    ),
  },
  {
    method: 'get',
    path: '/v1/events',
    summary: 'Server-sent events: record, checkpoint, gap',
    answers: file('event stream', 'text/event-stream'),
  },
  {
    method: 'get',
    path: '/v1/log',
    summary: 'What the log says of itself',
    answers: ok(
      'log',
      z.object({
        origin: z.string(),
        url: z.url(),
        vkeys: z.array(z.string()),
        receipt_key: base64,
        committed: z.unknown(),
        published: z.unknown(),
        policy: z.unknown(),
        administrators: z.array(z.string()),
        threshold: z.int(),
        proposals: z.array(z.object({ subject: z.string(), index, leaf: hash, agreeing: z.int() })),
        enrolment: z.boolean(),
        read_only: z.boolean(),
        limits: z.record(z.string(), z.int()),
        witnesses: z.array(z.unknown()),
        implementation: z.record(z.string(), z.string()),
      }),
    ),
  },
  { method: 'get', path: '/checkpoint', summary: 'The published checkpoint', answers: file('signed note', 'text/plain') },
  {
    method: 'get',
    path: '/v1/checkpoints',
    summary: 'Published checkpoints that are kept for good, by size: the first and the newest of each that has any',
    query: { from: index.default(0), limit: z.int().min(1).max(1000).default(100) },
    answers: ok(
      'checkpoints in the order of size and time, two of one size never on two pages',
      z.object({
        checkpoints: z.array(
          z.object({ size: index, time: z.int().meta({ description: 'milliseconds since the epoch' }), checkpoint }),
        ),
        next: index.optional().meta({ description: 'where to go on, if there are more' }),
      }),
    ),
  },
  {
    method: 'get',
    path: '/tile/{path}',
    summary: 'Tiles and entry bundles (https://c2sp.org/tlog-tiles)',
    answers: file('tile', 'application/octet-stream'),
  },
  {
    method: 'get',
    path: '/addenda/{a}/{b}/{digest}',
    summary: 'An attachment: salt and content',
    answers: file('blob', 'application/octet-stream'),
  },
  {
    method: 'get',
    path: '/ct/v1/get-sth',
    summary: 'RFC 6962 section 4.3',
    answers: ok(
      'head',
      z.object({ tree_size: index, timestamp: index, sha256_root_hash: base64, tree_head_signature: base64 }),
    ),
  },
  {
    method: 'get',
    path: '/ct/v1/get-sth-consistency',
    summary: 'RFC 6962 section 4.4',
    query: { first: index, second: index.optional() },
    answers: ok('proof', z.object({ consistency: z.array(base64) })),
  },
  {
    method: 'get',
    path: '/ct/v1/get-proof-by-hash',
    summary: 'RFC 6962 section 4.5',
    query: { hash: base64, tree_size: index.optional() },
    answers: ok('proof', z.object({ leaf_index: index, audit_path: z.array(base64) })),
  },
  {
    method: 'get',
    path: '/ct/v1/get-entries',
    summary: 'RFC 6962 section 4.6',
    query: { start: index, end: index },
    answers: ok('entries', z.object({ entries: z.array(z.object({ leaf_input: base64, extra_data: z.string() })) })),
  },
  {
    method: 'get',
    path: '/ct/v1/get-entry-and-proof',
    summary: 'RFC 6962 section 4.8',
    query: { leaf_index: index, tree_size: index.optional() },
    answers: ok('entry', z.object({ leaf_input: base64, extra_data: z.string(), audit_path: z.array(base64) })),
  },
  { method: 'get', path: '/healthz', summary: 'Liveness', answers: ok('alive', z.object({ status: z.string() })) },
  {
    method: 'get',
    path: '/readyz',
    summary: 'Readiness: storage writable, head recent',
    answers: ok('ready', z.object({ status: z.string(), committed: index, published: index })),
  },
  { method: 'get', path: '/metrics', summary: 'Prometheus metrics', answers: file('metrics', 'text/plain') },
];

const json = (schema: z.ZodType): unknown => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { unrepresentable: 'any' }) as Record<string, unknown>;
  return rest;
};

/** The OpenAPI 3.1 description, made from the same schemas that check records. */
export function openApi(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, summary, query, body, alternative, answers } of OPERATIONS) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    }));
    const inQuery = Object.entries(query ?? {}).map(([name, schema]) => ({
      name,
      in: 'query',
      required: !schema.safeParse(undefined).success,
      schema: json(schema),
    }));
    const responses = Object.fromEntries(
      Object.entries(answers).map(([status, { description, type, schema }]) => {
        const media =
          schema === undefined
            ? type === undefined
              ? undefined
              : { [type]: {} }
            : { 'application/json': { schema: json(schema) } };
        return [status, { description, ...(media === undefined ? {} : { content: media }) }];
      }),
    );
    paths[path] = {
      ...paths[path],
      [method]: {
        summary,
        parameters: [...inPath, ...inQuery],
        ...(body === undefined
          ? {}
          : {
              requestBody: {
                required: true,
                content: { [body]: {}, ...(alternative === undefined ? {} : { [alternative]: {} }) },
              },
            }),
        responses: {
          ...responses,
          default: {
            description: 'problem (RFC 9457)',
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/problem' } } },
          },
        },
      },
    };
  }
  const records = Object.fromEntries(Object.entries(recordSchemas).map(([type, schema]) => [`record-${type}`, json(schema)]));
  return {
    openapi: '3.1.0',
    info: {
      title: 'Treering log',
      version: '1',
      description: 'A Merkle-tree transparency log for changes to AI systems.',
      license: { name: 'Apache-2.0' },
    },
    paths,
    components: { schemas: { problem: json(problem), ...records } },
  };
}
