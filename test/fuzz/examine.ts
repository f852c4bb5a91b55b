import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bytesOf, type Target } from './target.js';

/** Milliseconds for one input: a busy machine may take long, a parser that does not end takes for ever. */
const SLOW = 2000;
/** Bytes of memory for one input, garbage included: so many, and so many for each byte of it. */
const MEMORY = 8 * 1024 * 1024;
const MEMORY_OF_A_BYTE = 512;
const CODE = /^[a-z0-9]+(?:[/-][a-z0-9]+)*$/;

/** What a parser made of an input. */
export interface Reaction {
  readonly accepted: boolean;
  /** The error's code, or 'accepted'. */
  readonly code: string;
  /** The code and where it came from: inputs with different ones went different ways. */
  readonly way: string;
}

/** A parser did something that none may do. */
export class Finding extends Error {
  override readonly name = 'Finding';
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that are held now, within the heap of JavaScript and outside of it. */
function heldBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

/** The same without garbage. */
export function keptBytes(): number {
  collect();
  collect();
  return heldBytes();
}

/**
 * Gives a parser one input.
 * @throws Finding for an error that is not documented, for other bytes when what was accepted is written again, for too much time or memory
 */
export async function examine(target: Target, bytes: Uint8Array): Promise<Reaction> {
  let { reaction, milliseconds, grown } = await attempt(target, bytes);
  // What slowed it down, or was allocated beside it, may be something else: it counts when it happens again and again.
  for (let again = 0; again < 3 && isTooMuch(target, bytes, milliseconds, grown); again++) {
    collect();
    const next = await attempt(target, bytes);
    reaction = next.reaction;
    milliseconds = Math.min(milliseconds, next.milliseconds);
    grown = Math.min(grown, next.grown);
  }
  if (isTooMuch(target, bytes, milliseconds, grown))
    throw new Finding(`${bytes.length} bytes take ${Math.round(milliseconds)} ms and ${grown} bytes of memory`);
  return reaction;
}

function isTooMuch({ memory = MEMORY }: Target, bytes: Uint8Array, milliseconds: number, grown: number): boolean {
  return milliseconds > SLOW || grown > memory + MEMORY_OF_A_BYTE * bytes.length;
}

async function attempt(target: Target, bytes: Uint8Array) {
  const before = bytes.slice();
  const held = heldBytes();
  const started = performance.now();
  const { value, error } = await outcomeOf(target, bytes);
  const milliseconds = performance.now() - started;
  const grown = heldBytes() - held;
  if (Buffer.compare(before, bytes) !== 0) throw new Finding('the input was changed');
  const reaction = error === undefined ? accepted(target, bytes, value) : refused(target, error.thrown);
  return { reaction, milliseconds, grown };
}

async function outcomeOf({ parse }: Target, bytes: Uint8Array): Promise<{ value?: unknown; error?: { thrown: unknown } }> {
  try {
    return { value: await parse(bytes) };
  } catch (thrown) {
    return { error: { thrown } };
  }
}

function accepted({ format }: Target, bytes: Uint8Array, value: unknown): Reaction {
  if (format !== undefined) {
    const again = bytesOf(format(value as never));
    if (Buffer.compare(again, bytes) !== 0)
      throw new Finding(`accepted, and written again it is ${Buffer.from(again).toString('hex').slice(0, 400)}`);
  }
  return { accepted: true, code: 'accepted', way: 'accepted' };
}

function refused({ errors }: Target, thrown: unknown): Reaction {
  const { code, message, stack } = thrown as { code?: unknown; message?: unknown; stack?: unknown };
  const documented = errors.some((kind) => thrown instanceof kind) && typeof code === 'string' && CODE.test(code);
  if (!documented) throw new Finding(`an error that is not documented: ${String(stack ?? thrown)}`, { cause: thrown });
  const template = String(message)
    .replace(/"[^"]*"/g, '""')
    .replace(/[0-9a-f]{6,}|\d+/g, '#')
    .slice(0, 60);
  const frames = String(stack)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 3);
  const lines = frames.map((frame) => /([^/\\]+:\d+):\d+\)?$/.exec(frame)?.[1] ?? '');
  return { accepted: false, code, way: [code, template, ...lines].join(' ') };
}
