import { createSigner, KEY_TYPE } from '@treering/note';
import { stateDigest } from '@treering/record';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AttestationEvidence,
  decodeEvidence,
  encodeEvidence,
  type QuoteClaim,
  type QuoteTrust,
  quoteHolds,
  REQUIRED_QUOTE_CLAIMS,
  replayEvents,
  verifyQuote,
} from '../src/index.js';
import {
  AttestationKey,
  checkpointOf,
  DEPLOYMENT,
  digestOf,
  event,
  evidenceOf,
  HOST,
  LOG,
  ROOT,
  type Said,
  TRUST,
} from './made-quote.js';

const examine = (evidence: AttestationEvidence, trust: Partial<QuoteTrust> = {}): readonly QuoteClaim[] =>
  verifyQuote(decodeEvidence(encodeEvidence(evidence)), {
    ...TRUST,
    deployment: evidence.deployment,
    state: evidence.state,
    ...trust,
  }).claims;
const verdictsOf = (claims: readonly QuoteClaim[]): Record<string, string> =>
  Object.fromEntries(claims.map(({ name, verdict }) => [name, verdict]));

test('evidence that holds proves everything that has to be proved', () => {
  const claims = examine(evidenceOf());
  assert.ok(quoteHolds(claims));
  const verdicts = verdictsOf(claims);
  for (const name of REQUIRED_QUOTE_CLAIMS) assert.is(verdicts[name], 'proved', name);
  assert.equal([verdicts.deployment, verdicts.interval, verdicts.clock], ['proved', 'not proved', 'proved']);
  const { quote, checkpoint } = verifyQuote(evidenceOf(), TRUST);
  assert.equal([quote?.clock, checkpoint?.size], [1000n, 9n]);
});

// What is altered, and exactly which claims fail by it.
const foreign = new AttestationKey();
const otherLog = createSigner('log.test/attestation', KEY_TYPE.ed25519, new Uint8Array(32).fill(2));
const LOADED = [event('model', 1), event('config', 2)];
const cases: [string, AttestationEvidence, readonly string[]][] = [
  ['another nonce', evidenceOf({}, { nonce: digestOf(9) }), ['nonce']],
  ['an empty nonce', evidenceOf({}, { nonce: new Uint8Array(0) }), ['nonce']],
  ['another checkpoint of the log', evidenceOf({ checkpoint: checkpointOf(digestOf(8)) }), ['nonce']],
  ['a checkpoint that others signed', evidenceOf({ checkpoint: checkpointOf(ROOT, otherLog) }), ['checkpoint']],
  ['no checkpoint', evidenceOf({ checkpoint: new Uint8Array(0) }), ['checkpoint']],
  ['a key that nobody enrolled', evidenceOf({}, {}, foreign), ['key-enrolled']],
  ['the signature of another key', evidenceOf({ key: HOST.key }, {}, foreign), ['signature']],
  ['another register', evidenceOf({}, { banks: [[0x000b, [0, 0x40, 0]]] }), ['selection']],
  ['one register more', evidenceOf({}, { banks: [[0x000b, [1, 0x20, 0]]] }), ['selection']],
  ['no register', evidenceOf({}, { banks: [[0x000b, [0, 0, 0]]] }), ['selection']],
  ['no bank', evidenceOf({}, { banks: [] }), ['selection']],
  ['the bank of SHA-1', evidenceOf({}, { banks: [[0x0004, [0, 0x20, 0]]] }), ['selection']],
  [
    'two banks',
    evidenceOf(
      {},
      {
        banks: [
          [0x000b, [0, 0x20, 0]],
          [0x0004, [0, 0x20, 0]],
        ],
      },
    ),
    ['selection'],
  ],
  ['another value of the register', evidenceOf({}, { digest: digestOf(9) }), ['digest']],
  ['a value that was made up', evidenceOf({ value: digestOf(9) }), ['event-log']],
  ['an event that was left out', evidenceOf({ value: replayEvents([event('model', 7), ...LOADED]) }), ['event-log']],
  ['events of another register', evidenceOf({ events: LOADED.map((one) => ({ ...one, pcr: 14 })) }), ['event-log']],
  ['something loaded after it', evidenceOf({ events: [...LOADED, event('file', 7)], state: stateOf(1, 2) }), ['loaded']],
  [
    'a model loaded after it under another label',
    evidenceOf({ events: [event('file', 7), event('model', 1), event('file', 8), event('config', 2)], state: stateOf(1, 2) }),
    ['loaded'],
  ],
  ['the wrong order', evidenceOf({ events: [...LOADED].reverse(), state: stateOf(1, 2) }), ['loaded']],
  ['another model', evidenceOf({ events: [event('model', 3), event('config', 2)], state: stateOf(1, 2) }), ['loaded']],
  ['nothing loaded', evidenceOf({ events: [], state: stateOf(1, 2) }), ['loaded']],
  ['a deployed image that was not loaded', evidenceOf({ state: stateOf(1, 2, 5) }), ['loaded']],
];

