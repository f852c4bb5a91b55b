import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createVerifierKey, formatVerifierKey, KEY_TYPE, NoteError, parsePolicy, type TrustPolicy } from '../src/index.js';
import { codeOf, signer } from './fixtures.js';

const vkey = (name: string, type: number = KEY_TYPE.ed25519Cosignature): string => formatVerifierKey(signer(name, type).key);

const LOG = `log ${vkey('log.example', KEY_TYPE.ed25519)}\n`;
const W = (n: number): string => `witness w${n} ${vkey(`w${n}.example`)}\n`;
const THREE = W(1) + W(2) + W(3);

const refused = (text: string, what: string): void => {
  assert.is(
    codeOf(() => parsePolicy(text)),
    'note/bad-policy',
    what,
  );
};
const taken = (text: string): TrustPolicy => parsePolicy(text);

test('the example of the specification reads as two levels of groups', () => {
  const names = (prefix: string): string[] => [1, 2, 3].map((n) => `${prefix}${n}`);
  const lines = [...names('X'), ...names('Y')].map((name) => `witness ${name} ${vkey(`${name}.example`)}`);
  const policy = taken(
    [
      LOG,
      ...lines,
      'group X-witnesses 2 X1 X2 X3',
      'group Y-witnesses any Y1 Y2 Y3',
      'group X-and-Y all X-witnesses Y-witnesses',
      'quorum X-and-Y',
      '',
    ].join('\n'),
  );
  assert.is(policy.logs.length, 1);
  assert.equal(
    policy.witnesses.map((w) => w.name),
    [...names('X'), ...names('Y')],
  );
  assert.equal(policy.groups, [
    { name: 'X-witnesses', threshold: 2, members: names('X') },
    { name: 'Y-witnesses', threshold: 1, members: names('Y') },
    { name: 'X-and-Y', threshold: 2, members: ['X-witnesses', 'Y-witnesses'] },
  ]);
  assert.is(policy.quorum, 'X-and-Y');
});

test('exactly one quorum line is needed; nothing else is', () => {
  assert.equal(taken('quorum none\n'), { logs: [], witnesses: [], groups: [], quorum: 'none' });
  refused('', 'empty');
  refused(LOG + W(1), 'no quorum');
  refused('quorum none\nquorum none\n', 'twice the same');
  refused(`${W(1)}quorum w1\nquorum none\n`, 'two');
  refused('quorum\n', 'no name');
  refused(`${THREE}quorum w1 w2\n`, 'two names');
});

test('the quorum names a witness or a group of a line above', () => {
  assert.is(taken(`${W(1)}quorum w1\n`).quorum, 'w1');
  assert.is(taken(`${W(1)}group g all w1\nquorum g\n`).quorum, 'g');
  refused(`quorum w1\n${W(1)}`, 'defined below');
  refused('quorum w9\n', 'never defined');
  refused(`${W(1)}quorum W1\n`, 'other case');
  refused(`${LOG}quorum log.example\n`, 'a log is no witness');
  refused(`${W(1)}quorum w1.example\n`, 'the name of the key is not the name of the witness');
});

test('white space is runs of spaces and tabs, also at both ends; empty lines and comments are skipped', () => {
  const spaced = `\n \t\n# a comment\n\t # another, of ${vkey('w9.example')}\n \t witness\t  w1 \t${vkey('w1.example')}\t \n  quorum \t w1  `;
  assert.is(taken(spaced).witnesses[0].name, 'w1');
  refused(`${W(1)}quorum w1 # no comment behind\n`, 'a comment begins its line');
  refused(`${W(1)}quorum\u00a0w1\n`, 'no-break space');
  refused(`${W(1)}quorum\u3000w1\n`, 'ideographic space');
  refused(`${W(1).trimEnd()}\r\nquorum w1\r\n`, 'CRLF');
});

test('the only control characters in a policy are tab and line break', () => {
  for (const control of ['\0', '\x01', '\v', '\f', '\r', '\x1b', '\x1f', '\x7f']) {
    const what = JSON.stringify(control);
    refused(`# comment${control}\nquorum none\n`, `in a comment: ${what}`);
    refused(`witness w1 ${vkey('w1.example')} https://w1.example/${control}\nquorum w1\n`, `in a URL: ${what}`);
    refused(`witness w${control}1 ${vkey('w1.example')}\nquorum none\n`, `in a name: ${what}`);
    refused(`${control}\nquorum none\n`, `alone: ${what}`);
  }
});

