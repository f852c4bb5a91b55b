import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { encryptKey } from '@treering/keys';
import { createSigner, formatSignerKey, KEY_TYPE } from '@treering/note';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { testNeeding } from './needs.js';
import { occurrencesIn } from './process-memory.js';
import { reportOutcome } from './results.js';

// What a core dump, or a swapped page, of a process that holds keys would give away.

const onLinux = testNeeding('what stays of keys in memory', { files: { '/proc/self/mem': 'the kernel: /proc' } });
const PROCESS = fileURLToPath(new URL('key-process.ts', import.meta.url));
const PASSPHRASE = `a passphrase that is nowhere else ${randomBytes(8).toString('hex')}`;
const folder = mkdtempSync(join(tmpdir(), 'treering-memory-'));
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
};

/** A key of its own: its seed, and the text of its file from the name on, without the type and what follows from it. */
function made(name: string, type: number) {
  const seed = new Uint8Array(randomBytes(32));
  const { key } = createSigner(name, type, seed);
  const line = formatSignerKey(key, seed);
  return { seed, key, line, secret: Buffer.from(line.slice(-40)) };
}

onLinux(
  'of keys that a process holds, an Ed25519 seed stands once in its memory, where OpenSSL signs with it, and the text of plain files nowhere',
  async () => {
    const plain = made('plain.test', KEY_TYPE.ed25519);
    const cosigner = made('cosigner.test', KEY_TYPE.ed25519Cosignature);
    const mldsa = made('mldsa.test', KEY_TYPE.mldsa44Cosignature);
    const sealed = made('sealed.test', KEY_TYPE.ed25519);
    const keys = [plain, cosigner, mldsa, sealed];
    const references = [
      file('plain.key', `${plain.line}\n`),
      file('cosigner.key', cosigner.line),
      file('mldsa.key', mldsa.line),
      file('sealed.key', await encryptKey(sealed.key, sealed.seed, PASSPHRASE)),
    ];
    const env = { ...process.env, TREERING_PASSPHRASE_FILE: file('passphrase', PASSPHRASE) };
    const child = spawn(process.execPath, ['--conditions=@treering/source', '--import', 'tsx', PROCESS, ...references], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const lines = createInterface({ input: child.stdout });
      const [line] = await Promise.race([
        new Promise<string[]>((resolve) => lines.once('line', (text) => resolve([text]))),
        new Promise<string[]>((resolve) => lines.once('close', () => resolve([]))),
      ]);
      assert.ok(line, 'the keys are open');
      const { pid } = JSON.parse(line) as { pid: number };
      const publicKeys = occurrencesIn(
        pid,
        keys.map(({ key }) => key.publicKey.subarray(0, 32)),
      );
      assert.ok(
        publicKeys.every((count) => count > 0),
        `what is no secret is found: ${publicKeys}`,
      );
      const seeds = occurrencesIn(
        pid,
        keys.map(({ seed }) => seed),
      );
      assert.ok(
        // The library of ML-DSA works on copies that the engine may move before they are overwritten.
        seeds.every((count, i) => count <= (keys[i] === mldsa ? 2 : 1)),
        `the seeds stand there ${seeds} times`,
      );
      const [sealedText, ...texts] = occurrencesIn(
        pid,
        [sealed, plain, cosigner, mldsa].map(({ secret }) => secret),
      );
      assert.equal(texts, [0, 0, 0], 'the text of key files');
      // What OpenSSL decrypted into, and gave back to the allocator, stands until somebody else gets it.
      assert.ok(sealedText <= 2, `the text of an encrypted key file: ${sealedText}`);
      reportOutcome({
        name: 'key-memory',
        group: 'input',
        scenario: 'memory of a process that holds four keys, searched for their seeds and the text of their files',
        runs: keys.length,
        unit: 'keys',
        also: `copies of each seed: ${seeds.join(', ')}; of the text of plain files: 0`,
      });
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test.run();
