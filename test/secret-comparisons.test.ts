import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

// What is compared with something secret is compared in a time that does not tell how much of it was right.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const sources = ['packages', 'apps'].flatMap((group) =>
  readdirSync(join(ROOT, group), { recursive: true, encoding: 'utf8' })
    .filter((path) => /^[^/]+\/src\/.*\.ts$/.test(path))
    .map((path) => join(group, path)),
);
const textOf = (path: string): string => readFileSync(join(ROOT, path), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');

/** Every file that computes a MAC or holds a secret to compare with, and why it is right. */
const REVIEWED: Readonly<Record<string, 'compares in constant time' | 'compares nothing'>> = {
  'apps/log/src/enrolment.ts': 'compares nothing',
  'apps/recorder/src/signature.ts': 'compares in constant time',
  'apps/witness/src/ticket.ts': 'compares in constant time',
  'packages/keys/src/pkcs11.ts': 'compares in constant time',
};

test('every file that computes a MAC was looked at', () => {
  const found = sources.filter((path) => /\bcreateHmac\b|\bhmac\(/.test(textOf(path)));
  assert.equal(found.sort(), Object.keys(REVIEWED).sort());
});

test('those that compare, compare by timingSafeEqual', () => {
  const found = sources.filter((path) => /\btimingSafeEqual\(/.test(textOf(path)));
  const expected = Object.entries(REVIEWED).filter(([, how]) => how === 'compares in constant time');
  assert.equal(found.sort(), expected.map(([path]) => path).sort());
});

/** What secrets are called, and that it is compared with something else than a constant. */
const NAMES = '(?:\\w*(?:[mM]ac|[hH]mac|[pP]assphrase|[pP]assword|Pin|Secret)|pin|secret)';
const OTHER = '(?! ?(?:undefined|null|[\'"`\\d]))';
/** Comparisons that stop at the first difference. */
const COMPARISONS = [
  new RegExp(`\\b${NAMES}(?:\\(\\w*\\))? ?[!=]==${OTHER}`),
  new RegExp(`[!=]== ?(?:[\\w.]+\\.)?#?${NAMES}\\b(?![.(])`),
  new RegExp(`\\b${NAMES}\\.(?:equals|startsWith|localeCompare)\\(`),
  new RegExp(`\\b(?:equalBytes|compare)\\((?:this\\.)?#?${NAMES}\\b`),
];

test('nothing that is called as secrets are is compared otherwise', () => {
  const wrong = sources.flatMap((path) =>
    textOf(path)
      .split('\n')
      .filter(
        (line) => COMPARISONS.some((comparison) => comparison.test(line)) && !ALLOWED.some((known) => line.includes(known)),
      )
      .map((line) => `${path}: ${line.trim()}`),
  );
  assert.equal(wrong, []);
});

/** Whoever types a new passphrase twice compares it with nobody else's. */
const ALLOWED: readonly string[] = ["askSecret('The same again', streams)) !== passphrase"];

test('the patterns find what they are for', () => {
  for (const line of [
    'if (mac === given) return;',
    'if (secret !== options.secret) throw refuse();',
    'return header === this.#secret;',
    'return ownMac.equals(signature);',
    'if (equalBytes(mac, other)) return;',
  ])
    assert.ok(
      COMPARISONS.some((comparison) => comparison.test(line)),
      line,
    );
});

test.run();
