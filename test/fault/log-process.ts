import { parseConfig, serveLog } from '@treering/log';

// Serves the log in the folder that is named, and prints one line of JSON when it is ready. Tests end it by SIGKILL.

const served = await serveLog(
  parseConfig({ data: process.argv[2], listen: '127.0.0.1:0', log_level: 'error', publish_interval: 20 }),
);
console.log(JSON.stringify({ url: served.url }));
served.failed.then((error) => {
  console.error(error);
  process.exit(1);
});
process.on('SIGTERM', () => {
  served.close().then(() => process.exit(0));
});
