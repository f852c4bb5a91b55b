import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMapping, RecorderError, resolveSource } from '../src/index.js';
import { folder } from './fixture.js';

const top = realpathSync(folder());
const root = join(top, 'artifacts');
for (const path of ['1/m-1/artifacts', '2/a b', 'single']) mkdirSync(join(root, path), { recursive: true });
mkdirSync(join(top, 'secret'));
symlinkSync(join(top, 'secret'), join(root, 'out'));
symlinkSync(join(root, '1'), join(root, 'within'));

const mappings = [
  `mlflow-artifacts:/=${root}`,
  `mlflow-artifacts:/2/=${root}/1`,
  `file:///srv/=${root}`,
  `/srv/models=${root}`,
  `models:/=${root}/1/*/artifacts`,
  `s3://bucket/one=${root}/single`,
].map(parseMapping);

const refusal = async (source: string): Promise<string> => {
  try {
    await resolveSource(mappings, source);
  } catch (error) {
    if (error instanceof RecorderError && error.code === 'recorder/refused') return error.message;
    throw error;
  }
  throw new Error(`${source} is not refused`);
};

test('a source leads into the folder of the longest prefix that fits', async () => {
  for (const [source, wanted] of [
    ['mlflow-artifacts:/1/m-1/artifacts', '1/m-1/artifacts'],
    ['mlflow-artifacts:/1/m-1/artifacts/', '1/m-1/artifacts'],
    ['mlflow-artifacts:/2/m-1', '1/m-1'],
    ['file:///srv/2/a%20b', '2/a b'],
    ['/srv/models/1', '1'],
    ['models:/m-1', '1/m-1/artifacts'],
    ['s3://bucket/one', 'single'],
    ['mlflow-artifacts:/within/m-1', '1/m-1'],
  ])
    assert.is(await resolveSource(mappings, source), join(root, wanted), source);
});

test('a source without a mapping is refused, also one whose prefix only begins alike', async () => {
  for (const source of ['runs:/1/model', 's3://bucket/onething', '/srv/models2/1', ''])
    assert.match(await refusal(source), 'has no mapping');
});

test('a source that leads out of its folder, or to all of it, is refused', async () => {
  for (const [source, why] of [
    ['mlflow-artifacts:/../secret', 'straight'],
    ['mlflow-artifacts:/1/../../secret', 'straight'],
    ['mlflow-artifacts:/%2e%2e/secret', 'straight'],
    ['mlflow-artifacts:/1%2f..%2f..%2fsecret', 'straight'],
    ['mlflow-artifacts:/1/..%5c..', 'straight'],
    ['mlflow-artifacts:/1/%00', 'straight'],
    ['mlflow-artifacts:/1//m-1', 'straight'],
    ['mlflow-artifacts://host/1', 'straight'],
    ['mlflow-artifacts:/./1', 'straight'],
    ['/srv/models/../secret', 'straight'],
    ['mlflow-artifacts:/out', 'leads out'],
    ['mlflow-artifacts:/', 'no folder'],
    ['mlflow-artifacts:/1?a=b', 'query'],
    ['mlflow-artifacts:/1#a', 'query'],
    ['mlflow-artifacts:/%zz', 'no URI'],
  ])
    assert.match(await refusal(source), why, source);
});

test('a folder that is not there yet is no refusal: it may come', async () => {
  try {
    await resolveSource(mappings, 'mlflow-artifacts:/9');
    assert.unreachable();
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'ENOENT');
  }
});

test('a mapping that cannot be meant is refused', () => {
  for (const text of ['', 'models:/', '=/srv', 'models:/=srv', 'models:/=/a/*/b/*'])
    assert.throws(
      () => parseMapping(text),
      (error: RecorderError) => error.code === 'recorder/config',
    );
});

test.run();
