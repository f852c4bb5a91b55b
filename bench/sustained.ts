import { type Benchmark, type Figures, quantile } from './benchmark.js';
import { measureLoad } from './http-load.js';
import { type Answered, openLoop } from './open-loop.js';
import { withScratchFolder } from './scratch.js';
import { type ServerProcess, withLogServer } from './server-process.js';
import { beginLog, type StatementMaker } from './signed-statements.js';

/** How long each part takes, in seconds. */
interface Plan {
  readonly steady: number;
  readonly overload: number;
  /** Figures are given for each of these. */
  readonly interval: number;
  readonly capacity: { readonly connections: number; readonly warmUp: number; readonly requests: number };
}

const PLAN: Plan = {
  steady: 600,
  overload: 120,
  interval: 60,
  capacity: { connections: 64, warmUp: 5000, requests: 20_000 },
};
const QUICK_PLAN: Plan = { steady: 2, overload: 1, interval: 1, capacity: { connections: 16, warmUp: 32, requests: 200 } };
/** Parts of the capacity that are asked for. */
const STEADY = 0.8;
const OVERLOAD = 2;
/** Requests that the load keeps under way: fewer than the server's own limit of connections, 2,000. */
const CONNECTIONS = 1500;
/** Milliseconds between looks at the server's memory. */
const LOOK = 1000;

/** A log under load for minutes, and under more than it can take. */
export const sustained: Benchmark = {
  name: 'sustained',
  title: `POST /v1/entries at a fixed rate, whatever the answers take: ten minutes at ${STEADY * 100} % of what 64 connections reached, then two minutes at ${OVERLOAD * 100} %`,
  trials: 1,
  subjects: [{ name: 'log', measure }],
};

function measure(quick: boolean): Promise<Figures> {
  const plan = quick ? QUICK_PLAN : PLAN;
  return withScratchFolder(async (data) => {
    const statements = new Statements(await beginLog(data));
    return withLogServer(data, async (server) => {
      const capacity = await measureCapacity(server, statements, plan);
      const steady = await underLoad(server, statements, capacity * STEADY, plan.steady);
      const logged = steady.answers.filter(isLogged);
      const overload = await underLoad(server, statements, capacity * OVERLOAD, plan.overload);
      return {
        'capacity entries/s': capacity,
        ...minutesOf(steady.answers, plan.interval),
        'steady: not logged': steady.answers.length - logged.length,
        ...memoryOf(steady.memory),
        ...overloadOf(overload.answers, p99Of(logged)),
      };
    });
  });
}

async function measureCapacity(server: ServerProcess, statements: Statements, { capacity }: Plan): Promise<number> {
  const bodies = await statements.take(capacity.warmUp + capacity.requests, 1e9);
  const figures = await measureLoad(
    server,
    {
      method: 'POST',
      headers: { 'Content-Type': 'application/cose' },
      status: 201,
      request: (index) => ({ path: '/v1/entries', body: bodies[index] }),
    },
    { ...capacity, unit: 'entry' },
  );
  return figures['entries/s'];
}

async function underLoad(server: ServerProcess, statements: Statements, rate: number, seconds: number) {
  const count = Math.round(rate * seconds);
  const bodies = await statements.take(count, rate);
  const answers: Answered[] = [];
  const memory: number[] = [];
  const look = (): void => {
    const bytes = server.memory();
    if (bytes !== undefined) memory.push(bytes);
  };
  look();
  const timer = setInterval(look, LOOK);
  const headers = { 'Content-Type': 'application/cose' };
  const load = { url: server.url, path: '/v1/entries', headers, rate, count, connections: CONNECTIONS };
  await openLoop({ ...load, bodyOf: (index) => bodies[index] }, (answered) => answers.push(answered));
  clearInterval(timer);
  look();
  return { answers, memory };
}

/** Latency minute by minute: whether it creeps up. */
function minutesOf(answers: readonly Answered[], interval: number): Figures {
  const intervals: Answered[][] = [];
  for (const answered of answers) {
    const at = Math.floor(answered.due / 1000 / interval);
    intervals[at] ??= [];
    intervals[at].push(answered);
  }
  const unit = interval === 60 ? 'minute' : 'second';
  return Object.fromEntries(intervals.map((own, i) => [`${unit} ${i + 1}: p99 ms`, p99Of(own)]));
}

function memoryOf(bytes: readonly number[]): Figures {
  if (bytes.length === 0) return {};
  const mib = (value: number): number => value / 2 ** 20;
  return {
    'memory after the warm-up MiB': mib(bytes[0]),
    'memory at the end MiB': mib(bytes[bytes.length - 1]),
    'most memory MiB': mib(Math.max(...bytes)),
  };
}

/** What more than the capacity does: an answer is a success, a refusal that says when to come again, or something else, which should not be. */
function overloadOf(answers: readonly Answered[], normal: number): Figures {
  const accepted = answers.filter(isLogged);
  const refused = answers.filter(({ status, retryAfter }) => status === 503 && retryAfter);
  const p99 = p99Of(accepted);
  // The last answers come after the last requests.
  const seconds = answers.reduce((latest, { due, latency }) => Math.max(latest, due + latency), 0) / 1000;
  return {
    'overload: accepted/s': accepted.length / seconds,
    'overload: 503 with Retry-After': refused.length,
    'overload: other answers': answers.length - accepted.length - refused.length,
    'overload: p99 ms of the accepted': p99,
    'overload: p99 of the accepted, times normal': p99 / normal,
  };
}

/** A statement that was sent a second time is answered with 200 when the first time had logged it. */
function isLogged({ status }: Answered): boolean {
  return status === 200 || status === 201;
}

function p99Of(answers: readonly Answered[]): number {
  const times = answers.map(({ latency }) => latency).sort((a, b) => a - b);
  return quantile(times, 0.99);
}

/** Statements signed before they are needed, because signing would take the processor from the server. */
class Statements {
  readonly #maker: StatementMaker;
  #next = 0;
  /** Milliseconds that signing one took so far. */
  #each = 0.2;

  constructor(maker: StatementMaker) {
    this.#maker = maker;
  }

  /**
   * The next `count` distinct statements, each signed as of the time at which a load of `rate` statements a second that begins when
   * all are signed will send it: the log refuses one whose time is too far from its clock.
   */
  async take(count: number, rate: number): Promise<readonly Buffer[]> {
    const started = Date.now();
    const begin = started + count * this.#each;
    const statements: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      statements.push(await this.#maker.make(this.#next++, Math.floor((begin + (i * 1000) / rate) / 1000)));
    }
    this.#each = (Date.now() - started) / count;
    return statements;
  }
}
