import vm from 'node:vm';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { coversGlob, overlapsGlob } from '../src/glob.js';
import { matchesGlob } from '../src/index.js';

/** The rule of formats.md section 7 word by word: "*" within a segment, a last "**" for one or more segments. */
function plainMatch(pattern: string, subject: string): boolean {
  const [globs, segments] = [pattern.split('/'), subject.split('/')];
  const rest = globs.at(-1) === '**';
  const heads = rest ? globs.slice(0, -1) : globs;
  if (rest ? segments.length <= heads.length : segments.length !== heads.length) return false;
  return heads.every((glob, i) => matchesSegment(glob, segments[i]));
}

function matchesSegment(glob: string, segment: string): boolean {
  // reached[i]: the glob so far can stand for the first i characters.
  let reached = [true, ...Array.from(segment, () => false)];
  for (const c of glob) {
    const next = reached.map(() => false);
    for (let i = 0; i <= segment.length; i++) {
      if (c === '*') next[i] = reached[i] || (i > 0 && next[i - 1]);
      else next[i] = i > 0 && reached[i - 1] && segment[i - 1] === c;
    }
    reached = next;
  }
  return reached[segment.length];
}

test('patterns and the subjects that fit them', () => {
  const table: readonly [string, readonly string[], readonly string[]][] = [
    ['policy', ['policy'], ['policy/x', 'policyx', 'xpolicy']],
    ['*', ['model', 'a.b'], ['model/wink']],
    ['**', ['model', 'model/wink', 'a/b/c/d/e/f/g/h'], []],
    ['model/*', ['model/wink', 'model/a.b-c_d@e'], ['model', 'model/wink/x', 'models/wink', 'xmodel/wink']],
    ['model/**', ['model/wink', 'model/wink/x'], ['model', 'models/wink']],
    ['model/w*k', ['model/wk', 'model/wink'], ['model/win', 'model/winks', 'model/w/k']],
    ['deploy/*/credit', ['deploy/prod/credit'], ['deploy/credit', 'deploy/a/b/credit']],
    ['deploy/**/credit', ['deploy/prod/credit'], ['deploy/credit', 'deploy/a/b/credit']],
    ['model/a.b', ['model/a.b'], ['model/axb']],
    ['**x', ['x', 'aax'], ['a/x']],
    ['*-*', ['a-b', '-', 'a-b-c'], ['ab', 'a/-b']],
  ];
  for (const [pattern, yes, no] of table) {
    for (const subject of yes) assert.ok(matchesGlob(pattern, subject), `${pattern} fits ${subject}`);
    for (const subject of no) assert.not.ok(matchesGlob(pattern, subject), `${pattern} does not fit ${subject}`);
  }
});

const segment = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '@', '_'), minLength: 1, maxLength: 4 });
const subject = fc.array(segment, { minLength: 1, maxLength: 4 }).map((s) => s.join('/'));
const piece = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', '*', '*'), minLength: 1, maxLength: 4 });
const pattern = fc
  .array(fc.oneof(piece, fc.constant('**'), fc.constant('*')), { minLength: 1, maxLength: 4 })
  .map((s) => s.join('/'));

test('any pattern and subject match as the rule says', () => {
  let matched = 0;
  fc.assert(
    fc.property(pattern, subject, (p, s) => {
      const expected = plainMatch(p, s);
      if (expected) matched++;
      assert.is(matchesGlob(p, s), expected, `${p} and ${s}`);
    }),
    { seed: 42, numRuns: 10_000 },
  );
  assert.ok(matched > 300, `only ${matched} matched`);
});

test('a pattern that covers another one fits all that the other fits', () => {
  let covered = 0;
  fc.assert(
    fc.property(pattern, pattern, fc.array(subject, { minLength: 10, maxLength: 10 }), (outer, inner, subjects) => {
      if (!coversGlob(outer, inner)) return;
      for (const s of subjects.filter((each) => matchesGlob(inner, each))) {
        covered++;
        assert.ok(matchesGlob(outer, s), `${outer} covers ${inner}, which fits ${s}`);
      }
    }),
    { seed: 42, numRuns: 20_000 },
  );
  assert.ok(covered > 300, `only ${covered} subjects were covered`);
});

