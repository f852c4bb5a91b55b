import { encodeUtf8, NoteError, parseVerifierKey, type VerifierKey } from '@treering/note';

/** A log that a witness follows. */
export interface KnownLog {
  /** First line of its heads. */
  readonly origin: string;
  /** Its keys; a head needs a signature by one of them. */
  readonly keys: readonly VerifierKey[];
  /** Where it publishes its checkpoint, if the list says so. */
  readonly url?: string;
}

/**
 * Reads a list of logs in one of two forms: that of the witness network (a first line `logs/v0`, then `vkey`, `origin`, `bastion`,
 * `qpd` and `contact` lines for each log), or lines `log <vkey> [<url>]` as in a trust policy. Lines that begin with '#' and empty
 * lines are skipped. Keys of one origin belong together.
 * @throws NoteError (note/bad-policy) with the number of the line
 */
export function parseLogList(text: string): KnownLog[] {
  const lines = text.split('\n').map((line, i) => ({ line: line.trim(), number: i + 1 }));
  const content = lines.filter(({ line }) => line !== '' && !line.startsWith('#'));
  const pairs = content[0]?.line === 'logs/v0' ? networkList(content.slice(1)) : policyLines(content);
  const logs = new Map<string, KnownLog>();
  for (const { origin, key, url } of pairs) {
    const known = logs.get(origin) ?? { origin, keys: [] };
    logs.set(origin, { ...known, keys: [...known.keys, key], ...(url === undefined ? {} : { url }) });
  }
  return [...logs.values()];
}

interface Listed {
  readonly origin: string;
  readonly key: VerifierKey;
  readonly url?: string | undefined;
}

interface Line {
  readonly line: string;
  readonly number: number;
}

function networkList(lines: readonly Line[]): Listed[] {
  const out: Listed[] = [];
  let key: VerifierKey | undefined;
  for (const { line, number } of lines) {
    const space = line.indexOf(' ');
    const [word, value] = space < 0 ? [line, ''] : [line.slice(0, space), line.slice(space + 1)];
    if (word === 'vkey') {
      if (key !== undefined) throw fail(number, 'the vkey before has no origin line');
      key = readKey(value, number);
    } else if (word === 'origin') {
      if (key === undefined) throw fail(number, 'an origin follows the vkey that it belongs to');
      out.push({ origin: value === 'none' ? key.name : readOrigin(value, number), key });
      key = undefined;
    } else if (!['bastion', 'qpd', 'contact'].includes(word)) throw fail(number, `${JSON.stringify(word)} is no keyword`);
  }
  if (key !== undefined) throw fail(lines[lines.length - 1].number, 'the last vkey has no origin line');
  return out;
}

function policyLines(lines: readonly Line[]): Listed[] {
  return lines.map(({ line, number }) => {
    const [word, vkey, url, ...rest] = line.split(/[ \t]+/);
    if (word !== 'log' || vkey === undefined || rest.length > 0 || (url !== undefined && !isHttpUrl(url)))
      throw fail(number, 'a line reads: log <vkey> [<url>]');
    const key = readKey(vkey, number);
    return { origin: key.name, key, url };
  });
}

/** Cosignatures hold an origin of 1 to 255 bytes, and notes no control characters. */
function readOrigin(value: string, number: number): string {
  const { length } = encodeUtf8(value);
  if (length < 1 || length > 255 || /\p{Cc}/u.test(value))
    throw fail(number, 'an origin has 1 to 255 bytes, and no control characters');
  return value;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function readKey(vkey: string, number: number): VerifierKey {
  try {
    return parseVerifierKey(vkey);
  } catch (error) {
    throw fail(number, (error as Error).message);
  }
}

function fail(number: number, why: string): NoteError {
  return new NoteError('note/bad-policy', `line ${number} of the list of logs: ${why}`);
}
