import { openKey } from '@treering/keys';

// key-process.ts KEY...: opens keys, signs with each, and waits to be examined.

const keys: unknown[] = [];
for (const reference of process.argv.slice(2)) {
  const key = await openKey(reference, { env: process.env });
  keys.push(key);
  for (let i = 0; i < 50; i++) await key.statement?.sign(Uint8Array.of(i));
  key.note?.sign(`examined.test/log\n0\n${Buffer.alloc(32).toString('base64')}\n`, 1n);
}
console.log(JSON.stringify({ pid: process.pid }));
// What nobody can reach any more would be freed, and with it what is looked for.
setInterval(() => keys.length, 1000);
