import { encodeUtf8 } from '@treering/note';
import { ClientError } from './errors.js';
import { type LogHttp, parseJsonObject } from './http.js';
import { indexOf, textOf } from './members.js';

/** Heads on one page; it may have one more, so that two of one size stay together. */
const PAGE = 100;
/** Heads that one list has at most: thirty years of one in ten minutes. A log that lies does not keep its reader longer. */
const MOST_HEADS = 1_600_000;

/**
 * Reads the list of checkpoints that a log keeps (`/v1/checkpoints`), page by page. Nothing is verified but the list itself: sizes do
 * not fall, none has more than two heads, and every page begins behind the one before it.
 * @param from size of the first tree
 * @param most heads that are read
 * @throws ClientError
 */
export async function* readKeptHeads(http: LogHttp, from: number, most = MOST_HEADS): AsyncGenerator<Uint8Array> {
  let count = 0;
  for (let at: number | undefined = from; at !== undefined; ) {
    const { status, bytes } = await http.send(`/v1/checkpoints?from=${at}&limit=${PAGE}`, {});
    // Other logs have no such list.
    if (status === 404 && at === from) return;
    if (status !== 200) throw http.refusalOf(status, bytes);
    const { notes, next }: Page = parsePage(parseJsonObject(bytes), at);
    count += notes.length;
    if (count > most) throw badList(`it has no end after ${most} heads; the rest can be read from ${at} on`);
    yield* notes;
    at = next;
  }
}

interface Page {
  readonly notes: readonly Uint8Array[];
  readonly next: number | undefined;
}

function parsePage({ checkpoints, next }: Record<string, unknown>, from: number): Page {
  if (!Array.isArray(checkpoints)) throw badList('it has no checkpoints');
  if (checkpoints.length > PAGE + 1) throw badList(`it has ${checkpoints.length} checkpoints on a page of ${PAGE}`);
  const sizes: number[] = [];
  const notes = checkpoints.map((item: { size?: unknown; checkpoint?: unknown } | null) => {
    const size = indexOf(item?.size, 'a size');
    if (size < (sizes.at(-1) ?? from)) throw badList(`${size} entries come after ${sizes.at(-1) ?? from}`);
    if (sizes.at(-2) === size) throw badList(`it has more than two heads of ${size} entries`);
    sizes.push(size);
    return encodeUtf8(textOf(item?.checkpoint, 'a checkpoint'));
  });
  if (next === undefined) return { notes, next };
  // A page that is not the last is full: what one request costs the reader, it brings.
  if (checkpoints.length < PAGE) throw badList(`it goes on after ${checkpoints.length} checkpoints on a page of ${PAGE}`);
  if (indexOf(next, 'a size') <= (sizes.at(-1) ?? from)) throw badList('it lists the same heads again and again');
  return { notes, next: indexOf(next, 'a size') };
}

function badList(why: string): ClientError {
  return new ClientError('client/bad-answer', `the log's list of kept heads cannot be followed: ${why}`);
}
