import { configSchema, serveWitness } from '@treering/witness';

// Serves the built witness, which starts in half the time, with the settings that are given as JSON, and prints one line of JSON when it is ready. Tests end it by SIGKILL.

const { url, vkeys } = await serveWitness(
  configSchema.parse({ listen: '127.0.0.1:0', log_level: 'error', ...JSON.parse(process.argv[2]) }),
);
console.log(JSON.stringify({ url, vkeys }));
