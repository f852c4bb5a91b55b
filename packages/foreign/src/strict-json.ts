import { decodeUtf8 } from '@treering/note';

/** Objects and lists that may lie in one another: beyond it, whether something can be read depends on the stack of who reads it. */
const DEPTH = 128;

/**
 * Reads JSON that is not nested deeply, and in which no object has a member twice: of two members with one name, readers take the first, the last or none, so
 * that one signature would vouch for several contents (RFC 8259 section 4).
 * @throws SyntaxError, or NoteError for bytes that are no UTF-8
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes);
  const value: unknown = JSON.parse(text);
  requireDifferentNames(text);
  return value;
}

/** @param text JSON that was read already, so that quotes, braces and commas are where they belong */
function requireDifferentNames(text: string): void {
  /** For each open object its names so far; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
        open.push(new Set());
        requireShallow(open.length);
        isName = true;
        break;
      case '[':
        open.push(undefined);
        requireShallow(open.length);
        isName = false;
        break;
      case '}':
      case ']':
        open.pop();
        isName = false;
        break;
      case ',':
        isName = open[open.length - 1] !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (isName) addName(open[open.length - 1] as Set<string>, JSON.parse(text.slice(at, end + 1)) as string);
        isName = false;
        at = end;
        break;
      }
    }
  }
}

function requireShallow(depth: number): void {
  if (depth > DEPTH) throw new SyntaxError(`more than ${DEPTH} objects and lists lie in one another`);
}

/** A name is compared as it reads, however it is escaped. */
function addName(names: Set<string>, name: string): void {
  if (names.has(name)) throw new SyntaxError(`the member ${JSON.stringify(name.slice(0, 100))} is there twice`);
  names.add(name);
}

/** Where the closing quote is. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

/** The members of a JSON object, or undefined for anything else. */
export function members(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}
