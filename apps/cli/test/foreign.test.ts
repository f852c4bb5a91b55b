import { generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deskWithLog } from './fixture.js';
import { refuses } from './people.js';

// DSSE envelopes of a supplier whom the policy names, and what the command does with those that do not hold.

const desk = await deskWithLog();
test.after(() => desk.served.close());
const supplier = generateKeyPairSync('ed25519');
const TYPE = 'application/vnd.in-toto+json';

function envelope(signer = supplier.privateKey): string {
  const statement = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'wink', digest: { sha256: 'ab'.repeat(32) } }],
    predicateType: 'https://example.org/made/v1',
    predicate: {},
  };
  const payload = Buffer.from(JSON.stringify(statement));
  const sig = sign(null, Buffer.concat([Buffer.from(`DSSEv1 ${TYPE.length} ${TYPE} ${payload.length} `), payload]), signer);
  const signatures = [{ keyid: '', sig: sig.toString('base64') }];
  return JSON.stringify({ payloadType: TYPE, payload: payload.toString('base64'), signatures });
}

desk.write('supplier.pem', supplier.publicKey.export({ type: 'spki', format: 'pem' }) as string);
desk.write(
  'policy.yaml',
  `rules:
  - { name: all, who: { roles: [administrator] }, may: ['*'], on: ['**'] }
issuers:
  - { issuer: 'https://supplier.test', keys: [{ file: supplier.pem }] }
`,
);
await desk.result(['policy', 'set', 'policy.yaml', '--reason', 'A supplier signs what it delivers.']);
desk.write('good.json', envelope());
desk.write('bad.json', envelope(generateKeyPairSync('ed25519').privateKey));
desk.write('garbage.json', JSON.stringify({ mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', garbage: true }));

const foreign = (file: string, ...flags: string[]): string[] => [
  'record',
  'foreign',
  file,
  '--subject',
  'model/wink',
  ...flags,
];
const WAYS = [['--hash'], ['--hash', '--content-type', 'text/plain'], ['--content-type', 'application/json']];

test('a bundle that does not hold is not signed, as a digest or under another name', async () => {
  for (const file of ['bad.json', 'garbage.json']) {
    for (const flags of WAYS) {
      const { stderr } = await refuses(desk, [...foreign(file, ...flags), '--key', 'no-such.key'], 2, 'cli/usage');
      assert.match(stderr, new RegExp(`${file} is a bundle that does not hold`));
    }
    const { stderr } = await refuses(desk, foreign(file), 4, 'governance/foreign-not-verified');
    assert.match(stderr, 'decided by: issuers');
  }
});

test('a bundle that holds is logged whole, or as a digest of which nobody says that the log verified it', async () => {
  const whole = await desk.call(foreign('good.json'));
  assert.is(whole.code, 0, whole.stderr);
  assert.match(whole.stdout, 'the log verified the signatures within');
  for (const flags of WAYS) {
    const { code, stdout, stderr } = await desk.call(foreign('good.json', ...flags));
    assert.is(code, 0, stderr);
    assert.match(stdout, 'the signatures within were verified here');
    assert.not.match(stdout, 'the log verified');
  }
});

test('the log takes no digest that is called a bundle', async () => {
  const flags = ['--hash', '--content-type', 'application/vnd.dsse.envelope.v1+json'];
  const { stderr } = await refuses(desk, foreign('good.json', ...flags), 4, 'governance/foreign-not-verified');
  assert.match(stderr, 'cannot be verified from its digest');
});

test('what is no bundle is hashed as it is, and named when nothing tells what it is', async () => {
  desk.write('notes.txt', 'Some notes.');
  await refuses(desk, foreign('notes.txt', '--hash'), 2, 'cli/usage');
  const { content_type } = await desk.result(foreign('notes.txt', '--hash', '--content-type', 'text/plain'));
  assert.is(content_type, 'text/plain');
});

test.run();
