import { nodeMeans } from '@treering/foreign/node';
import { openKey } from '@treering/keys';
import { openSqliteStorage } from '@treering/storage-sqlite';
import { dataFolder, Log, openAnchor, openLogKeys, Registrar, TokenVerifier } from '../src/index.js';
import { enrolmentRequest } from './enrolling.js';

// Enrols a key by a token, and dies by SIGKILL right before or right after the entry is stored.

const [data, registrar, token, moment] = process.argv.slice(2);
const folder = dataFolder(data);
const storage = openSqliteStorage(folder.store, { mode: 'open' });
const die = (): Promise<never> => {
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => undefined);
};
const { commit } = storage;
storage.commit = async (...args) => {
  if (moment === 'before') return die();
  await commit(...args);
  return die();
};
const log = await Log.open({ storage, anchor: openAnchor(folder), keys: await openLogKeys(folder), means: nodeMeans });
const enrolling = new Registrar(log, await openKey(registrar, { env: {} }), new TokenVerifier(), new Uint8Array(32));
await enrolling.enrol(await enrolmentRequest(token));
