import { createHash, createPublicKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dsseFromJson, dssePae } from '@treering/statement';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { haveVectors, vectorBytes, vectorJson, vectorPath } from '../../../test/vectors.js';
import {
  DEFAULT_IGNORED,
  formatManifest,
  type ManifestResource,
  manifestRoot,
  parseManifest,
  sortResources,
} from '../src/index.js';
import { hashModel } from '../src/node/index.js';
import { digestOf } from './examples.js';
import { refuses } from './expect-error.js';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const utf8 = (content: string): Uint8Array => new TextEncoder().encode(content);
const resource = (name: string, fill = 1): ManifestResource => ({ name, digest: digestOf(fill) });

/** The root by the words of the specification, with node:crypto and Python's order of text: code points. */
function plainRoot(resources: readonly ManifestResource[]): Uint8Array {
  const points = (name: string): number[] => Array.from(name, (c) => c.codePointAt(0) as number);
  const before = (a: number[], b: number[]): number => {
    for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] - b[i];
    return a.length - b.length;
  };
  const sorted = [...resources].sort((a, b) => before(points(a.name), points(b.name)));
  return new Uint8Array(
    createHash('sha256')
      .update(Buffer.concat(sorted.map((r) => r.digest)))
      .digest(),
  );
}

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const letter = fc.constantFrom('a', 'B', '-', '/', '.', 'é', '\u{ff5e}', '\u{1f332}', '\u{10000}');
const resources = fc.uniqueArray(
  fc.record({ name: fc.string({ unit: letter, minLength: 1, maxLength: 6 }), digest }, { noNullPrototype: true }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 20 },
);

test('resources are in the order of code points, not of UTF-16 units', () => {
  const names = ['\u{1f332}', '\uff5e', 'é', 'b', 'a/b', 'a-b', 'a', 'B', '\ue000', '\u{10000}'];
  assert.equal(
    sortResources(names.map((name) => resource(name))).map(({ name }) => name),
    ['B', 'a', 'a-b', 'a/b', 'b', 'é', '\ue000', '\uff5e', '\u{10000}', '\u{1f332}'],
  );
});

test('the root is SHA-256 over the digests in the order of the names', () => {
  fc.assert(
    fc.property(resources, (list) => {
      assert.equal(manifestRoot(list), plainRoot(list));
      assert.equal(manifestRoot([...list].reverse()), manifestRoot(list));
    }),
    { seed: 42, numRuns: 300 },
  );
  const given = [resource('b', 2), resource('a', 1)];
  manifestRoot(given);
  assert.equal(given, [resource('b', 2), resource('a', 1)], 'the list that was given is left alone');
});

test('no root without files, for a name twice, or for another digest than SHA-256', () => {
  refuses(() => manifestRoot([]), 'manifest/invalid', 'no files');
  refuses(() => manifestRoot([resource('a'), resource('b'), resource('a', 2)]), 'manifest/invalid', 'a name twice', /twice/);
  for (const size of [0, 20, 31, 33, 64]) {
    refuses(() => manifestRoot([{ name: 'a', digest: new Uint8Array(size) }]), 'manifest/invalid', `${size} bytes`, /32 bytes/);
  }
});

test('a manifest is read as it was written', () => {
  fc.assert(
    fc.property(
      resources,
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.array(fc.string({ unit: 'grapheme' })),
      (list, name, ignored) => {
        const read = parseManifest(formatManifest(name, list, ignored));
        assert.equal(read, { name, root: plainRoot(list), resources: sortResources(list), ignored: [...ignored].sort() });
      },
    ),
    { seed: 42, numRuns: 300 },
  );
});

test('a manifest is the in-toto statement of model signing v1.0', () => {
  const json = JSON.parse(text(formatManifest('wink', [resource('b', 2), resource('a', 1)], ['model.sig'])));
  assert.equal(json, {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [
      { name: 'wink', digest: { sha256: Buffer.from(plainRoot([resource('a', 1), resource('b', 2)])).toString('hex') } },
    ],
    predicateType: 'https://model_signing/signature/v1.0',
    predicate: {
      serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false, ignore_paths: ['model.sig'] },
      resources: [
        { name: 'a', algorithm: 'sha256', digest: '01'.repeat(32) },
        { name: 'b', algorithm: 'sha256', digest: '02'.repeat(32) },
      ],
    },
  });
});

test('a statement whose parts do not agree is refused', () => {
  const good = JSON.parse(text(formatManifest('wink', [resource('a', 1), resource('b', 2)])));
  parseManifest(utf8(JSON.stringify(good)));
  const changed = (change: (json: typeof good) => void): Uint8Array => {
    const copy = structuredClone(good);
    change(copy);
    return utf8(JSON.stringify(copy));
  };
  const wrong: Readonly<Record<string, Uint8Array>> = {
    'no JSON': utf8('{'),
    nothing: new Uint8Array(0),
    'bad UTF-8': Uint8Array.of(0x7b, 0xff, 0x7d),
    'a list': utf8('[]'),
    null: utf8('null'),
    'another statement': changed((j) => (j._type = 'https://in-toto.io/Statement/v0.1')),
    'another predicate': changed((j) => (j.predicateType = 'https://model_signing/signature/v1.1')),
    'no subject': changed((j) => (j.subject = [])),
    'two subjects': changed((j) => j.subject.push(j.subject[0])),
    'no digest': changed((j) => (j.subject[0].digest = {})),
    'an upper-case digest': changed((j) => (j.subject[0].digest.sha256 = j.subject[0].digest.sha256.toUpperCase())),
    'a short digest': changed((j) => (j.subject[0].digest.sha256 = j.subject[0].digest.sha256.slice(2))),
    'another root': changed((j) => (j.subject[0].digest.sha256 = '00'.repeat(32))),
    'no predicate': changed((j) => delete j.predicate),
    'no serialization': changed((j) => delete j.predicate.serialization),
    shards: changed((j) => (j.predicate.serialization.method = 'shards')),
    'another hash': changed((j) => (j.predicate.serialization.hash_type = 'blake3')),
    'no resources': changed((j) => delete j.predicate.resources),
    'a resource fewer': changed((j) => j.predicate.resources.pop()),
    'a resource changed': changed((j) => (j.predicate.resources[0].digest = '03'.repeat(32))),
    'a resource twice': changed((j) => j.predicate.resources.push(j.predicate.resources[0])),
    'a resource of another hash': changed((j) => (j.predicate.resources[0].algorithm = 'sha512')),
    'a resource without name': changed((j) => delete j.predicate.resources[0].name),
    'a resource that is null': changed((j) => (j.predicate.resources[0] = null)),
  };
  for (const [what, bytes] of Object.entries(wrong)) refuses(() => parseManifest(bytes), 'manifest/invalid', what);
});

