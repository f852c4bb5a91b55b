import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Desk, noBrowser } from './report-page.js';

// The kernel in Chromium: the same hashes as in Node, also where a page may not compile WebAssembly.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const missing = noBrowser();
if (missing !== undefined) {
  if (process.env.CI) throw new Error(`${missing}; a CI run needs it`);
  console.log(`${missing}: the kernel is not tested in a browser`);
}
const inBrowser = missing === undefined ? test : test.skip;

/** What a page computes: hashes of nodes and leaves whose bytes follow from their numbers, in hex. */
const SCRIPT = `
import { portableHasher } from '@treering/merkle';
import { createSimdHasher, isSimdAvailable } from '@treering/merkle/simd';
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
globalThis.measure = () => {
  const available = isSimdAvailable();
  const hasher = available ? createSimdHasher(portableHasher) : portableHasher;
  const pairs = Uint8Array.from({ length: 64 * 37 }, (_, i) => i * 7 + (i >> 8));
  const nodes = new Uint8Array(32 * 37);
  hasher.hashNodes(pairs, 37, nodes);
  const entries = Array.from({ length: 300 }, (_, i) => new Uint8Array(i).fill(i));
  const leaves = new Uint8Array(32 * 300);
  hasher.hashLeaves(entries, leaves);
  return { available, name: hasher.name, nodes: hex(nodes), leaves: hex(leaves) };
};
`;

const sha256 = (prefix: number, bytes: Uint8Array): string =>
  createHash('sha256').update(Uint8Array.of(prefix)).update(bytes).digest('hex');
const pairs = Uint8Array.from({ length: 64 * 37 }, (_, i) => i * 7 + (i >> 8));
const NODES = Array.from({ length: 37 }, (_, i) => sha256(1, pairs.subarray(i * 64, (i + 1) * 64))).join('');
const LEAVES = Array.from({ length: 300 }, (_, i) => sha256(0, new Uint8Array(i).fill(i))).join('');

interface Measured {
  readonly available: boolean;
  readonly name: string;
  readonly nodes: string;
  readonly leaves: string;
}

const desk = new Desk();
test.after(() => desk.close());

async function measure(policy: string): Promise<Measured> {
  const { outputFiles } = await build({
    stdin: { contents: SCRIPT, resolveDir: `${ROOT}/bench`, loader: 'js' },
    bundle: true,
    format: 'iife',
    conditions: ['@treering/source'],
    write: false,
  });
  const script = outputFiles[0].text;
  const digest = createHash('sha256').update(script).digest('base64');
  const sources = `script-src 'sha256-${digest}' ${policy}`;
  const html = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${sources}"><script>${script}</script>`;
  const { page } = await desk.open(await desk.browser(), html);
  return page.evaluate(() => (globalThis as unknown as { measure: () => Measured }).measure());
}

inBrowser('in a browser the kernel computes what node:crypto computes', async () => {
  const measured = await measure("'wasm-unsafe-eval' 'unsafe-eval'");
  assert.is(measured.available, true);
  assert.match(measured.name, 'WebAssembly SIMD');
  assert.is(measured.nodes, NODES);
  assert.is(measured.leaves, LEAVES);
});

inBrowser('where the policy of a page forbids WebAssembly, plain JavaScript does', async () => {
  const measured = await measure('');
  assert.is(measured.available, false);
  assert.is(measured.nodes, NODES);
  assert.is(measured.leaves, LEAVES);
});

test.run();
