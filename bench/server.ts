import { readFileSync } from 'node:fs';

// server.ts witness <data folder> <keys> <logs> | floor <answer bytes> | bare <status> <file with an answer>...: prints its URL when it
// listens, and ends with its standard input.

const [kind, argument, ...more] = process.argv.slice(2);

type Served = Promise<{ url: string; close(): unknown }>;

async function serveTheFloor(bytes: number): Served {
  const { serveFloor } = await import('./rivals/http-floor.js');
  return serveFloor(bytes);
}

async function serveTheSameBytes(status: number, paths: readonly string[]): Served {
  const { serveBytes } = await import('./rivals/bare-http.js');
  return serveBytes(
    status,
    paths.map((path) => readFileSync(path)),
  );
}

async function serveTheWitness(data: string, keys: string, logs: number): Served {
  const { serveBenchWitness } = await import('./witness-server.js');
  return serveBenchWitness(data, keys, logs);
}

const servers: Readonly<Record<string, () => Served>> = {
  witness: () => serveTheWitness(argument, more[0], Number(more[1])),
  floor: () => serveTheFloor(Number(argument)),
  bare: () => serveTheSameBytes(Number(argument), more),
};
const server = await servers[kind]();
console.log(server.url);
process.stdin.resume().on('end', () => server.close());
