import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type * as Evidence from '../src/index.js';
import { decisionItem, hospital, logKeys } from './pack-log.js';
import { POLICY_TEXT } from './pack-policy.js';

// The package in a program of somebody else's: an ES module without Node, where there is nothing but what every browser and
// every other runtime has.

const WEB = { TextEncoder, TextDecoder, URL, console, atob, btoa, crypto, queueMicrotask, setTimeout };
const ward = await hospital(logKeys);

/** The package and what it needs, as one script. */
function bundled(): string {
  const entry = fileURLToPath(new URL('portable-entry.ts', import.meta.url));
  const args = [entry, '--bundle', '--format=iife', '--global-name=portable', '--platform=neutral'];
  const options = ['--main-fields=module,main', '--conditions=@treering/source,import,module', '--log-level=warning'];
  const esbuild = fileURLToPath(new URL('../../../node_modules/.bin/esbuild', import.meta.url));
  return execFileSync(esbuild, [...args, ...options], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

test('packs and proofs verify without Node', async () => {
  const script = bundled();
  assert.not.match(script, /require\("node:|from "node:/);
  const context = vm.createContext({ ...WEB });
  vm.runInContext(`${script}\nglobalThis.portable = portable;`, context);
  const { evidence, note } = context.portable as { evidence: typeof Evidence; note: typeof import('@treering/note') };
  const policy = note.parsePolicy(POLICY_TEXT);
  const pack = await ward.log.pack({ subjects: ['deploy/**'], attachments: 'public' }, [decisionItem(ward, 3)]);
  const bytes = vm.runInContext('(bytes) => new Uint8Array(bytes)', context)([...pack]) as Uint8Array;
  const report = await evidence.verifyPack(bytes, { policy });
  assert.ok(evidence.holds(report.claims, report.required), JSON.stringify(report.claims, null, 1));
  assert.is(report.claims.find(({ name }) => name === 'decision')?.verdict, 'proved');
});

test.run();
