import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  formatCheckpoint,
  formatNote,
  formatVerifierKey,
  NoteError,
  openNote,
  parseNote,
  parseVerifierKey,
} from '@treering/note';
import { nodeEd25519 } from '@treering/note/node';
import { ALG, parseStatement, signStatement, verifySign1 } from '@treering/statement';
import type { PKCS11, Template } from 'pkcs11js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  KeyError,
  type KeyErrorCode,
  type KeyOptions,
  type OpenedKey,
  openKey,
  requireNoteSigner,
  requireStatementSigner,
} from '../src/index.js';

// Keys in tokens of SoftHSM, which a CI run must have. Elsewhere they are skipped where it is missing.

const PIN = '471108';
const LIBRARIES = ['/usr/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/local/lib'];
const ED25519 = { generate: 0x1055, parameters: '06032b6570' };
const P256 = { generate: 0x1040, parameters: '06082a8648ce3d030107' };
const P384 = { generate: 0x1040, parameters: '06052b81040022' };

/** The bridge and the library, or why they are not here. */
function softHsm(): { api: typeof import('pkcs11js'); module: string } | string {
  const module = LIBRARIES.map((path) => `${path}/softhsm/libsofthsm2.so`).find((path) => existsSync(path));
  if (module === undefined) return 'SoftHSM is not installed';
  try {
    execFileSync('softhsm2-util', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'softhsm2-util is not installed';
  }
  try {
    return { api: createRequire(import.meta.url)('pkcs11js'), module };
  } catch {
    return 'pkcs11js is not installed';
  }
}

const found = softHsm();
if (typeof found === 'string') {
  if (process.env.CI) throw new Error(`${found}; a CI run needs it`);
  console.log(`${found}: keys in tokens are not tested`);
}
const folder = mkdtempSync(join(tmpdir(), 'treering-token-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const tokenTest = typeof found === 'string' ? test.skip : test;
const { api, module } = typeof found === 'string' ? ({} as Exclude<typeof found, string>) : found;
const uriOf = (path: string, library = module): string => `pkcs11:${path}?module-path=${library}`;
const withPin = (pin: string): KeyOptions => ({ env: { TREERING_PKCS11_PIN: pin } });

/** Works with an open key, and closes it. */
async function withKey(path: string, work: (opened: OpenedKey) => void | Promise<void>): Promise<void> {
  const opened = await openKey(uriOf(path), withPin(PIN));
  try {
    await work(opened);
  } finally {
    opened.close();
  }
}

/** Works in a session of its own with the token `one`, as the administrator of a token does. */
function inToken<T>(work: (library: PKCS11, session: Buffer, slot: Buffer) => T): T {
  const library = new api.PKCS11();
  library.load(module);
  library.C_Initialize();
  try {
    const slots = library.C_GetSlotList(true);
    const slot = slots.find((slot) => library.C_GetTokenInfo(slot).label.trim() === 'one') as Buffer;
    const session = library.C_OpenSession(slot, api.CKF_SERIAL_SESSION | api.CKF_RW_SESSION);
    library.C_Login(session, api.CKU_USER, PIN);
    return work(library, session, slot);
  } finally {
    library.C_Finalize();
    library.close();
  }
}

function makeKey(library: PKCS11, session: Buffer, { generate, parameters }: typeof P256, label: string, id: number): void {
  const both: Template = [
    { type: api.CKA_TOKEN, value: true },
    { type: api.CKA_LABEL, value: label },
    { type: api.CKA_ID, value: Buffer.of(id) },
  ];
  library.C_GenerateKeyPair(
    session,
    { mechanism: generate },
    [...both, { type: api.CKA_VERIFY, value: true }, { type: api.CKA_EC_PARAMS, value: Buffer.from(parameters, 'hex') }],
    [
      ...both,
      { type: api.CKA_PRIVATE, value: true },
      { type: api.CKA_SIGN, value: true },
      { type: api.CKA_SENSITIVE, value: true },
      { type: api.CKA_EXTRACTABLE, value: false },
    ],
  );
}

/** An Ed25519 key whose public point stands there bare. */
function importKey(library: PKCS11, session: Buffer, label: string, seed: Buffer): void {
  const both: Template = [
    { type: api.CKA_KEY_TYPE, value: 0x40 },
    { type: api.CKA_TOKEN, value: true },
    { type: api.CKA_LABEL, value: label },
    { type: api.CKA_EC_PARAMS, value: Buffer.from(ED25519.parameters, 'hex') },
  ];
  const point = Buffer.from(nodeEd25519.publicKey(seed));
  const secret: Template = [
    { type: api.CKA_CLASS, value: api.CKO_PRIVATE_KEY },
    { type: api.CKA_SIGN, value: true },
    { type: api.CKA_VALUE, value: seed },
  ];
  library.C_CreateObject(session, [...both, ...secret]);
  library.C_CreateObject(session, [
    ...both,
    { type: api.CKA_CLASS, value: api.CKO_PUBLIC_KEY },
    { type: api.CKA_EC_POINT, value: point },
  ]);
}

async function refuses(path: string, code: KeyErrorCode, message: RegExp, pin = PIN, library = module): Promise<void> {
  const error: unknown = await openKey(uriOf(path, library), withPin(pin)).then(
    (opened) => opened.close(),
    (error) => error,
  );
  if (!(error instanceof KeyError)) return assert.unreachable(`${path}: ${error ?? 'was opened'}`);
  assert.is(error.code, code, `${path}: ${error.message}`);
  assert.match(error.message, message, path);
  assert.not.ok(pin !== '' && error.message.includes(pin), 'the message repeats the PIN');
}

/** Fails unless what the key signs verifies as a note. */
function signsNotes(opened: OpenedKey): void {
  const { key, sign } = requireNoteSigner(opened);
  const vkey = parseVerifierKey(formatVerifierKey(key));
  for (const size of [0n, 1n, 77n]) {
    const text = formatCheckpoint({ origin: 'log.example/hsm', size, root: new Uint8Array(32).fill(1), extensions: [] });
    const note = parseNote(formatNote({ text, signatures: [sign(text)] }));
    assert.is(openNote(note, [vkey]).verified.length, 1);
    assert.throws(
      () => openNote({ ...note, text: text.replace('hsm', 'hsn') }, [vkey]),
      (error: unknown) => error instanceof NoteError && error.code === 'note/bad-signature',
    );
  }
}

/** Fails unless what the key signs verifies as a statement. */
async function signsStatements(opened: OpenedKey): Promise<void> {
  const signer = requireStatementSigner(opened);
  const claims = { iss: 'a/identity/b', sub: 'incident/1', iat: 1_700_000_000 };
  const { entry } = await signStatement(claims, new Uint8Array(100).fill(3), signer);
  const { sign1 } = parseStatement(entry);
  verifySign1(sign1, signer.key);
  const signature = sign1.signature.map((byte, i) => (i === 9 ? byte ^ 1 : byte));
  assert.throws(() => verifySign1({ ...sign1, signature }, signer.key), /signature does not hold/);
}

if (typeof found !== 'string') {
  mkdirSync(join(folder, 'tokens'));
  const conf = join(folder, 'softhsm2.conf');
  writeFileSync(conf, `directories.tokendir = ${join(folder, 'tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  process.env.SOFTHSM2_CONF = conf;
  for (const label of ['one', 'two'])
    execFileSync('softhsm2-util', ['--init-token', '--free', '--label', label, '--pin', PIN, '--so-pin', '815015']);
  inToken((library, session) => {
    makeKey(library, session, ED25519, 'log.example/hsm', 1);
    makeKey(library, session, P256, 'ada', 2);
    makeKey(library, session, P384, 'large', 3);
    makeKey(library, session, ED25519, 'twice', 4);
    makeKey(library, session, P256, 'twice', 5);
    makeKey(library, session, ED25519, 'müller', 6);
  });
}

tokenTest('an Ed25519 key in a token signs heads and statements', () =>
  withKey('token=one;object=log.example%2Fhsm', async (opened) => {
    assert.is(opened.name, 'log.example/hsm');
    assert.is(requireNoteSigner(opened).key.name, 'log.example/hsm');
    assert.is(requireStatementSigner(opened).algorithm, ALG.eddsa);
    assert.equal(requireStatementSigner(opened).key.x, requireNoteSigner(opened).key.publicKey);
    signsNotes(opened);
    await signsStatements(opened);
  }),
);

tokenTest('a P-256 key in a token signs statements, and no heads', () =>
  withKey('token=one;object=ada', async (opened) => {
    assert.is(requireStatementSigner(opened).algorithm, ALG.es256);
    for (let i = 0; i < 20; i++) await signsStatements(opened);
    assert.is(opened.note, undefined);
    assert.throws(
      () => requireNoteSigner(opened),
      (error: unknown) => error instanceof KeyError && error.code === 'key/unsupported',
    );
  }),
);

tokenTest('a public key without the DER around it is read, also when it begins like DER', async () => {
  const like = Buffer.alloc(32);
  like.writeUInt32BE(61_619);
  const seeds = { plain: Buffer.alloc(32, 5), 'like-der': like };
  assert.match(Buffer.from(nodeEd25519.publicKey(like)).toString('hex'), /^041e/);
  inToken((library, session) => {
    for (const [label, seed] of Object.entries(seeds)) importKey(library, session, label, seed);
  });
  for (const label of Object.keys(seeds)) await withKey(`token=one;object=${label}`, signsNotes);
});

tokenTest('a key on another curve is not supported', () =>
  refuses('token=one;object=large', 'key/unsupported', /neither Ed25519 nor P-256/),
);

tokenTest('a key is named by its label, by its id or by both, and a label is UTF-8', async () => {
  const named: [string, string, string][] = [
    ['token=one;object=ada', 'ada', 'P-256'],
    ['token=one;id=%02', '02', 'P-256'],
    ['token=one;object=twice;id=%04', 'twice', 'Ed25519'],
    ['token=one;object=twice;id=%05', 'twice', 'P-256'],
    ['token=one;object=m%C3%BCller', 'müller', 'Ed25519'],
  ];
  for (const [path, name, curve] of named)
    await withKey(path, (opened) => assert.equal([opened.name, requireStatementSigner(opened).key.curve], [name, curve], path));
});

tokenTest('a URI that fits no key of the token, or several, is refused', async () => {
  for (const path of ['object=nobody', 'id=%99', 'object=ada;id=%01', 'object=Ada', 'object='])
    await refuses(`token=one;${path}`, 'key/missing', /^0 keys fit/);
  await refuses('token=one;object=twice', 'key/missing', /^2 keys fit/);
  await refuses('token=two;object=ada', 'key/missing', /^0 keys fit/);
});

tokenTest('a URI that fits no token, or several, is refused', async () => {
  for (const path of ['token=three', 'token=One', 'token=on', 'serial=0', 'token=one;serial=0'])
    await refuses(`${path};object=ada`, 'key/missing', /^0 tokens fit/);
  await refuses('object=ada', 'key/missing', /^[23] tokens fit/);
});

tokenTest('a token is named by its serial number too', () => {
  const serial = inToken((library, _, slot) => library.C_GetTokenInfo(slot).serialNumber.trim());
  return withKey(`serial=${serial};object=ada`, signsStatements);
});

tokenTest('a wrong PIN is refused and not repeated, and the right one opens the token after it', async () => {
  for (const pin of ['471109', `${PIN}0`, ''])
    await refuses('token=one;object=ada', 'key/token', /token does not take the PIN/, pin);
  await withKey('token=one;object=ada', signsStatements);
});

tokenTest('the PIN comes from the environment, a file of mode 600 or whoever is asked', async () => {
  const [good, loose] = [join(folder, 'pin'), join(folder, 'loose')];
  writeFileSync(good, `${PIN}\n`, { mode: 0o600 });
  writeFileSync(loose, PIN, { mode: 0o644 });
  const asked: string[] = [];
  const ask = async (what: string): Promise<string> => {
    asked.push(what);
    return PIN;
  };
  const uri = uriOf('token=one;object=ada');
  const ways: [string, KeyOptions][] = [
    [`${uri}&pin-source=file:${good}`, { env: {} }],
    [`${uri}&pin-source=${good}`, { env: {} }],
    [`${uri}&pin-source=${loose}`, withPin(PIN)],
    [uri, { env: {}, ask }],
  ];
  for (const [uri, options] of ways) (await openKey(uri, options)).close();
  assert.equal(asked, ['PIN of the token']);
});

tokenTest('the private key stays in the token', async () => {
  await withKey('token=one;object=ada', signsStatements);
  inToken((library, session) => {
    const read = (label: string, type: number): Buffer => {
      library.C_FindObjectsInit(session, [
        { type: api.CKA_CLASS, value: api.CKO_PRIVATE_KEY },
        { type: api.CKA_LABEL, value: label },
      ]);
      const [key] = library.C_FindObjects(session, 1);
      library.C_FindObjectsFinal(session);
      return library.C_GetAttributeValue(session, key, [{ type }])[0].value as Buffer;
    };
    for (const label of ['ada', 'log.example/hsm']) {
      assert.is(read(label, api.CKA_EXTRACTABLE)[0], 0);
      assert.is(read(label, api.CKA_NEVER_EXTRACTABLE)[0], 1);
      assert.is(read(label, api.CKA_LOCAL)[0], 1);
      assert.throws(() => read(label, api.CKA_VALUE), /SENSITIVE/);
    }
  });
});

tokenTest('keys of one library are open beside each other, and close one by one', async () => {
  await withKey('token=one;object=log.example%2Fhsm', async (log) => {
    await withKey('token=one;object=ada', (ada) => withKey('token=one;object=ada', async () => signsStatements(ada)));
    signsNotes(log);
  });
  await withKey('token=one;object=ada', signsStatements);
});

tokenTest('a key that is closed twice takes nothing from another', () =>
  withKey('token=one;object=ada', async (other) => {
    const opened = await openKey(uriOf('token=one;object=ada'), withPin(PIN));
    opened.close();
    opened.close();
    await signsStatements(other);
  }),
);

tokenTest('a key that was refused takes nothing from another that is open', () =>
  withKey('token=one;object=ada', async (opened) => {
    await refuses('token=one;object=nobody', 'key/missing', /^0 keys fit/);
    await refuses('token=three;object=ada', 'key/missing', /^0 tokens fit/);
    await refuses('token=two;object=ada', 'key/token', /PIN/, '471109');
    await signsStatements(opened);
  }),
);

tokenTest('a wrong PIN is refused also while another key of the token is open', () =>
  withKey('token=one;object=ada', async (opened) => {
    await refuses('token=one;object=log.example%2Fhsm', 'key/token', /PIN/, '471109');
    await signsStatements(opened);
    await withKey('token=one;object=log.example%2Fhsm', signsNotes);
  }),
);

tokenTest('a closed key signs no more, and says so', async () => {
  const opened = await openKey(uriOf('token=one;object=log.example%2Fhsm'), withPin(PIN));
  opened.close();
  const refused = (error: unknown) => error instanceof KeyError && error.code === 'key/token';
  assert.throws(() => requireNoteSigner(opened).sign('text\n'), refused);
  assert.throws(() => requireStatementSigner(opened).sign(new Uint8Array(1)), refused);
});

test('a library that is not there, or is none, cannot be loaded', async () => {
  const text = join(folder, 'text.so');
  writeFileSync(text, 'no library');
  for (const path of ['/nowhere/module.so', text, folder])
    await refuses('object=ada', 'key/missing', /cannot be loaded|pkcs11js/, PIN, path);
});

test.run();
