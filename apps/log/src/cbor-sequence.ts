import { Problem } from '@treering/server';

/**
 * Splits a CBOR sequence (RFC 8742) into its items without decoding them: each is parsed strictly on its own, so that a bad one
 * does not harm its neighbours. Only definite lengths occur in statements; anything else ends the request.
 * @throws Problem 400 or 413
 */
export function splitCborSequence(bytes: Uint8Array, limit: number): Uint8Array[] {
  const items: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (items.length === limit) throw new Problem(413, 'request/too-large', `a batch has at most ${limit} statements`);
    const end = itemEnd(bytes, at);
    items.push(bytes.subarray(at, end));
    at = end;
  }
  return items;
}

function itemEnd(bytes: Uint8Array, start: number): number {
  const malformed = (): Problem => new Problem(400, 'request/malformed', `the CBOR sequence cannot be split at byte ${start}`);
  let at = start;
  // Items still to be read; a container adds its members.
  for (let open = 1; open > 0; open--) {
    if (at >= bytes.length) throw malformed();
    const [major, info] = [bytes[at] >> 5, bytes[at] & 31];
    const width = info < 24 ? 0 : info <= 27 ? 2 ** (info - 24) : -1;
    if (width < 0 || at + 1 + width > bytes.length) throw malformed();
    let argument = info;
    if (width > 0) {
      argument = 0;
      for (let i = 1; i <= width; i++) argument = argument * 256 + bytes[at + i];
    }
    at += 1 + width;
    if (major === 2 || major === 3) at += argument;
    else if (major === 4) open += argument;
    else if (major === 5) open += argument * 2;
    else if (major === 6) open += 1;
    if (at > bytes.length || open > bytes.length) throw malformed();
  }
  return at;
}
