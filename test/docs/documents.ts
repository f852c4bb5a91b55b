import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workplace } from '../e2e/command.js';
import { type Block, blocksOf, negations } from './blocks.js';
import { checkPolicy, prepare, runBlocks } from './run-blocks.js';

/*
 * Runs the code blocks of README.md and docs/*.md. A block that ends with another code than 0 fails.
 *
 *   ```sh          bash -euo pipefail. All sh blocks of one file are one shell session, in their order, in one folder.
 *   ```ts          a module, run by tsx in the same folder after the sh blocks before it, with the workspace's packages at hand.
 *   ```sh no-run   shown to readers only; the same for ts. What is not run is printed.
 *   ```yaml policy a policy, or a part of one, which `treering policy check` must take; it has signing-key.pem and trusted_root.json.
 *   other, or none not code of ours: pictures, formats, output.
 *
 * A line that begins with `! ` is refused: bash does not end for it, so that what it says must fail may as well succeed.
 *
 * Each file has a folder and a log of its own, both fresh. In the folder are two versions of a real model (wink-1.8.0 and
 * wink-1.8.1), guardrails.yaml, prompt.txt, and `treering`, a checkout of the source. The command `treering` is on the PATH;
 * TREERING_DATA, TREERING_STATE and TREERING_LOG_URL belong to the log under test, and $VKEY holds its verifier key.
 */

/** The repository's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The documents, by whom they are for. Each group has a test file, `test/docs/<group>.test.ts`, so that they run beside each other. */
export const GROUPS = {
  tour: ['README.md'],
  operators: ['docs/operations.md', 'docs/drills.md'],
  runbooks: ['docs/runbooks.md'],
  releases: ['docs/releases.md'],
  pipeline: ['docs/pipeline.md', 'docs/drift.md', 'docs/recorders.md', 'docs/kubernetes.md'],
  governance: ['docs/governance.md', 'docs/incidents.md', 'docs/regulators.md', 'docs/retention.md', 'docs/threat-model.md'],
  reference: [
    'docs/architecture.md',
    'docs/attestation.md',
    'docs/cli.md',
    'docs/ed25519-batch.md',
    'docs/formats.md',
    'docs/http-api.md',
    'docs/licences.md',
    'docs/performance.md',
    'docs/reliability.md',
    'docs/testing.md',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

const KNOWN = ['sh', 'ts', 'sh no-run', 'ts no-run', 'yaml policy'];

/** Registers the tests of all documents of a group. */
export function testDocuments(group: keyof typeof GROUPS): void {
  for (const file of GROUPS[group]) testDocument(file, blocksOf(file, readFileSync(join(ROOT, file), 'utf8')));
}

function testDocument(file: string, blocks: readonly Block[]): void {
  const ours = blocks.filter(({ info }) => /^(sh|ts|bash|shell|console|typescript|js|javascript|ya?ml)\b/.test(info));
  for (const { info, line } of ours.filter((block) => block.info.endsWith('no-run')))
    console.log(`not run: ${file}:${line} (${info})`);

  test(`${file}: its code is marked as code that runs, or as code that does not`, () => {
    for (const { info, line } of ours)
      assert.ok(KNOWN.includes(info), `${file}:${line}: \`${info}\` is none of ${KNOWN.join(', ')}`);
  });

  test(`${file}: what must fail is said in a way that can fail`, () => {
    assert.equal(ours.flatMap(negations), []);
  });

  for (const { line, code } of blocks.filter(({ info }) => info === 'yaml policy'))
    test(`${file}:${line}: this is a policy`, async () => {
      const { exit, output } = await checkPolicy(code);
      assert.is(exit, 0, output);
    });

  const runnable = blocks.filter(({ info }) => info === 'sh' || info === 'ts');
  if (runnable.length === 0) return;
  test(`${file}: its ${runnable.length} blocks run`, async () => {
    const place = new Workplace();
    prepare(place);
    // The tour is for what a person starts; the other documents need the log alone.
    const log = await place.up([], {}, 'json', file === 'README.md');
    place.env.TREERING_LOG_URL = log.ready.url;
    const failure = await runBlocks(file, runnable, place, log.ready.vkey);
    await log.stop();
    assert.is(failure, undefined, failure);
  });
}
