import { isUnused, openDatabase } from '@treering/storage-sqlite';

// migrate-process.mjs FILE MODULE NAME: opens a database with the built schema NAME of a module, which makes it or brings it up to date.

const [file, module, name] = process.argv.slice(2);
const { db, lock } = openDatabase(file, { mode: isUnused(file) ? 'create' : 'open' }, (await import(module))[name]);
db.close();
lock.close();