/** Folders of the third-party vectors and how each was signed. */
const SIGNED: readonly { readonly folder: string; readonly model: string }[] = [
  { folder: 'v1.0.0-certificate', model: '.' },
  { folder: 'v1.0.0-elliptic-key', model: 'signme-1' },
  { folder: 'v1.0.1-certificate', model: '.' },
  { folder: 'v1.0.1-elliptic-key', model: '.' },
  { folder: 'v1.0.1-sigstore', model: '.' },
];
const IGNORED = ['model.sig', 'ignore-me'];
const VECTORS = 'sigstore-model-signing';

/** Runs with a copy of a vector's folder that may be changed. */
async function withCopy(folder: string, work: (path: string) => Promise<void>): Promise<void> {
  const copy = mkdtempSync(join(tmpdir(), 'treering-model-'));
  try {
    cpSync(vectorPath(`${VECTORS}/${folder}`), copy, { recursive: true });
    await work(copy);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

if (haveVectors) {
  for (const { folder, model } of SIGNED) {
    const envelope = (): ReturnType<typeof dsseFromJson> =>
      dsseFromJson(vectorJson(`${VECTORS}/${folder}/model.sig`).dsseEnvelope);

    test(`${folder}: the model hashes to what model-signing signed`, async () => {
      const manifest = parseManifest(envelope().payload);
      const hashed = await hashModel(join(vectorPath(`${VECTORS}/${folder}`), model), { ignored: IGNORED });
      assert.equal(hashed.resources, manifest.resources);
      assert.equal(manifestRoot(hashed.resources), manifest.root);
      assert.equal(
        manifest.resources.map(({ name }) => name),
        model === '.' ? ['signme-1', 'signme-2'] : ['.'],
      );
      const ours = JSON.parse(text(formatManifest(manifest.name, hashed.resources, manifest.ignored)));
      assert.equal(ours, JSON.parse(text(envelope().payload)), 'and our statement says the same');
    });

    test(`${folder}: a changed byte, an added and a removed file make another root`, async () => {
      const { root } = parseManifest(envelope().payload);
      const differs = async (path: string, what: string): Promise<void> => {
        const hashed = await hashModel(path, { ignored: IGNORED });
        assert.not.equal(manifestRoot(hashed.resources), root, what);
      };
      await withCopy(folder, async (copy) => {
        for (const name of readdirSync(copy).filter((n) => n.startsWith('signme') && (model === '.' || n === model))) {
          const file = join(copy, name);
          const bytes = readFileSync(file);
          for (const at of [0, bytes.length - 1]) {
            const flipped = Buffer.from(bytes);
            flipped[at] ^= 1;
            writeFileSync(file, flipped);
            await differs(join(copy, model), `${name} with byte ${at} changed`);
          }
          writeFileSync(file, bytes);
        }
        if (model !== '.') return;
        assert.equal(manifestRoot((await hashModel(copy, { ignored: IGNORED })).resources), root, 'unchanged again');
        writeFileSync(join(copy, 'extra'), '');
        await differs(copy, 'an added file');
        rmSync(join(copy, 'extra'));
        rmSync(join(copy, 'signme-2'));
        await differs(copy, 'a removed file');
      });
    });

    test(`${folder}: the signature covers the statement`, () => {
      if (folder.endsWith('-sigstore')) {
        const [{ rawBytes }] = [vectorJson(`${VECTORS}/${folder}/model.sig`).verificationMaterial.certificate];
        check(new X509Certificate(Buffer.from(rawBytes, 'base64')).publicKey, 'sha256');
      } else if (folder.endsWith('-certificate')) {
        check(new X509Certificate(vectorBytes(`${VECTORS}/keys/signing-key-cert.pem`)).publicKey, undefined);
      } else {
        check(createPublicKey(Buffer.from(vectorBytes(`${VECTORS}/keys/signing-key-pub.pem`))), undefined);
      }

      function check(key: KeyObject, hash: string | undefined): void {
        const { payloadType, payload, signatures } = envelope();
        const curve = key.asymmetricKeyDetails?.namedCurve;
        const algorithm = hash ?? (curve === 'secp384r1' ? 'sha384' : 'sha256');
        assert.ok(verify(algorithm, dssePae(payloadType, payload), key, signatures[0].signature));
        const other = dssePae(payloadType, utf8(`${text(payload)} `));
        assert.not.ok(verify(algorithm, other, key, signatures[0].signature));
      }
    });
  }
}

test('what model signing always leaves out', () => {
  assert.equal([...DEFAULT_IGNORED], ['.git', '.gitattributes', '.github', '.gitignore']);
});

test.run();
