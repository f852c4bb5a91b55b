import { randomBytes } from 'node:crypto';
import { openSeed } from '@treering/keys';
import { KEY_TYPE } from '@treering/note';
import type { OidcProvider } from '@treering/record';
import { ByteBudget, RateLimit } from '@treering/server';
import { encodeCbor, encodeCoseKey, type StatementSigner, signStatement } from '@treering/statement';
import type { Storage } from '@treering/storage';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { ENROLMENT_CONTENT_TYPE } from '../src/content-types.js';
import { createApp, createMetrics, parseConfig, Registrar, STARTING_POLICY, TokenVerifier } from '../src/index.js';
import { identityRecord, makeStatement, memoryLog, ORIGIN, signerFrom } from './fixture.js';

/** How a request for an enrolment differs from the usual one. */
export interface RequestParts {
  /** Signs the request. */
  readonly signer?: StatementSigner;
  /** Whose key is to be enrolled, if not that of `signer`. */
  readonly key?: StatementSigner;
  readonly provider?: string;
  readonly iss?: string;
  /** Seconds since the epoch. */
  readonly iat?: number;
  readonly contentType?: string;
}

/** A signed request for an enrolment. */
export async function enrolmentRequest(token: unknown, parts: RequestParts = {}): Promise<Uint8Array> {
  const { signer = signerFrom(), provider = 'ci', iat = Math.floor(Date.now() / 1000) } = parts;
  const claims = {
    iss: parts.iss ?? `${ORIGIN}/enrolment`,
    sub: `enrolment/${provider}`,
    iat,
    contentType: parts.contentType ?? ENROLMENT_CONTENT_TYPE,
  };
  const payload = encodeCbor({ token, key: encodeCoseKey((parts.key ?? signer).key) } as Parameters<typeof encodeCbor>[0]);
  return (await signStatement(claims, payload, signer)).entry;
}

/** A log in memory that enrols by tokens of these providers, and what is asked of it. */
export async function enrollingLog(oidc: OidcProvider[], clock: () => number = Date.now, storage?: Storage) {
  const rules = [
    ...STARTING_POLICY.rules,
    { name: 'registrars', who: { roles: ['registrar'] }, may: ['identity' as const], on: ['identity/*'] },
  ];
  const memory = await memoryLog({ policy: { ...STARTING_POLICY, rules, oidc }, clock, ...(storage && { storage }) });
  const { log } = memory;
  const seed = new Uint8Array(randomBytes(32));
  const iat = Math.floor(clock() / 1000);
  const record = identityRecord('enrol', 'registrar', signerFrom(seed), ['registrar']);
  await log.submit((await makeStatement({ record, iat })).entry);
  const key = openSeed({ name: 'registrar', type: KEY_TYPE.ed25519, seed });
  const config = parseConfig({ data: 'memory' });
  const records: string[] = [];
  const app = createApp(
    {
      log,
      config,
      metrics: createMetrics(log),
      rateLimit: new RateLimit(0, 1),
      registrar: new Registrar(log, key, new TokenVerifier(), new Uint8Array(32).fill(0x44)),
      url: () => 'http://log.test',
      closing: new AbortController().signal,
      bodies: new ByteBudget(config.body_bytes),
    },
    pino({ level: 'trace' }, { write: (line: string) => records.push(line) }),
  );
  const head = (): string => `${log.sequencer.head?.size} ${Buffer.from(log.sequencer.head?.root ?? []).toString('hex')}`;
  const send = async (body: Uint8Array): Promise<Response> =>
    app.request('/v1/enrolment', {
      method: 'POST',
      headers: { 'Content-Type': 'application/cose' },
      body: body as Uint8Array<ArrayBuffer>,
    });
  const request = (token: unknown, parts: RequestParts): Promise<Uint8Array> =>
    enrolmentRequest(token, { iat: Math.floor(clock() / 1000), ...parts });
  const ask = async (token: unknown, parts: RequestParts = {}): Promise<Response> => send(await request(token, parts));
  /** Fails unless the request is refused like this, and the log unchanged. Returns the answer's text. */
  const refusesRequest = async (body: Uint8Array, expected: Expected): Promise<string> => {
    const before = head();
    const answer = await send(body);
    const text = await answer.text();
    const { code, detail, rule } = JSON.parse(text);
    assert.equal([answer.status, code], [expected.status, expected.code], text);
    if (expected.detail !== undefined) assert.match(detail, expected.detail);
    if (expected.rule !== undefined) assert.match(rule, expected.rule);
    assert.is(head(), before);
    return text;
  };
  return {
    ...memory,
    /** The HTTP face with a registrar behind it. */
    registrarApp: app,
    /** What the app wrote into its own records. */
    records,
    ask,
    head,
    refusesRequest,
    /** Fails unless the token enrols a key. */
    async enrols(token: string, parts: RequestParts = {}): Promise<Enrolment> {
      const answer = await ask(token, parts);
      assert.is(answer.status, 201, await answer.clone().text());
      return (await answer.json()) as Enrolment;
    },
    /** Fails unless the token is refused like this, by an answer that repeats nothing of it, and the log unchanged. */
    async refuses(token: unknown, expected: Expected, parts: RequestParts = {}): Promise<void> {
      const text = await refusesRequest(await request(token, parts), expected);
      const told = typeof token === 'string' ? token.split('.').filter((part) => part.length >= 8 && text.includes(part)) : [];
      assert.equal(told, []);
    },
  };
}

/** What `enrollingLog` returns. */
export type EnrollingLog = Awaited<ReturnType<typeof enrollingLog>>;

/** The answer to an enrolment. */
export interface Enrolment {
  readonly index: number;
  readonly id: string;
  readonly record: { readonly roles: string[]; readonly valid_until: number; readonly kind: string };
}

/** What a refusal has to say. */
export interface Expected {
  readonly status: number;
  readonly code: string;
  readonly detail?: RegExp;
  readonly rule?: RegExp;
}

/** The token does not hold. */
export const badToken = (detail: RegExp): Expected => ({ status: 401, code: 'enrolment/bad-token', detail });
/** The issuer cannot be asked. */
export const unreachable = (detail: RegExp): Expected => ({ status: 503, code: 'enrolment/issuer-unreachable', detail });
