/** Lists and objects in each other at most. */
const DEEPEST = 64;

/** What can matter beyond its value: texts, numbers, and where objects and lists begin and end. */
const TOKEN = /"(?:[^"\\]+|\\.)*"|-?[0-9][0-9.eE+-]*|[{}[\],]/g;

/**
 * Reads JSON that means the same to everybody who reads it, so that what is sent is what the file says. Refused are an object that has a
 * member twice, because readers take the first or the last (RFC 8259 section 4), a number that a double changes into another size
 * (section 6): whole ones beyond 2^53 - 1, and what becomes infinite or 0, and what is nested so deeply that readers give up.
 * @throws SyntaxError for what is no JSON, RangeError for what is refused, with a sentence that says which
 */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  /** For each open object its names so far; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let isName = false;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') {
      if (open.push(token === '{' ? new Set() : undefined) > DEEPEST)
        throw new RangeError(`is nested more than ${DEEPEST} deep`);
    } else if (token === '}' || token === ']') open.pop();
    else if (token.startsWith('"')) {
      if (isName) addName(open.at(-1) as Set<string>, JSON.parse(token) as string);
    } else if (token !== ',') requireExact(token);
    isName = (token === '{' || token === ',') && open.at(-1) !== undefined;
  }
  return value;
}

/** A name is compared as it reads, however it is escaped. */
function addName(names: Set<string>, name: string): void {
  if (names.has(name)) throw new RangeError(`has the member ${JSON.stringify(name.slice(0, 100))} twice`);
  names.add(name);
}

function requireExact(token: string): void {
  const number = Number(token);
  const isLost = number === 0 && /[1-9]/.test(token.split(/[eE]/)[0]);
  if (isLost || Math.abs(number) > Number.MAX_SAFE_INTEGER)
    throw new RangeError(`has the number ${token.slice(0, 40)}, which readers of JSON change: give it as a text`);
}
