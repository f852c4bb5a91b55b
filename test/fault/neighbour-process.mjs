import { readConfig, serveMonitor } from '@treering/monitor';
import { configSchema, serveWitness } from '@treering/witness';

// neighbour-process.mjs witness SETTINGS | monitor DATA: serves what was built, which starts in half the time, and prints one line of JSON when it is ready. Tests end it by signals.

const [kind, about] = process.argv.slice(2);
const { url, vkeys, close } = await (kind === 'witness' ? witness() : monitor());
console.log(JSON.stringify({ url, vkeys, pid: process.pid }));
process.on('SIGTERM', () => {
  close().then(() => process.exit(0));
});

async function witness() {
  return serveWitness(configSchema.parse({ listen: '127.0.0.1:0', log_level: 'error', ...JSON.parse(about) }));
}

async function monitor() {
  const { url, vkey, close } = await serveMonitor(about, await readConfig(`${about}/monitor.yaml`));
  return { url, vkeys: [vkey], close };
}