function stateOf(model: number, config: number, image?: number): Uint8Array {
  return stateDigest(digestOf(model), digestOf(config), image === undefined ? undefined : digestOf(image));
}

for (const [what, evidence, failing] of cases)
  test(`${what}: ${failing.join(' and ')} fails, and nothing else`, () => {
    const claims = examine(evidence);
    assert.equal(
      claims.filter(({ verdict }) => verdict === 'failed').map(({ name }) => name),
      failing,
    );
    assert.not(quoteHolds(claims));
  });

test('what was loaded before does not matter to what is loaded last, and an image counts', () => {
  assert.ok(quoteHolds(examine(evidenceOf({ events: [event('model', 7), event('config', 8), ...LOADED] }))));
  const imaged = [event('image', 5), ...LOADED];
  assert.ok(quoteHolds(examine(evidenceOf({ events: imaged, state: stateOf(1, 2, 5) }))));
  assert.ok(quoteHolds(examine(evidenceOf({ events: imaged, state: stateOf(1, 2) }))), 'the deployment names no image');
});

test('a quote that cannot be read fails, whatever else there is', () => {
  for (const evidence of [
    evidenceOf({ quote: new Uint8Array(3) }),
    evidenceOf({ signature: Uint8Array.from([0, 0x14, 0, 0x0b]) }),
    evidenceOf({}, { magic: 1 }),
  ]) {
    const claims = examine(evidence);
    assert.is(claims[0].verdict, 'failed');
    assert.not(quoteHolds(claims));
  }
  assert.match(examine(evidenceOf({ signature: Uint8Array.from([0, 0x14, 0, 0x0b]) }))[0].text, /RSASSA/);
});

test('without an enrolled key, nothing holds', () => {
  const claims = examine(evidenceOf(), { enrolled: undefined });
  assert.is(verdictsOf(claims)['key-enrolled'], 'failed');
  assert.not(quoteHolds(claims));
});

test('the deployment and the state are those that were asked for', () => {
  const evidence = evidenceOf();
  const { state } = evidence;
  const cases: [Partial<QuoteTrust>, string][] = [
    [{ deployment: DEPLOYMENT, state }, 'proved'],
    [{ deployment: DEPLOYMENT }, 'not proved'],
    [{ state }, 'not proved'],
    [{}, 'not proved'],
    [{ deployment: ROOT, state }, 'failed'],
    [{ deployment: DEPLOYMENT, state: ROOT }, 'failed'],
    [{ deployment: ROOT }, 'failed'],
    [{ state: ROOT }, 'failed'],
  ];
  for (const [trust, wanted] of cases) {
    const { claims } = verifyQuote(evidence, { ...TRUST, ...trust });
    assert.is(verdictsOf(claims).deployment, wanted);
    assert.is(quoteHolds(claims), wanted === 'proved');
  }
});

test('a deployment that the host made up does not hold', () => {
  const made = evidenceOf({ deployment: digestOf(0xee), events: [event('model', 66), event('config', 67)] });
  assert.not(quoteHolds(verifyQuote(made, TRUST).claims));
});

test('the register is the one that was asked for', () => {
  for (const [pcr, wanted] of [
    [13, 'proved'],
    [23, 'failed'],
  ] as const) {
    const claims = examine(evidenceOf(), { pcr });
    assert.is(verdictsOf(claims).selection, wanted);
    assert.is(quoteHolds(claims), wanted === 'proved');
  }
});

