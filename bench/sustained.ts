import { type Benchmark, type Figures, quantile } from './benchmark.js';
import { measureLoad } from './http-load.js';
import { type Answered, headOf, openLoop, type Sent } from './open-loop.js';
import { withScratchFolder } from './scratch.js';
import { type ServerProcess, withLogServer } from './server-process.js';
import { beginLog } from './signed-statements.js';
import { StatementSupply } from './statement-supply.js';

/** How long each part takes, in seconds. */
interface Plan {
  readonly steady: number;
  readonly overload: number;
  /** Figures are given for each of these. */
  readonly interval: number;
  /** Requests that the load keeps under way: fewer than the server's own limit of connections, 2,000. */
  readonly connections: number;
  readonly capacity: { readonly connections: number; readonly warmUp: number; readonly requests: number };
}

const PLAN: Plan = {
  steady: 600,
  overload: 300,
  interval: 60,
  connections: 1500,
  capacity: { connections: 64, warmUp: 5000, requests: 20_000 },
};
const QUICK_PLAN: Plan = {
  steady: 2,
  overload: 1,
  interval: 1,
  connections: 50,
  capacity: { connections: 16, warmUp: 32, requests: 200 },
};
/** Parts of the capacity that are asked for. */
const STEADY = 0.8;
const OVERLOAD = 2;
/** Reads each second beside the submissions. */
const READS = 40;
/** Milliseconds between looks at the server's memory. */
const LOOK = 1000;

/** A log under load for minutes, and under more than it can take. */
export const sustained: Benchmark = {
  name: 'sustained',
  title: `POST /v1/entries at a fixed rate, whatever the answers take: ten minutes at ${STEADY * 100} % of what 64 connections reached, then five minutes at ${OVERLOAD * 100} %; ${READS} reads each second beside them (checkpoint, proof, tile)`,
  trials: 1,
  subjects: [{ name: 'log', measure }],
};

function measure(quick: boolean): Promise<Figures> {
  const plan = quick ? QUICK_PLAN : PLAN;
  return withScratchFolder(async (data) => {
    const supply = new StatementSupply(await beginLog(data));
    return withLogServer(data, async (server) => {
      const capacity = await measureCapacity(server, supply, plan);
      const steady = await underLoad(server, supply, plan, {
        rate: capacity * STEADY,
        fresh: capacity * STEADY,
        seconds: plan.steady,
      });
      const overload = await underLoad(server, supply, plan, {
        rate: capacity * OVERLOAD,
        fresh: capacity * 1.3,
        seconds: plan.overload,
      });
      return {
        'capacity entries/s': capacity,
        ...minutesOf(steady.answers, plan.interval),
        'steady: p99 ms': latencyOf(steady.answers, 0.99),
        'steady: not logged': steady.answers.filter((answer) => !isLogged(answer)).length,
        'steady: p99 ms of reads': latencyOf(steady.reads, 0.99),
        ...memoryOf('steady', steady.memory),
        ...overloadOf(overload.answers, latencyOf(steady.answers, 0.99), plan.overload),
        'overload: p99 ms of reads': latencyOf(overload.reads, 0.99),
        'overload: reads not answered': overload.reads.filter(({ status }) => status !== 200).length,
        ...memoryOf('overload', overload.memory),
      };
    });
  });
}

async function measureCapacity(server: ServerProcess, supply: StatementSupply, { capacity }: Plan): Promise<number> {
  await supply.sign(capacity.warmUp + capacity.requests, 1e9);
  const load = { method: 'POST', headers: { 'Content-Type': 'application/cose' }, status: 201 } as const;
  const request = () => ({ path: '/v1/entries', body: supply.next() });
  const figures = await measureLoad(server, { ...load, request }, { ...capacity, unit: 'entry' });
  return figures['entries/s'];
}

/** What is asked of the server. */
interface Demand {
  /** Submissions a second. */
  readonly rate: number;
  /** Of these, statements that were not sent before, at most: those that are refused are sent again. */
  readonly fresh: number;
  readonly seconds: number;
}

async function underLoad(server: ServerProcess, supply: StatementSupply, plan: Plan, { rate, fresh, seconds }: Demand) {
  const { url } = server;
  // A refused statement is sent again after a while, and until then the next ones are new.
  await supply.sign(Math.ceil(fresh * seconds + rate * 2), fresh);
  const answers: Answered[] = [];
  const reads: Answered[] = [];
  const memory: number[] = [];
  const look = (): void => {
    const bytes = server.memory();
    if (bytes !== undefined) memory.push(bytes);
  };
  look();
  const timer = setInterval(look, LOOK);
  const submissions = openLoop({
    url,
    rate,
    seconds,
    connections: plan.connections,
    next() {
      const body = supply.next();
      return {
        head: headOf('POST', url, '/v1/entries', { 'Content-Type': 'application/cose', 'Content-Length': String(body.length) }),
        body,
      };
    },
    onAnswer(answered, { body }) {
      answers.push(answered);
      if (!isLogged(answered) && body !== undefined) supply.putBack(body);
    },
  });
  const reading = openLoop({
    url,
    rate: READS,
    seconds,
    connections: 4,
    next: readsOf(url),
    onAnswer: (read) => reads.push(read),
  });
  await Promise.all([submissions, reading]);
  clearInterval(timer);
  look();
  return { answers, reads, memory };
}

/** The checkpoint, a proof and a tile, in turn. */
function readsOf(url: string): () => Sent {
  const heads = ['/checkpoint', '/v1/proof/inclusion?index=7&size=200', '/tile/0/000'].map((path) => ({
    head: headOf('GET', url, path),
  }));
  let next = 0;
  return () => heads[next++ % heads.length];
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
  return Object.fromEntries(intervals.map((own, i) => [`${unit} ${i + 1}: p99 ms`, latencyOf(own, 0.99)]));
}

function memoryOf(part: string, bytes: readonly number[]): Figures {
  if (bytes.length === 0) return {};
  const mib = (value: number): number => value / 2 ** 20;
  return {
    [`${part}: memory at its start MiB`]: mib(bytes[0]),
    [`${part}: memory at its end MiB`]: mib(bytes[bytes.length - 1]),
    [`${part}: most memory MiB`]: mib(Math.max(...bytes)),
  };
}

/** What more than the capacity does: an answer is a success, a refusal that says when to come again, or something else, which should not be. */
function overloadOf(answers: readonly Answered[], normal: number, seconds: number): Figures {
  const accepted = answers.filter(isLogged);
  const refused = answers.filter(({ status, retryAfter }) => status === 503 && retryAfter);
  const p99 = latencyOf(accepted, 0.99);
  return {
    'overload: accepted/s': accepted.length / seconds,
    'overload: 503 with Retry-After': refused.length,
    'overload: other answers': answers.length - accepted.length - refused.length,
    'overload: p99 ms of the accepted': p99,
    'overload: p99 of the accepted, times normal': p99 / normal,
    'overload: p99 ms that the generator was late': quantile(
      answers.map(({ late }) => late).sort((a, b) => a - b),
      0.99,
    ),
  };
}

/** A statement that was sent a second time is answered with 200 when the first time had logged it. */
function isLogged({ status }: Answered): boolean {
  return status === 200 || status === 201;
}

function latencyOf(answers: readonly Answered[], q: number): number {
  return quantile(
    answers.map(({ latency }) => latency).sort((a, b) => a - b),
    q,
  );
}