test('names, URLs and comments may be other than ASCII, and names are compared octet by octet', () => {
  const policy = taken(
    `# Prüfer\nwitness K ${vkey('k.example')} https://zeuge.exämple/\nwitness \u212a ${vkey('kelvin.example')}\nquorum \u212a\n`,
  );
  assert.equal(
    policy.witnesses.map((w) => w.name),
    ['K', '\u212a'],
  );
  assert.is(policy.witnesses[0].url, 'https://zeuge.exämple/');
  taken(`witness \u00e9 ${vkey('1.example')}\nwitness e\u0301 ${vkey('2.example')}\nquorum none\n`);
});

test('a log line holds a key and perhaps a URL', () => {
  const policy = taken(`log ${vkey('log.example', 1)} https://log.example/\nquorum none\n`);
  assert.is(policy.logs[0].key.name, 'log.example');
  assert.is(policy.logs[0].url, 'https://log.example/');
  assert.is(taken(`${LOG}quorum none\n`).logs[0].url, undefined);
  assert.is(taken(`log ${vkey('log.example', 6)}\nquorum none\n`).logs[0].key.type, 6);
  refused('log\nquorum none\n', 'no key');
  refused(`${LOG.trimEnd()} https://a https://b\nquorum none\n`, 'two URLs');
  refused('log log.example+00000000+AAAA\nquorum none\n', 'bad key');
});

test('a witness line holds a name, a cosigning key and perhaps a URL', () => {
  assert.is(
    taken(`witness w1 ${vkey('w1.example', 6)} https://w1.example/\nquorum w1\n`).witnesses[0].url,
    'https://w1.example/',
  );
  refused(`witness w1\nquorum none\n`, 'no key');
  refused(`witness ${vkey('w1.example')}\nquorum none\n`, 'no name');
  refused(`${W(1).trimEnd()} https://a https://b\nquorum none\n`, 'two URLs');
  refused(`witness w1 ${vkey('w1.example', KEY_TYPE.ed25519)}\nquorum w1\n`, 'a plain Ed25519 key makes no cosignatures');
});

test('weak keys get into no policy', () => {
  const weak = 'weak.example/log+48a31c19+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
  refused(`log ${weak}\nquorum none\n`, 'weak log key');
});

test('no public key stands twice, under whatever name', () => {
  const own = signer('w1.example', 4);
  refused(`${W(1)}witness again ${vkey('w1.example')}\nquorum none\n`, 'the same vkey under another name');
  refused(`${LOG}${LOG}quorum none\n`, 'the same log twice');
  // Another key name makes another id around the same public key.
  const renamed = renameKey('w7.example', own.key.type, own.key.publicKey);
  refused(`${W(1)}witness w7 ${renamed}\nquorum none\n`, 'the same public key under another key name');
  refused(
    `log ${renameKey('log.example', 1, own.key.publicKey)}\nlog ${renameKey('other.example', 1, own.key.publicKey)}\nquorum none\n`,
    'logs',
  );
  refused(`log ${renameKey('log.example', 1, own.key.publicKey)}\n${W(1)}quorum w1\n`, 'a log is not its own witness');
});

test('witnesses and groups share one set of names; "none" is taken', () => {
  refused(`${W(1)}witness w1 ${vkey('other.example')}\nquorum none\n`, 'two witnesses');
  refused(`${THREE}group w1 any w2\nquorum none\n`, 'group named as a witness');
  refused(`${THREE}group g any w1\ngroup g any w2\nquorum none\n`, 'two groups');
  refused(`${W(1)}group g any w1\nwitness g ${vkey('g.example')}\nquorum none\n`, 'witness named as a group');
  refused(`witness none ${vkey('none.example')}\nquorum none\n`, 'a witness named none');
  refused(`${W(1)}group none any w1\nquorum none\n`, 'a group named none');
  refused(`${W(1)}group g any none w1\nquorum none\n`, 'none as a member');
  assert.is(
    taken(`${THREE}group all all w1 w2\ngroup any any w3\nquorum any\n`).groups.length,
    2,
    'keywords are names elsewhere',
  );
});

