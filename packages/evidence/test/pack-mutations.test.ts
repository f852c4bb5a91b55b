import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Claim, EvidenceError, type PackItem, type Question } from '../src/index.js';
import { itemsOf, packOf } from './pack-items.js';
import { decisionItem, hospital, logKeys, verified } from './pack-log.js';

// No change of a pack goes unnoticed: it is no pack any more, or it proves something else.

const ROUNDS = 10_000;
// An ML-DSA-44 line takes longer to check than all the rest; the reader knows every other key.
const ward = await hospital(logKeys.slice(0, 1));
const question: Question = { subjects: ['deploy/prod/triage'], attachments: 'public', to: (ward.log.now + 1) * 1000 };
const honest = await ward.log.pack(question, [decisionItem(ward, 2), decisionItem(ward, 7)]);
const items = await itemsOf(honest);
const summary = ({ name, verdict, text, details }: Claim): string => [name, verdict, text, ...(details ?? [])].join('\n');
const before = (await verified(honest)).claims.map(summary).join('\n\n');

/** Seeded, so that what fails once fails again. */
let seed = 0x2545_f491;
const random = (below: number): number => {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % below;
};

/** What became of a changed pack: the code of its error, or the claims that fail. */
async function outcome(pack: Uint8Array): Promise<string> {
  try {
    const { claims } = await verified(pack);
    assert.not.equal(claims.map(summary).join('\n\n'), before, 'it verifies with the same claims');
    return claims
      .filter(({ verdict }) => verdict === 'failed')
      .map(({ name }) => name)
      .join(' ');
  } catch (error) {
    if (error instanceof EvidenceError) return error.code;
    throw error;
  }
}

test(`${ROUNDS / 2} changes of one byte: none verifies with the same claims`, async () => {
  const outcomes = new Map<string, number>();
  for (let i = 0; i < ROUNDS / 2; i++) {
    const at = random(honest.length);
    const pack = honest.slice();
    pack[at] ^= 1 + random(255);
    const came = await outcome(pack).catch((error) => {
      throw new Error(`byte ${at} as ${pack[at]}: ${error.stack}`);
    });
    outcomes.set(came, (outcomes.get(came) ?? 0) + 1);
  }
  assert.ok((outcomes.get('evidence/malformed') ?? 0) > 0);
  assert.ok((outcomes.get('included') ?? 0) > 0);
  assert.ok((outcomes.get('attachments') ?? 0) > 0);
});

/** A value that differs from another, of the same kind or not. */
function changed(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const kinds = [
      () => value.slice(0, random(value.length + 1)),
      () => Uint8Array.from([...value, random(256)]),
      () => value.map((byte, i) => (i === random(value.length) ? byte ^ (1 + random(255)) : byte)),
      () => new Uint8Array(value.length),
    ];
    return kinds[random(kinds.length)]();
  }
  if (typeof value === 'number') return [value + 1, Math.max(0, value - 1), 0, 2 ** 40, -1, 'text'][random(6)];
  if (typeof value === 'string') return [`${value}x`, value.slice(1), '', value.toUpperCase(), 7][random(5)];
  if (Array.isArray(value)) {
    const at = random(value.length + 1);
    const kinds = [
      () => value.filter((_, i) => i !== at),
      () => [...value, ...value.slice(-1)],
      () => [...value].reverse(),
      () => value.map((one, i) => (i === at ? changed(one) : one)),
    ];
    return kinds[random(kinds.length)]();
  }
  if (typeof value === 'object' && value !== null) {
    const names = Object.keys(value);
    const name = names[random(names.length)];
    const rest = Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
    const kinds = [() => rest, () => ({ ...value, more: 1 }), () => ({ ...value, [name]: changed((value as never)[name]) })];
    return kinds[random(kinds.length)]();
  }
  return value !== true;
}

test(`${ROUNDS / 2} changes of one item, or of one field of one: none verifies with the same claims`, async () => {
  let same = 0;
  for (let i = 0; i < ROUNDS / 2; i++) {
    const at = random(items.length);
    const { kind, ...members } = items[at] as PackItem & Record<string, unknown>;
    const names = Object.keys(members);
    const name = names[random(names.length)];
    const kinds: (() => PackItem[])[] = [
      () => items.filter((_, k) => k !== at),
      () => [...items.slice(0, at), items[at], ...items.slice(at)],
      () => [...items.slice(0, at), items[random(items.length)], ...items.slice(at + 1)],
      ...(name === undefined
        ? []
        : Array.from({ length: 9 }, () => () => {
            const value = changed((members as Record<string, unknown>)[name]);
            return items.map((item, k) => (k === at ? ({ kind, ...members, [name]: value } as unknown as PackItem) : item));
          })),
    ];
    const next = kinds[random(kinds.length)]();
    let pack: Uint8Array;
    try {
      pack = packOf(next);
    } catch {
      // What cannot be written is no file.
      same++;
      continue;
    }
    if (Buffer.compare(pack, honest) === 0) {
      same++;
      continue;
    }
    await outcome(pack).catch((error) => {
      throw new Error(`item ${at} (${kind}), ${name}: ${error.stack}`);
    });
  }
  assert.ok(same < ROUNDS / 10, `${same} changes changed nothing`);
});

test.run();
