import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { shownSource, withoutSecrets } from '../src/without-secrets.js';

test('user, password, query and fragment are left out, and nothing else is changed', () => {
  for (const [text, kept] of [
    ['https://bob:p@SECRET@host/x.git', 'https://host/x.git'],
    ['https://SECRET@host:8443/x.git', 'https://host:8443/x.git'],
    ['https://host/x.git?private_token=SECRET', 'https://host/x.git'],
    ['https://host/x.git#SECRET', 'https://host/x.git'],
    ['https://user:SECRET@acct.blob.example/c/m?sig=SECRET', 'https://acct.blob.example/c/m'],
    ['ssh://SECRET@host/x', 'ssh://host/x'],
    ['SECRET@hf.co:acme/tiny', 'hf.co:acme/tiny'],
    ['hf.co:acme/tiny', 'hf.co:acme/tiny'],
    ['https://host/%2e%2e/x', 'https://host/%2e%2e/x'],
    ['models:/m-1', 'models:/m-1'],
    ['models:/wink@champion', 'models:/wink@champion'],
    ['file:///srv/a b', 'file:///srv/a b'],
    ['s3://bucket/../x', 's3://bucket/../x'],
    ['/srv/models/x', '/srv/models/x'],
    ['/srv/me@here/x#1', '/srv/me@here/x#1'],
    ['../x', '../x'],
    ['x/y', 'x/y'],
    ['C:/x', 'C:/x'],
  ] as const)
    assert.is(withoutSecrets(text), kept, text);
});

test('what cannot be told apart is left out whole', () => {
  for (const text of [
    'https://bob:a/SECRET@host/x.git',
    'https://bob:1/SECRET@host/x.git',
    'https://bob:1?SECRET@host/x.git',
    'https://bob:1#SECRET@host/x.git',
    'https://bob:p\\SECRET@host/x.git',
    'https://bob:SECRET\n@host/x.git',
    'https://bob:SECRET',
    'bob:SECRET@host:x',
    'models:/x?y@SECRET',
    'ext::sh -c SECRET',
    'helper::https://bob:SECRET@host/x',
    '//bob:SECRET@host/x',
    'x?token=SECRET',
  ])
    assert.is(withoutSecrets(text), undefined, text);
});

test('a source that had a query does not look like one without', () => {
  assert.is(shownSource('https://u:SECRET@h/m?sig=SECRET'), 'https://h/m?…');
  assert.is(shownSource('https://u:SECRET@h/m'), 'https://h/m');
  assert.is(shownSource('https://u:a/SECRET@h/m'), '(left out: it may hold a password)');
  assert.is(shownSource(shownSource('https://h/m?sig=SECRET')), 'https://h/m?…');
});

test.run();
