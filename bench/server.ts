// server.ts log <data folder> | witness <data folder> <keys> <logs> | floor <answer bytes>: prints its URL when it listens, and
// ends with its standard input.

const [kind, argument, ...more] = process.argv.slice(2);

async function serveTheLog(data: string): Promise<{ url: string; close(): unknown }> {
  const { parseConfig, serveLog } = await import('@treering/log');
  return serveLog(parseConfig({ data, listen: '127.0.0.1:0', log_level: 'warn' }));
}

async function serveTheFloor(bytes: number): Promise<{ url: string; close(): unknown }> {
  const { serveFloor } = await import('./rivals/http-floor.js');
  return serveFloor(bytes);
}

async function serveTheWitness(data: string, keys: string, logs: number): Promise<{ url: string; close(): unknown }> {
  const { serveBenchWitness } = await import('./witness-server.js');
  return serveBenchWitness(data, keys, logs);
}

const servers: Readonly<Record<string, () => Promise<{ url: string; close(): unknown }>>> = {
  log: () => serveTheLog(argument),
  witness: () => serveTheWitness(argument, more[0], Number(more[1])),
  floor: () => serveTheFloor(Number(argument)),
};
const server = await servers[kind]();
console.log(server.url);
process.stdin.resume().on('end', () => server.close());
