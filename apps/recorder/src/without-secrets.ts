/**
 * A URI, remote or path without what may be a password or token in it: user, query and fragment. What is kept stands as it stood.
 * @returns undefined when it cannot be told where a secret begins and ends: then nothing of it may be shown or recorded
 */
export function withoutSecrets(text: string): string | undefined {
  if (/[\p{Cc}\\]/u.test(text)) return undefined;
  const [, scheme, hierarchy] = /^([a-z][a-z0-9+.-]*:)(\/.*)$/i.exec(text) ?? [];
  if (scheme === undefined) return withoutUser(text);
  const [path] = hierarchy.split(/[?#]/, 1);
  if (!path.startsWith('//')) return hierarchy.slice(path.length).includes('@') ? undefined : scheme + path;
  const [authority] = path.slice(2).split('/', 1);
  // A password with a slash, a query or a fragment in it that nobody encoded: its end is behind them.
  if (hierarchy.slice(2 + authority.length).includes('@')) return undefined;
  const kept = `${scheme}//${authority.slice(authority.lastIndexOf('@') + 1)}${path.slice(2 + authority.length)}`;
  try {
    const { username, password } = new URL(kept);
    return username === '' && password === '' ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** Without a scheme: a path, or `[user@]host:path` as ssh and git write it, which has no password. */
function withoutUser(text: string): string | undefined {
  if (/^(?:\.{0,2}\/(?!\/)|[^@?#:/]+(?:\/[^@?#:]*)?$)/.test(text)) return text;
  return /^(?:[^@:/?#\s]+@)?([a-z0-9.-]+:[^@?#:\s]+)$/i.exec(text)?.[1];
}

/** Stands in the place of a source of which nothing may be kept; no mapping fits it. */
const LEFT_OUT = '(left out: it may hold a password)';

/**
 * A source as it is kept and shown. Where a query or a fragment was, `?…` says so, because the rest alone is another source.
 */
export function shownSource(source: string): string {
  const kept = withoutSecrets(source);
  if (kept === undefined) return LEFT_OUT;
  return /^[a-z][a-z0-9+.-]*:/i.test(source) && /[?#]/.test(source) ? `${kept}?…` : kept;
}
