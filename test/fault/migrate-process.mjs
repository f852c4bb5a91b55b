import { openDatabase } from '@treering/storage-sqlite';

// migrate-process.mjs FILE MODULE NAME: opens a database with the built schema NAME of a module, which brings it up to date.

const [file, module, name] = process.argv.slice(2);
const { db, lock } = openDatabase(file, { mode: 'open' }, (await import(module))[name]);
db.close();
lock.close();
