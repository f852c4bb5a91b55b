// server.ts log <data folder> | floor <answer bytes>: prints its URL when it listens, and ends with its standard input.

const [kind, argument] = process.argv.slice(2);

async function serveTheLog(data: string): Promise<{ url: string; close(): unknown }> {
  const { parseConfig, serveLog } = await import('@treering/log');
  return serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'warn' }));
}

async function serveTheFloor(bytes: number): Promise<{ url: string; close(): unknown }> {
  const { serveFloor } = await import('./rivals/http-floor.js');
  return serveFloor(bytes);
}

const server = await (kind === 'log' ? serveTheLog(argument) : serveTheFloor(Number(argument)));
console.log(server.url);
process.stdin.resume().on('end', () => server.close());
