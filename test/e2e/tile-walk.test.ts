import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder, initLog, parseConfig, serveLog } from '@treering/log';
import { nodeEd25519, readKeyFile } from '@treering/note/node';
import { encodeRecord } from '@treering/record';
import { createStatementSigner, signStatement } from '@treering/statement';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Head, openNote, TileClient, treeRoot } from './tile-client.js';

const ORIGIN = 'walk.test/log';
const data = mkdtempSync(join(tmpdir(), 'treering-walk-'));
await initLog(data, { origin: ORIGIN });
const served = await serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'silent', publish_interval: 10 }));
test.after(async () => {
  await served.close();
  rmSync(data, { recursive: true, force: true });
});

const signer = createStatementSigner((await readKeyFile(dataFolder(data).adminKey)).seed, nodeEd25519);
const client = new TileClient(served.url, served.vkey);
/** Every head that was ever seen, by size. */
const heads = new Map<number, Head>();

function remember(head: Head): void {
  const known = heads.get(head.size);
  if (known !== undefined) assert.equal(head.root, known.root, `two roots for size ${head.size}`);
  heads.set(head.size, head);
}

let made = 0;
async function statement(): Promise<Uint8Array> {
  const subject = `model/m${made % 50}`;
  const payload = encodeRecord({
    v: 1,
    type: 'incident',
    subject,
    reason: `Decision number ${made++}.`,
    severity: 'low',
    aware_at: 1_760_000_000_000,
    affected: [],
  });
  const claims = { iss: `${ORIGIN}/identity/admin`, sub: subject, iat: Math.floor(Date.now() / 1000) };
  return (await signStatement(claims, payload, signer)).entry;
}

/** Submits batches over HTTP until the log has `size` entries, and waits until that size is published. */
async function growTo(size: number): Promise<Head> {
  let now = (await client.head()).size;
  while (now < size) {
    const count = Math.min(4096, size - now);
    const statements = await Promise.all(Array.from({ length: count }, statement));
    const response = await fetch(`${served.url}/v1/entries:batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/cbor-seq' },
      body: new Uint8Array(Buffer.concat(statements)),
    });
    const { results } = (await response.json()) as { results: { status: number; index: number; checkpoint: string }[] };
    assert.ok(results.every((result) => result.status === 201));
    for (const note of new Set(results.map((result) => result.checkpoint))) remember(openNote(note, served.vkey));
    remember(await client.head());
    now += count;
  }
  for (;;) {
    const head = await client.head();
    remember(head);
    if (head.size === size) return head;
    assert.ok(head.size < size);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Checks a published head, and with its entries all heads seen before. */
async function check(head: Head): Promise<void> {
  assert.equal(await client.rootFromTiles(head.size), head.root, `root of ${head.size} from tiles`);
  const leaves = await client.walk(head.size);
  assert.is(leaves.length, head.size);
  for (const [size, { root }] of heads) {
    if (size <= head.size) assert.equal(treeRoot(leaves.slice(0, size)), root, `root of ${size} in the tree of ${head.size}`);
  }
}

for (const size of [1, 2, 3, 7, 8, 9, 255, 256, 257, 300, 511, 512, 513, 1000]) {
  test(`the tiles of ${size} entries lead to the published root`, async () => {
    await check(await growTo(size));
  });
}

test('old sizes are rebuilt from the tiles of a larger tree', async () => {
  const { size } = await client.head();
  for (const [old, { root }] of heads) {
    if (old < size) assert.equal(await client.rootFromTiles(old), root, `root of ${old}`);
  }
});

test('beyond 65,536 entries there is a third level, and every head on the way was of the same tree', async () => {
  await growTo(65_536);
  const head = await growTo(65_537 + 300);
  await check(head);
  assert.is((await client.tile(head.size, 2, 0)).length, 1);
  console.log(`${heads.size} heads, ${head.size} entries, ${client.requests} requests`);
});

test.run();