test('two patterns overlap exactly when some subject fits both', () => {
  const words = (letters: string, most: number): string[] => {
    const all = [''];
    for (let start = 0, length = 0; length < most; length++) {
      const end = all.length;
      for (; start < end; start++) for (const letter of letters) all.push(all[start] + letter);
    }
    return all.slice(1);
  };
  // One segment: what fits two patterns of three characters has six at most.
  const segments = words('ab', 6);
  const patterns = words('ab*', 3);
  const fitting = new Map(patterns.map((p) => [p, new Set(segments.filter((s) => plainMatch(p, s)))]));
  for (const one of patterns) {
    for (const other of patterns) {
      const some = [...(fitting.get(one) as Set<string>)].some((s) => fitting.get(other)?.has(s));
      assert.is(overlapsGlob(one, other), some, `${one} and ${other}`);
    }
  }
  fc.assert(
    fc.property(pattern, pattern, subject, (one, other, s) => {
      if (plainMatch(one, s) && plainMatch(other, s)) assert.ok(overlapsGlob(one, other), `${one} and ${other} fit ${s}`);
      assert.is(overlapsGlob(one, other), overlapsGlob(other, one));
    }),
    { seed: 42, numRuns: 20_000 },
  );
  const apart = [
    ['a/*', 'a'],
    ['a/**', 'a'],
    ['a/*/**', 'a/b'],
    ['a/**', 'b/**'],
    ['**', 'a/b'],
    ['*/b', 'a/**'],
  ];
  assert.equal(
    apart.map(([one, other]) => overlapsGlob(one, other)),
    [false, false, false, false, true, true],
  );
});

test('patterns that cover others, and that do not', () => {
  const yes = [
    ['**', '**'],
    ['**', '*'],
    ['**', 'policy'],
    ['model/**', 'model/a/**'],
    ['model/*', 'model/w*'],
    ['model/*', 'model/*'],
  ];
  const no = [
    ['*', '**'],
    ['model/*', 'model/**'],
    ['model/**', '**'],
    ['model/**', 'model'],
    ['model/w*', 'model/*'],
    ['a', '*'],
    ['a/*/**', 'a/**'],
  ];
  for (const [outer, inner] of yes) assert.ok(coversGlob(outer, inner), `${outer} covers ${inner}`);
  for (const [outer, inner] of no) assert.not.ok(coversGlob(outer, inner), `${outer} does not cover ${inner}`);
});

test('characters that mean something elsewhere mean themselves', () => {
  for (const c of ['.', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$', '\\']) {
    assert.ok(matchesGlob(`a${c}b`, `a${c}b`), c);
    assert.not.ok(matchesGlob(`a${c}b`, 'axb'), c);
    assert.not.ok(matchesGlob(`a${c}`, 'a'), c);
  }
});

test('thousands of patterns are told apart', () => {
  for (const round of [1, 2]) {
    for (let i = 0; i < 5000; i++) assert.ok(matchesGlob(`model/m${i}-*`, `model/m${i}-x`), `${round}: ${i}`);
    assert.not.ok(matchesGlob('model/m1-*', 'model/m2-x'));
  }
});

test('no pattern that a record may hold takes long, whatever the subject', () => {
  const hostile: readonly [string, string][] = [
    [`${'*a'.repeat(12)}*b`, 'a'.repeat(200)],
    [`${'*a'.repeat(99)}*b`, 'a'.repeat(200)],
    [`${'*'.repeat(199)}b`, 'a'.repeat(200)],
    [`${'*a'.repeat(20)}/${'*a'.repeat(20)}*b`, `${'a'.repeat(99)}/${'a'.repeat(99)}`],
  ];
  for (const [pattern, subject] of hostile) {
    let outcome: boolean | undefined;
    const match = (): void => {
      outcome = matchesGlob(pattern, subject);
    };
    try {
      vm.runInNewContext('match()', { match }, { timeout: 1000 });
    } catch (error) {
      assert.unreachable(`${pattern.slice(0, 30)}… on ${subject.length} characters: ${(error as Error).message}`);
    }
    assert.is(outcome, false);
  }
});

test.run();
