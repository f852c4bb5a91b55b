import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dataFolder } from '@treering/log';
import { readKeyFile } from '@treering/note/node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Workplace } from './command.js';

// A log whose keys are not in its data folder: in the environment, elsewhere on the disk, or in a token.

/** A log that was begun, and its keys, which are taken out of its folder. */
async function begun() {
  const place = new Workplace();
  await place.result(['log', 'init', '--origin', 'log.test/elsewhere']);
  const folder = dataFolder(place.path('data'));
  const { seed } = await readKeyFile(folder.logKey);
  const line = (path: string): string => readFileSync(path, 'utf8').trim();
  const keys = { log: line(folder.logKey), publication: line(folder.publicationKey) };
  for (const path of [folder.logKey, folder.publicationKey]) rmSync(path);
  place.write('model/weights', 'weights');
  return { place, folder, keys, seed };
}

/** Serves the log, records, and lets everything be verified. */
async function serves(place: Workplace, flags: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const log = await place.up(flags, env);
  try {
    const about = ['--name', 'm', '--version', '1', '--reason', 'It is signed with keys from elsewhere.'];
    const { proof } = await place.result(['record', 'model', 'model', ...about]);
    assert.is((await place.result(['verify', proof, '--key', log.ready.vkey])).verified, true);
    assert.equal((await place.result(['audit'])).findings, []);
    const checkpoint = await (await fetch(`${log.ready.url}/checkpoint`)).text();
    assert.is(checkpoint.split('\n').filter((text) => text.startsWith('— log.test/elsewhere ')).length, 2, checkpoint);
  } finally {
    await log.stop();
  }
}

test('keys in the environment sign, and are nowhere on the disk', async () => {
  const { place, folder, keys } = await begun();
  const env = { LOG_KEY: keys.log, PUBLICATION_KEY: keys.publication };
  await serves(place, ['--sign-with', 'env:LOG_KEY', '--publication-key', 'env:PUBLICATION_KEY'], env);
  assert.not(existsSync(folder.logKey) || existsSync(folder.publicationKey));
  const settings = { ...env, TREERING_SIGN_WITH: 'env:LOG_KEY', TREERING_PUBLICATION_KEY: 'env:PUBLICATION_KEY' };
  assert.equal((await place.result(['fsck'], settings)).findings, []);
  const { code, stderr } = await place.run(['log', 'serve', '--sign-with', 'env:LOG_KEY'], env);
  assert.is(code, 2, 'the publication key is missing');
  assert.not.match(stderr, keys.log.split('+')[4]);
});

test('key files lie where the operator says', async () => {
  const { place, keys } = await begun();
  mkdirSync(place.path('vault'));
  for (const [name, line] of Object.entries(keys)) {
    place.write(`vault/${name}`, `${line}\n`);
    execFileSync('chmod', ['600', place.path('vault', name)]);
  }
  const env = { TREERING_SIGN_WITH: place.path('vault', 'log'), TREERING_PUBLICATION_KEY: place.path('vault', 'publication') };
  await serves(place, [], env);
  renameSync(place.path('vault', 'publication'), place.path('vault', 'gone'));
  assert.is((await place.run(['log', 'serve'], env)).code, 2);
});

const MODULE = ['/usr/lib', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/local/lib']
  .map((path) => `${path}/softhsm/libsofthsm2.so`)
  .find((path) => existsSync(path));
if (MODULE === undefined) {
  if (process.env.CI) throw new Error('SoftHSM is not installed; a CI run needs it');
  console.log('SoftHSM is not installed: a log with its key in a token is not tested');
}

(MODULE === undefined ? test.skip : test)('a key in a token signs every head and receipt', async () => {
  const { place, folder, keys, seed } = await begun();
  mkdirSync(place.path('tokens'));
  const env = {
    SOFTHSM2_CONF: place.write('softhsm2.conf', `directories.tokendir = ${place.path('tokens')}\n`),
    TREERING_PKCS11_PIN: '471108',
    PUBLICATION_KEY: keys.publication,
  };
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  const key = createPrivateKey({ key: Buffer.concat([prefix, seed]), format: 'der', type: 'pkcs8' });
  const pem = place.write('log.pem', key.export({ type: 'pkcs8', format: 'pem' }) as string);
  const hsm = (...args: string[]): void =>
    void execFileSync('softhsm2-util', [...args, '--pin', '471108', '--module', MODULE as string], {
      env: { ...process.env, ...env },
      stdio: 'pipe',
    });
  hsm('--init-token', '--free', '--label', 'log', '--so-pin', '4711');
  hsm('--import', pem, '--token', 'log', '--label', 'log.test/elsewhere', '--id', '01');
  rmSync(pem);
  const uri = `pkcs11:token=log;object=log.test%2Felsewhere?module-path=${MODULE}`;
  await serves(place, ['--sign-with', uri, '--publication-key', 'env:PUBLICATION_KEY'], env);
  assert.not(existsSync(folder.logKey));
});

test.run();