test('a clock that may have gone back is said to be so', () => {
  const claims = examine(evidenceOf({}, { safe: 0 }));
  assert.is(verdictsOf(claims).clock, 'not proved');
  assert.ok(quoteHolds(claims));
});

// Two quotes of one host, and whether anything else was loaded in between.
const before = evidenceOf({}, { clock: 500n });
const later = [...LOADED, event('model', 3), event('config', 4)];
const after = (said: Said = {}, changed: Partial<AttestationEvidence> = {}): AttestationEvidence =>
  evidenceOf({ events: later, ...changed }, said);
const interval = (evidence: AttestationEvidence, previous: AttestationEvidence): QuoteClaim =>
  examine(evidence, { previous }).find(({ name }) => name === 'interval') as QuoteClaim;

test('between two quotes without a reset, the log names everything that was loaded', () => {
  const { verdict, text, details = [] } = interval(after(), before);
  assert.is(verdict, 'proved', text);
  assert.match(text, /these 2 events are all that the loader loaded/);
  assert.is(details.length, 2);
  assert.match(details[0], /^model "model 3" 03{1}/);
  assert.match(interval(after({ clock: 500n }, { events: LOADED, state: stateOf(9, 9) }), before).text, /loaded nothing/);
});

const intervals: [string, AttestationEvidence, AttestationEvidence, string, RegExp][] = [
  ['the same quote', before, before, 'failed', /replayed/],
  ['a clock that went back', after({ clock: 499n }), before, 'failed', /clock of the TPM went back/],
  ['a reset', after({ resets: 5 }), before, 'not proved', /the TPM was reset/],
  ['a restart', after({ restarts: 1 }), before, 'not proved', /restarted or resumed/],
  [
    'an event that was there before and is not now',
    after({}, { events: later.slice(2) }),
    before,
    'failed',
    /does not begin with that of the earlier quote/,
  ],
  [
    'an event with another label than before',
    after({}, { events: [{ ...event('model', 1), name: 'another' }, ...later.slice(1)] }),
    before,
    'failed',
    /was altered/,
  ],
  ['an earlier log that is longer', evidenceOf(), { ...after({ clock: 1n }) }, 'failed', /was altered/],
  [
    'a register that software sets back',
    after({}, { pcr: 23, events: later.map((one) => ({ ...one, pcr: 23 })) }),
    evidenceOf({ pcr: 23, events: LOADED.map((one) => ({ ...one, pcr: 23 })) }, { clock: 500n }),
    'not proved',
    /set back by software/,
  ],
  ['another register', after(), evidenceOf({ pcr: 12, events: [] }, { clock: 500n }), 'not proved', /is of register 12/],
  [
    'a clock that went back, in another register',
    after({ clock: 499n }),
    evidenceOf({ pcr: 12, events: [] }, { clock: 500n }),
    'failed',
    /clock of the TPM went back/,
  ],
  [
    'another register after a reset',
    after({ resets: 5, clock: 1n }),
    evidenceOf({ pcr: 12, events: [] }),
    'not proved',
    /reset/,
  ],
  [
    'an earlier quote of another key',
    after(),
    evidenceOf({}, { clock: 500n }, foreign),
    'not proved',
    /another attestation key signed/,
  ],
  ['an earlier quote that nobody signed', after(), { ...before, signature: after().signature }, 'failed', /signature/],
  ['an earlier quote that cannot be read', after(), { ...before, quote: new Uint8Array(2) }, 'failed', /cannot be read/],
  [
    'an earlier log that was altered',
    after(),
    { ...before, events: [event('model', 6), event('config', 2)] },
    'failed',
    /earlier quote does not hold: the event log/,
  ],
  [
    'another register in the earlier quote',
    after(),
    { ...before, pcr: 14 },
    'failed',
    /earlier quote does not hold: not exactly/i,
  ],
];

for (const [what, now, earlier, wanted, why] of intervals)
  test(`between two quotes: ${what}`, () => {
    const { verdict, text } = interval(now, earlier);
    assert.is(verdict, wanted, text);
    assert.match(text, why);
  });

test('the origin of the log counts', () => {
  const claims = examine(evidenceOf(), { log: { ...LOG, origin: 'log.test/other' } });
  assert.equal([verdictsOf(claims).checkpoint, verdictsOf(claims).nonce], ['failed', 'not proved']);
});

test.run();