test('a threshold is all, any or a decimal number from 1 to the number of members', () => {
  const threshold = (rule: string): number => taken(`${THREE}group g ${rule} w1 w2 w3\nquorum g\n`).groups[0].threshold;
  assert.equal(['all', 'any', '1', '2', '3'].map(threshold), [3, 1, 1, 2, 3]);
  for (const rule of ['0', '4', '-1', '+1', '1.0', '1e0', '0x1', '', 'All', 'ANY', '１', '10000000000000000000000']) {
    refused(`${THREE}group g ${rule} w1 w2 w3\nquorum g\n`, `threshold "${rule}"`);
  }
  refused(`${THREE}group g all\nquorum g\n`, 'no member');
  refused(`${THREE}group g\nquorum g\n`, 'no rule');
  refused(`${THREE}group\nquorum none\n`, 'no name');
});

test('members are defined above and belong to one group at most', () => {
  taken(`${THREE}group a any w1 w2\ngroup b all a w3\nquorum b\n`);
  refused(`${W(1)}group g any w1 w2\n${W(2)}quorum g\n`, 'defined below');
  refused(`${W(1)}group g any g w1\nquorum g\n`, 'itself');
  refused(`${W(1)}group a any b\ngroup b any a\nquorum a\n`, 'a circle');
  refused(`${W(1)}group g any w1 w1\nquorum g\n`, 'twice in one group');
  refused(`${THREE}group a any w1 w2\ngroup b any w2 w3\nquorum b\n`, 'in two groups');
  refused(`${THREE}group a any w1\ngroup b any a\ngroup c any a\nquorum c\n`, 'a group in two groups');
});

test('no quorum can be met by one cosigner that counts twice', () => {
  const at = (name: string, key: string, type: number, url: string): string => `witness ${name} ${vkey(key, type)} ${url}\n`;
  const url = 'https://w1.example';
  const same = at('a', 'w1.example', 4, url) + at('pq', 'w1.example', 6, url) + W(2) + W(3);
  taken(`${same}group g 2 a pq w2\nquorum g\n`);
  taken(`${same}group one any a pq\ngroup g 2 one w2 w3\nquorum g\n`);
  taken(`${same}group one any a\ngroup g any one pq w2\nquorum g\n`);
  taken(`${same}group g 2 a w2 w3\nquorum g\n`);
  taken(`${same}group other any pq\ngroup g 2 a w2 w3\nquorum g\n`);
  taken(`${same}group x any a\ngroup y any pq\ngroup z 2 x y\nquorum none\n`);
  refused(`${same}group one all a\ngroup g 2 one pq w2\nquorum g\n`, 'beside a group');
  refused(`${same}group x any a w2\ngroup y any pq w3\ngroup z all x y\nquorum z\n`, 'in two groups');
  refused(`${same}group x any a\ngroup xx any x\ngroup z 2 xx pq w2\ngroup g any z w3\nquorum g\n`, 'two levels down');
  const names = at('a', 'w1.example', 4, url) + at('b', 'other.example', 4, `${url}/`) + W(2);
  taken(`${names}group g any a b\nquorum g\n`);
  taken(`${names}group one any a b\ngroup g 2 one w2\nquorum g\n`);
  refused(`${names}group g 2 a b\nquorum g\n`, 'two names at one address');
  refused(`${names}group g 2 a b w2\nquorum g\n`, 'two names at one address among others');
});

test('unknown keywords are refused with the number of their line', () => {
  for (const line of ['witnesses w1 k', 'Quorum none', 'include other', '*']) refused(`${line}\nquorum none\n`, line);
  try {
    parsePolicy(`${LOG}\n# comment\nnonsense here\nquorum none\n`);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, NoteError);
    assert.match((error as NoteError).message, /^line 4 /);
  }
});

test('32 logs, 32 witnesses and 32 groups are taken; more than 256 of a kind are not', () => {
  const many = (count: number): string => {
    const numbers = Array.from({ length: count }, (_, i) => i);
    const logs = numbers.map((i) => `log ${vkey(`log${i}.example`, 1)}`);
    const witnesses = numbers.map((i) => `witness w${i} ${vkey(`w${i}.example`)}`);
    const groups = numbers.map((i) => `group g${i} any w${i}`);
    return [...logs, ...witnesses, ...groups, 'quorum g0', ''].join('\n');
  };
  const policy = taken(many(32));
  assert.equal([policy.logs.length, policy.witnesses.length, policy.groups.length], [32, 32, 32]);
  refused(many(257), 'more than 256');
});

function renameKey(name: string, type: number, publicKey: Uint8Array): string {
  return formatVerifierKey(createVerifierKey(name, type, publicKey));
}

test.run();
