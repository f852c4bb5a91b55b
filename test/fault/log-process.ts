import { parseConfig, serveLog } from '@treering/log';

// log-process.ts DATA [CONFIG]: serves the log in the folder, and prints one line of JSON when it is ready. Tests end it by signals.

const [data, more = '{}'] = process.argv.slice(2);
const served = await serveLog(
  parseConfig({ data, listen: '127.0.0.1:0', log_level: 'error', publish_interval: 20, ...JSON.parse(more) }),
);
served.failed.then((error) => {
  console.error(error);
  process.exit(1);
});
process.on('SIGTERM', () => {
  served.close().then(() => process.exit(0));
});
// The last thing, so that a signal that answers it is not missed.
console.log(JSON.stringify({ url: served.url, pid: process.pid }));
