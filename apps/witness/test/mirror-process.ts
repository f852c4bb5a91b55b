import { configSchema, serveWitness } from '../src/index.js';

// A witness that is a mirror, as a process that can be killed: node ... mirror-process.ts <data folder>

const config = configSchema.parse({
  data: process.argv[2],
  listen: '127.0.0.1:0',
  name: 'witness.test/killed',
  mirror: true,
  log_level: 'silent',
});
const { url, witness } = await serveWitness(config);
process.stdout.write(`${JSON.stringify({ url, locked: witness.store.locked ?? null })}\n`);
